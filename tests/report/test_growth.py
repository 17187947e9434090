import json

import numpy as np
import pytest

from pql_model.report.growth import growth_object
from pql_model.time import WEEK, parse_instant


@pytest.fixture(scope="module")
def growth(trained):
    return json.loads((trained.folder / "growth.json").read_text(encoding="utf-8"))


def test_every_row_is_in_exactly_one_week(trained, growth):
    assert sum(week["entities"] for week in growth["weeks"]) == len(trained.findings.outcomes)
    assert sum(week["conversions"] for week in growth["weeks"]) == int(trained.findings.outcomes.converted.sum())
    starts = [parse_instant(week["week"]) for week in growth["weeks"]]
    assert set(np.diff(starts)) == {WEEK}


def test_a_week_is_finished_once_its_last_outcome_is_final(trained, growth):
    findings = trained.findings
    age = int((findings.outcomes.as_of - findings.outcomes.begins).max())
    for week in growth["weeks"]:
        final = parse_instant(week["week"]) + WEEK + age + findings.horizon <= findings.observed_until
        assert week["finished"] == final
    assert not growth["weeks"][-1]["finished"]


def test_above_and_below_a_threshold_are_all_later_rows(trained, growth):
    later = trained.findings.results.later.rows
    payload = [b for b in growth["behaviours"] if b["above"] is not None]
    assert payload
    for behaviour in payload:
        assert behaviour["above"]["entities"] + behaviour["below"]["entities"] == later


def test_the_curve_falls_in_volume_and_includes_the_threshold(growth):
    for behaviour in growth["behaviours"]:
        counts = [point["entities"] for point in behaviour["curve"]]
        assert counts == sorted(counts, reverse=True) or counts == sorted(counts)
        if behaviour["threshold"] is not None:
            assert behaviour["threshold"] in [point["threshold"] for point in behaviour["curve"]]


def test_the_frontier_ends_with_everybody_at_the_base_rate(growth):
    last = growth["volume"][-1]
    assert (last["share"], last["rate"]["value"]) == (1.0, growth["base"]["later"]["value"])
    leads = [point["leads_per_week"] for point in growth["volume"]]
    assert leads == sorted(leads)


def test_the_growth_object_depends_only_on_its_arguments(trained, growth):
    product = {
        key: growth[key] for key in ("product", "entity", "motion", "horizon_days", "made_at", "owner", "config_digest")
    }
    calibration = trained.evaluation.calibration_over_time
    again = growth_object(
        trained.findings,
        product,
        growth["model"],
        trained.evaluation.reliability,
        calibration.months,
        growth["health"],
        growth["facts"],
        growth["decision"]["capacity"]["leads_per_week"],
    )
    assert json.loads(json.dumps(again, allow_nan=False)) == growth
