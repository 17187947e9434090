import base64
import hashlib
import re
from dataclasses import replace

import pytest

from pql_model.serve.landing_page import landing_page


@pytest.fixture(scope="module")
def payload(bundle):
    return landing_page(bundle)


def allowed(policy, source):
    return re.search(rf"{source} ([^;]+)", policy)[1]


@pytest.mark.parametrize(("tag", "source"), [("style", "style-src"), ("script", "script-src")])
def test_the_policy_allows_only_the_inline_parts(payload, tag, source):
    text, policy = payload
    [inline] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)

    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    assert allowed(policy, source) == f"'sha256-{digest}'"
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert allowed(policy, "connect-src") == "'self'"


def test_the_page_loads_nothing_from_elsewhere(payload):
    text, _ = payload
    assert not re.search(r"https?://|//[a-z]|src=|@import|url\(", text)
    assert not re.search(r"\son[a-z]+=|style=", text)


def test_the_page_describes_the_model(payload, bundle):
    text, _ = payload
    assert "nimbus-boards" in text
    assert f"Version {bundle.version}, verdict {bundle.about['verdict']}" in text
    assert f"{bundle.about['trained_on']['entities']:,} accounts" in text
    assert "within 30d of a given" in text


def test_the_page_of_a_user_product_speaks_of_users(bundle):
    text, _ = landing_page(replace(bundle, about={**bundle.about, "entity": "user"}))

    assert "how likely a user is to pay" in text
    assert ">A user and its events<" in text
    assert "account" not in text.split("<h2>For programs")[0]


def test_the_page_does_not_mention_leads_without_a_decider(payload):
    assert 'row.is_pql === null ? "" : row.is_pql ? "a lead. " : "not a lead. "' in payload[0]


def test_names_are_escaped(bundle):
    evil = '</textarea><script>alert(1)</script>&"'
    facts = bundle.model.facts
    model = replace(bundle.model, facts={**facts, "scope": {**facts["scope"], "known_events": [evil]}})
    about = {**bundle.about, "name": evil, "version": evil, "verdict": evil, "entity": evil, "horizon": evil}
    text, _ = landing_page(replace(bundle, about=about, model=model))

    assert "alert(1)" in text
    assert "<script>alert" not in text
    assert text.count("</textarea>") == text.count("<script>") == 1
