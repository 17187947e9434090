import numpy as np
import pytest
from planted import criterion, feature, planted, product

from pql_model.config.definition import Definition
from pql_model.criteria.segments import thresholds_by_segment

SIZES = ("1-10", "11-50", "51-200", "201+")
EXPORTS = feature("Export Made")
KINDS = {"size": ("category", SIZES), "seats": ("number",)}


def exports(at_least):
    return criterion(event="Export Made", at_least=at_least)


def by_segment(high, low, segment):
    return Definition.model_validate({"any": [exports(high), {"all": [exports(low), segment]}]})


def world(seed, rule, rows=4000, missing=0.0):
    """Accounts with a size and seats; `rule` makes the conditions with their weights from a lower and a higher threshold."""
    rng = np.random.default_rng(seed)
    values = product(rng, rows)
    made = values[EXPORTS]
    low = max(1, int(np.quantile(made, 0.5)))
    high = max(low + 2, int(np.quantile(made, 0.82)))
    values["size"] = rng.choice(np.array(SIZES, object), rows, p=[0.4, 0.3, 0.2, 0.1])
    seats = rng.integers(1, 21, rows).astype(float)
    values["seats"] = np.where(rng.random(rows) < missing, np.nan, seats)
    sample = planted(rng, values, rule(low, high), trait_kinds=KINDS)
    traits = {"trait: size": np.zeros(rows), "trait: seats": np.zeros(rows)}
    found = thresholds_by_segment(sample.candidates, sample.y, traits, sample.mine(traits=traits), 7)
    return found, low, high


LARGE = criterion(trait="size", **{"in": ["51-200", "201+"]})


@pytest.mark.parametrize("seed", range(5))
def test_a_lower_threshold_of_a_segment_is_found_with_its_numbers(seed):
    [found], low, high = world(seed, lambda low, high: [(by_segment(high, low, LARGE), 2.0)])
    assert [found.high.threshold, found.low.threshold] == pytest.approx([high, low], abs=1)
    assert set(found.segment.in_ or ()) == {"51-200", "201+"}
    assert found.definition == by_segment(found.high.threshold, found.low.threshold, found.segment)


@pytest.mark.parametrize("few", [True, False])
def test_a_segment_may_be_a_number_on_either_side_and_accounts_without_it_are_in_none(few):
    segment = criterion(trait="seats", **({"less_than": 11} if few else {"at_least": 11}))
    [found], low, high = world(3, lambda low, high: [(by_segment(high, low, segment), 2.2)], missing=0.3)
    assert (found.high, found.low) == (exports(high), exports(low))
    assert found.segment.operator == segment.operator
    assert abs(float(found.segment.threshold or 0) - 11) <= 1


QUIET = {
    "one threshold": lambda low, high: [(exports(high), 2.0)],
    "a segment that converts more often": lambda low, high: [(exports(high), 1.6), (LARGE, 1.4)],
    "a threshold that counts in the segment alone": lambda low, high: [
        (Definition.model_validate({"all": [exports(high), LARGE]}), 2.0)
    ],
    "a response in steps": lambda low, high: [(exports(n), 0.5) for n in range(1, high + 3)] + [(LARGE, 1.0)],
}


@pytest.mark.parametrize("rule", QUIET.values(), ids=QUIET)
def test_no_second_threshold_is_invented(rule):
    assert sum(bool(world(seed, rule, 2500)[0]) for seed in range(8)) == 0


def test_without_traits_or_criteria_there_is_nothing_to_find():
    rng = np.random.default_rng(1)
    sample = planted(rng, product(rng, 2000), [(exports(4), 2.0)])
    assert thresholds_by_segment(sample.candidates, sample.y, {}, sample.mine(), 7) == []
    assert thresholds_by_segment(sample.candidates, sample.y, {}, [], 7) == []
