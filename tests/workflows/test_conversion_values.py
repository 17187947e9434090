"""What conversions are worth, as `pql train` learns it and `pql score` sums it up."""

from __future__ import annotations

import pytest

from pql_model.model.conversion_value import VALUE, ConversionValue
from pql_model.workflows.score import score


@pytest.fixture(scope="module")
def facts(trained):
    return trained.registered.model.facts[VALUE]


def test_the_demo_sells_by_company_size(facts):
    assert facts["segmented_by"] == "trait.company_size"
    assert facts["segments"]["1-10"]["value"] < facts["segments"]["11-50"]["value"]
    assert facts["conversions"] >= sum(part["conversions"] for part in facts["segments"].values())


def test_each_converting_entity_counts_once(trained, facts):
    frame = trained.prepared.snapshots.frame
    converting = frame[frame["converted"]].drop_duplicates("entity")

    assert facts["conversions"] == len(converting)
    assert facts["per_conversion"]["value"] == pytest.approx(converting["value"].mean())


def test_what_came_in_the_test_period_is_what_its_entities_paid(trained, facts):
    frame, test = trained.prepared.snapshots.frame, trained.prepared.split.test
    first = frame[test].groupby("entity").head(1)
    checked = facts["checked"]

    assert (checked["entities"], checked["observed"]) == (len(first), first["value"].sum())
    assert checked["expected"]["low"] < checked["expected"]["value"] < checked["expected"]["high"]


def test_the_sum_of_the_rows_is_the_expected_value(trained, tmp_path):
    config = trained.folder.parent.parent / "pql.yaml"
    result = score(config, as_of="2025-11-20", output=tmp_path / "scores.parquet")
    rows, summary = result.rows, result.to_dict()

    assert summary["expected_value_all"]["value"] == pytest.approx(rows["expected_value"].sum())
    assert summary["expected_value"]["value"] == pytest.approx(rows["expected_value"][rows["is_pql"]].sum())
    model = ConversionValue.of_facts(trained.registered.model.facts)
    ratio = (rows["expected_value"] / rows["probability"]).round(6)
    known = {round(m.value, 6) for m in (model.overall, *(part[1] for part in model.segments.values()))}
    assert set(ratio) <= known


def test_train_reports_the_facts(trained, facts):
    assert trained.to_dict()["value"] == facts
