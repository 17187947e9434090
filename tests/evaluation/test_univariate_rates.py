import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact

from pql_model.evaluation.univariate_rates import non_overlapping, univariate_rates
from pql_model.time import DAY, Duration

HORIZON = Duration.parse("30d")


def looks(converted, counts, days=None):
    n = len(converted)
    days = np.arange(n) if days is None else np.asarray(days)
    frame = pd.DataFrame({"entity": np.arange(n), "as_of": days * DAY, "converted": converted})
    return frame, pd.DataFrame({f"{event}.count.ever": values for event, values in counts.items()})


def test_the_base_rate_has_an_interval_and_a_strong_behaviour_stands_out():
    converted = np.arange(200) < 30
    invite = np.where(np.arange(200) < 25, 1, 0) + np.where(np.arange(200) >= 175, 1, 0)
    frame, table = looks(converted, {"invite": invite, "login": np.arange(200) % 2})
    rates = univariate_rates(frame, table, ["login", "invite"], HORIZON)
    assert rates.base.rate.value == 0.15
    assert (rates.base.rate.low, rates.base.rate.high) == pytest.approx((0.1071, 0.2061), abs=1e-4)
    first, second = rates.behaviours
    assert (first.event, first.stands_out, second.event, second.stands_out) == ("invite", True, "login", False)
    assert (first.did.conversions, first.did.looks, first.did_not.conversions, first.did_not.looks) == (25, 50, 5, 150)
    assert rates.sentence == (
        "30 of 200 converted, 15.0% (95 % interval 10.7% to 20.6%). "
        "Of 2 behaviours tested, 1 stands out: invite: at least once."
    )


def test_p_values_are_corrected_for_the_number_tested():
    converted = np.arange(100) < 20
    did = (np.arange(100) < 16) | (np.arange(100) >= 60)
    alone = float(fisher_exact([[16, 40], [4, 40]]).pvalue)
    counts = {"telling": did.astype(int)} | {f"noise {k}": np.arange(100) % (k + 2) == 0 for k in range(4)}
    frame, table = looks(converted, {name.replace(" ", "+"): np.asarray(v, int) for name, v in counts.items()})
    one = univariate_rates(frame, table, ["telling"], HORIZON)
    five = univariate_rates(frame, table, list(counts), HORIZON)
    assert one.behaviours[0].p_value == pytest.approx(alone)
    assert five.behaviours[0].event == "telling"
    assert five.behaviours[0].p_value == pytest.approx(min(1, 5 * alone))


def test_no_behaviour_stands_out_without_signal():
    rng = np.random.default_rng(3)
    frame, table = looks(rng.random(300) < 0.1, {f"e{k}": rng.poisson(1.0, 300) for k in range(20)})
    rates = univariate_rates(frame, table, [f"e{k}" for k in range(20)], HORIZON)
    assert len(rates.behaviours) == 12
    assert rates.sentence.endswith("Of 12 behaviours tested, none stands out.")


def test_frequent_use_is_compared_too():
    frame, table = looks(np.arange(100) < 20, {"invite": np.where(np.arange(100) < 40, 5, np.arange(100) % 2)})
    rates = univariate_rates(frame, table, ["invite"], HORIZON)
    assert sorted(single.text for single in rates.behaviours) == ["invite: at least once"]
    frame, table = looks(np.arange(100) < 20, {"invite": np.arange(100) % 10})
    rates = univariate_rates(frame, table, ["invite"], HORIZON)
    assert {single.text for single in rates.behaviours} == {"invite: at least once", "invite: at least 6 times"}


@pytest.mark.parametrize("counts", [np.zeros(100, int), np.ones(100, int), np.arange(100) == 0])
def test_events_done_by_nobody_or_everybody_are_not_compared(counts):
    frame, table = looks(np.arange(100) < 20, {"invite": counts.astype(int)})
    rates = univariate_rates(frame, table, ["invite", "not computed"], HORIZON)
    assert rates.behaviours == ()
    assert rates.sentence.endswith("No behaviour is common enough to compare.")


def test_a_quarantined_behaviour_is_not_shown():
    frame, table = looks(np.arange(100) < 20, {"checkout": (np.arange(100) < 20).astype(int)})
    assert univariate_rates(frame, table, ["checkout"], HORIZON, ["checkout.count.ever"]).behaviours == ()


def test_a_conversion_seen_from_four_snapshots_counts_once():
    frame = pd.DataFrame(
        {
            "entity": ["a"] * 5 + ["b"] * 5,
            "as_of": np.array([0, 7, 14, 21, 30, 3, 10, 17, 24, 31]) * DAY,
            "converted": [False, True, True, True, True] + [False] * 5,
        }
    )
    assert non_overlapping(frame, HORIZON).tolist() == [0, 4, 5]
    shuffled = frame.sample(frac=1, random_state=2).reset_index(drop=True)
    kept = shuffled.loc[non_overlapping(shuffled, HORIZON)].sort_values(["entity", "as_of"])
    assert kept["as_of"].tolist() == [0, 30 * DAY, 3 * DAY]
    rates = univariate_rates(frame, pd.DataFrame(index=frame.index), [], HORIZON)
    assert (rates.base.conversions, rates.base.looks) == (1, 3)


def test_the_json_has_the_base_rate_and_both_sides_of_each_behaviour():
    frame, table = looks(np.arange(100) < 20, {"invite": np.arange(100) % 3})
    payload = json.loads(json.dumps(univariate_rates(frame, table, ["invite"], HORIZON).to_dict(), allow_nan=False))
    assert set(payload) == {"sentence", "base_rate", "looked_at", "behaviours"}
    assert payload["base_rate"] == {
        "looks": 100,
        "conversions": 20,
        "rate": {"value": 0.2, "low": 0.133367, "high": 0.288829},
    }
    assert payload["looked_at"] == len(payload["behaviours"]) == 2
    assert set(payload["behaviours"][0]) == {"event", "at_least", "did", "did_not", "p_value", "stands_out"}
