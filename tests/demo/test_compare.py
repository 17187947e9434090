import pandas as pd
import pytest

from pql_model.demo.compare import compare

TIMES = [f"2025-03-{day:02d}T10:00:00Z" for day in range(1, 9)]
NAMES = [f"acc-{i}" for i in range(8)]
TRUE = [0.1, 0.2, 0.1, 0.3, 0.6, 0.7, 0.2, 0.8]
TRUTH = {
    "expected_set_aside": {"bot": 4, "no_entity": 2, "broken_line": 0},
    "leaking_columns": ["lifetime_logins", "account_manager"],
    "probabilities": {"entity": NAMES, "as_of": TIMES, "probability": TRUE},
    "criteria": [
        {"event": "Teammate Invited", "measure": "count", "window": "first 7d", "operator": ">=", "threshold": 3},
        {"event": "any", "measure": "distinct_users", "window": "ever", "operator": ">=", "threshold": 4},
    ],
}
INVITED = {"event": "Teammate Invited", "measure": "count", "window": "first 7d", "operator": ">=", "threshold": 3}
PEOPLE = {"event": "any", "measure": "distinct_users", "window": "first 14d", "operator": ">=", "threshold": 4}
SIZE = {"trait": "company_size", "in": ["51-200"]}


def predictions(probability=TRUE):
    as_of = pd.to_datetime(TIMES, utc=True).as_unit("us")
    converted = [False, False, False, False, True, True, False, True]
    return pd.DataFrame({"entity": NAMES, "as_of": as_of, "converted": converted, "probability": probability})


def lines(**changes):
    given = {
        "predictions": predictions(),
        "behaviours": ["Upload", "Teammate Invited", "activity as a whole", "region"],
        "leaks": ["account_manager", "lifetime_logins"],
        "set_aside": {"bot": 4, "no_entity": 2},
        "criteria": [PEOPLE, SIZE, INVITED],
        **changes,
    }
    return {line["what"]: line for line in compare(TRUTH, **given).to_dict()}


def test_results_as_planted_agree():
    result = lines()
    assert list(result) == [
        "unusable rows, by reason",
        "columns that know the outcome",
        "ROC-AUC on later accounts",
        "mean probability",
        "behaviours that matter",
        "criteria",
    ]
    assert all(line["agrees"] for line in result.values())
    assert result["unusable rows, by reason"]["planted"] == "4 bot, 2 no_entity"
    assert result["ROC-AUC on later accounts"]["planted"] == "1.000 (true probabilities)"


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("unusable rows, by reason", {"set_aside": {"bot": 5, "no_entity": 2}}),
        ("columns that know the outcome", {"leaks": ["account_manager"]}),
        ("columns that know the outcome", {"leaks": ["account_manager", "lifetime_logins", "region"]}),
        ("ROC-AUC on later accounts", {"predictions": predictions(TRUE[::-1])}),
        ("mean probability", {"predictions": predictions([p / 2 for p in TRUE])}),
        ("behaviours that matter", {"behaviours": ["a", "b", "c", "d", "Teammate Invited"]}),
        ("criteria", {"criteria": [INVITED]}),
        ("criteria", {"criteria": [INVITED, PEOPLE, {**INVITED, "event": "Upload"}]}),
        ("criteria", {"criteria": [{**INVITED, "threshold": 4}, PEOPLE]}),
    ],
)
def test_other_results_do_not_agree(what, changes):
    assert [name for name, line in lines(**changes).items() if not line["agrees"]] == [what]


def test_only_snapshots_whose_truth_is_known_are_compared():
    extra = predictions().iloc[[0]].assign(entity="acc-unknown", converted=True)
    assert lines(predictions=pd.concat([predictions(), extra]))["ROC-AUC on later accounts"]["found"] == "1.000"
