"""`pql feedback` and `pql effect`."""

from __future__ import annotations

import json

import pytest

from tests.outreach.product import write_product


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    return write_product(
        tmp_path_factory.mktemp("outreach"), contacted=0.7, effect=0.4, per_day=10, days=98, capacity=20
    )


def test_the_effect_is_said_first_and_shown_by_band(run, product):
    code, out, _ = run("effect", "-c", product)
    text = " ".join(out.split())

    assert code == 0
    assert text.startswith("Contact makes a difference: ")
    assert "would have paid anyway" in text
    assert "lower half" in text
    assert "Until a difference is seen 8 times in 10" in text


def test_effect_prints_one_json_object(run, product):
    code, out, _ = run("effect", "-c", product, "--json")
    payload = json.loads(out)

    assert code == 0
    assert payload["verdict"] == "helps"
    assert payload["overall"]["difference"]["low"] > 0


def test_feedback_says_what_sales_did(run, product):
    code, out, _ = run("feedback", "-c", product)
    text = " ".join(out.split())

    assert code == 0
    assert "contacted, 0 accepted, 0 rejected, 0 won." in text
    assert "By band" in text


def test_feedback_prints_one_json_object(run, product):
    payload = json.loads(run("feedback", "-c", product, "--json")[1])

    assert payload["overall"]["contacted"] > 0
    assert payload["groups"]["reason"][0]["group"] == "Opened"


@pytest.mark.parametrize("command", ["effect", "feedback"])
def test_a_wrong_instant_is_a_wrong_use(run, product, command):
    code, _, err = run(command, "-c", product, "--as-of", "soon")

    assert code == 2
    assert "Fix:" in err or "Allowed" in err
