from collections import Counter

import numpy as np
import pandas as pd
import pytest
from growths import condition, outcomes, simulated

from pql_model.config.definition import Definition
from pql_model.criteria.evaluate import definition_features
from pql_model.report.near_misses import near_misses

BOARDS, INVITES, EXPORTS = (
    condition("Board Created", 5),
    condition("Teammate Invited", 3),
    condition("Card Exported", 2),
)
RULES = {
    "one": {"all": [INVITES]},
    "all": {"all": [BOARDS, INVITES]},
    "any": {"any": [BOARDS, INVITES]},
    "two of three": {"at_least_k": 2, "of": [BOARDS, INVITES, EXPORTS]},
    "all with any inside": {"all": [BOARDS, {"any": [INVITES, EXPORTS]}]},
    "any with all inside": {"any": [BOARDS, {"all": [INVITES, EXPORTS]}]},
}


def table_of(definition, part):
    return pd.DataFrame({f.name: part[f.event].astype(float).to_numpy() for f in definition_features(definition)})


@pytest.fixture(scope="module")
def later():
    table = simulated()
    return table[table["period"] == "later"].reset_index(drop=True)


def naive(rule, later):
    """Row by row: the criterion with the smallest relative gap, of those that alone make the row meet the rule."""
    definition, counts, converted = Definition.model_validate(rule), Counter(), Counter()
    wanted = [(c.event, int(c.threshold)) for c in definition.criteria]
    for row in later.to_dict("records"):
        if _meets(rule, row):
            continue
        lacks = [(event, at) for event, at in wanted if _meets(rule, {**row, event: at})]
        nobody = dict.fromkeys(row, 0)
        lacks = [(event, at) for event, at in lacks if row[event] > 0 or not _meets(rule, {**nobody, event: at})]
        if lacks:
            event, at = min(lacks, key=lambda each: (each[1] - row[each[0]]) / each[1])
            counts[f"{row[event]} of {at} `{event}`"] += 1
            converted[f"{row[event]} of {at} `{event}`"] += row["converted"]
    return counts, converted


def _meets(rule, row):
    if "event" in rule:
        return row[rule["event"]] >= rule["threshold"]
    members = rule.get("all") or rule.get("any") or rule["of"]
    return sum(_meets(member, row) for member in members) >= (
        len(members) if "all" in rule else rule.get("at_least_k", 1)
    )


@pytest.mark.parametrize("name", RULES)
def test_near_misses_are_those_of_a_naive_count(later, name):
    definition = Definition.model_validate(RULES[name])
    found = near_misses(definition, table_of(definition, later), outcomes(later, "later"))
    counts, converted = naive(RULES[name], later)

    assert {each["text"].split(" in the ")[0]: each["entities"] for each in found} == counts
    assert {each["text"].split(" in the ")[0]: each["conversions"] for each in found} == converted
    assert len(found) > 1


def test_advice_needs_an_interval_apart_from_everybodys(later):
    definition = Definition.model_validate(RULES["two of three"])
    result = near_misses(definition, table_of(definition, later), outcomes(later, "later"))
    everyone = later["converted"].mean()

    assert {each["advice"] for each in result} == {"help", "none"}
    for each in result:
        if each["advice"] == "help":
            assert each["rate"]["low"] > everyone
        if each["advice"] == "leave":
            assert each["rate"]["high"] < everyone


def test_a_large_threshold_is_counted_in_thirds(later):
    rule = Definition.model_validate({"all": [condition("Board Created", 9), INVITES]})
    table = table_of(rule, later)
    table.iloc[:, 0] *= 10
    high = Definition.model_validate({"all": [condition("Board Created", 90), INVITES]})
    table.columns = [feature.name for feature in definition_features(high)]
    texts = [each["text"] for each in near_misses(high, table, outcomes(later, "later")) if "Board" in each["text"]]

    assert [text.split(" `")[0] for text in texts] == ["60 to 80 of 90", "30 to 50 of 90", "10 to 20 of 90", "0 of 90"]


def test_fewer_days_are_nearer_and_a_trait_is_no_step(later):
    rule = Definition.model_validate(
        {
            "all": [
                {
                    "event": "Card Exported",
                    "measure": "days_since_last",
                    "window": "ever",
                    "operator": "<=",
                    "threshold": 7,
                },
                {"trait": "size", "in": ["1-10"]},
            ]
        }
    )
    days = np.where(later["Card Exported"] > 0, later["Card Exported"] * 5.0, np.nan)
    name = next(feature.name for feature in definition_features(rule))
    table = pd.DataFrame({name: days, "trait.size": later["size"]})
    result = near_misses(rule, table, outcomes(later, "later"))
    small = later["size"] == "1-10"

    assert all("Card Exported" in each["text"] for each in result)
    assert sum(each["entities"] for each in result) == int((small & (days > 7)).sum())
    assert [each["from"] for each in result] == sorted(each["from"] for each in result)
