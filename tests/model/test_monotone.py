import pytest

from pql_model.errors import DataError
from pql_model.measures import ENTITY_MEASURES, EVENT_MEASURES, MEASURES
from pql_model.model.columns import Manifest, ModelColumn
from pql_model.model.monotone import check_monotone, idle_names, monotone_directions

FEATURES = (
    "File+Uploaded.count.last_7d",
    "File+Uploaded.sum.megabytes.ever",
    "File+Uploaded.max.megabytes.ever",
    "File+Uploaded.days_since_last.ever",
    "any.count.ever",
    "any.breadth.ever",
    "any.trend.last_7d",
    "any.days_since_signup.ever",
)
MANIFEST = Manifest(
    (
        *(ModelColumn(name, "feature") for name in FEATURES),
        ModelColumn("trait.team+seats", "number"),
        ModelColumn("trait.size", "category", ("large", "small")),
    )
)


def held(**monotone):
    """Column -> direction, of the columns that are held."""
    directions = monotone_directions({name.replace("__", " "): way for name, way in monotone.items()}, MANIFEST)
    assert len(directions) == len(MANIFEST.columns)
    return {name: way for name, way in zip(MANIFEST.names, directions, strict=True) if way}


def test_without_constraints_every_column_is_free():
    assert monotone_directions({}, MANIFEST) == (0,) * 10


def test_an_event_constrains_its_amounts_but_not_its_recency():
    assert held(File__Uploaded="increasing") == {
        "File+Uploaded.count.last_7d": 1,
        "File+Uploaded.sum.megabytes.ever": 1,
    }


def test_any_event_constrains_its_amounts_but_not_its_recency():
    assert held(any="decreasing") == {"any.count.ever": -1, "any.breadth.ever": -1}


def test_a_trait_is_named_as_in_the_table_or_by_its_column():
    assert held(team__seats="decreasing") == {"trait.team+seats": -1}
    assert monotone_directions({"trait.team+seats": "increasing"}, MANIFEST)[8] == 1


def test_a_column_takes_precedence_over_its_event():
    column, event = {"File+Uploaded.count.last_7d": "decreasing"}, {"File Uploaded": "increasing"}
    for monotone in (column | event, event | column):
        assert monotone_directions(monotone, MANIFEST)[:2] == (-1, 1)


def test_any_feature_column_can_be_constrained_by_name():
    assert monotone_directions({"File+Uploaded.days_since_last.ever": "decreasing"}, MANIFEST)[3] == -1


@pytest.mark.parametrize("name", ["size", "trait.size"])
def test_a_category_has_no_order_and_is_refused(name):
    with pytest.raises(
        DataError,
        match=r"`monotone` names the trait `size`, whose values are categories: these have no order. Received: .*size: inc",
    ):
        monotone_directions({name: "increasing"}, MANIFEST)


def test_the_measures_that_an_event_constrains_are_amounts():
    amounts = {name for name in (*EVENT_MEASURES, *ENTITY_MEASURES) if MEASURES[name].empty == 0}
    assert amounts == {
        "count",
        "active_days",
        "distinct_users",
        "sum",
        "distinct_values",
        "current_streak_days",
        "longest_streak_days",
        "breadth",
        "sessions",
        "session_minutes",
        "top_user_count",
    }


def test_a_name_that_constrains_no_column_is_reported():
    asked = dict.fromkeys(("File Uploaded", "Page Viewed", "region", "any.trend.last_7d"), "increasing")
    assert idle_names(asked, MANIFEST) == ["Page Viewed", "region"]


EVENTS, TRAITS = ["File Uploaded", "plan"], ["size", "plan", "team seats"]


@pytest.mark.parametrize(
    "name", ["any", "File Uploaded", "size", "trait.team+seats", "File+Uploaded.count.last_9d", "plan.count.ever"]
)
def test_names_in_the_data_are_accepted(name):
    check_monotone({name: "increasing"}, EVENTS, TRAITS)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("File Upload", r"`monotone` names `File Upload`, which the data do not have, did you mean `File Uploaded`\?"),
        ("File+Upload.count.ever", "which the data do not have"),
        ("trait.sizes", "Allowed: any, File Uploaded, plan, size, team seats"),
        ("plan", r"which is an event and a trait. .*`trait.plan` for the trait, `plan.count.ever` and the like"),
    ],
)
def test_absent_and_ambiguous_names_are_refused(name, payload):
    with pytest.raises(DataError, match=payload):
        check_monotone({name: "increasing"}, EVENTS, TRAITS)
