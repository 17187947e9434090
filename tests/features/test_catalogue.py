"""Events are offered by how many entities did them, and features if they make sense for the product."""

from __future__ import annotations

import pytest
from worlds import at, opened, product

from pql_model.config.schema import Config
from pql_model.features.catalogue import OfferedEvents, event_names, offer_events, offer_features
from pql_model.time import DAY

LOG = {"table": "e.csv", "columns": {"entity": "e", "event": "n", "time": "t"}}


def config_of(motion="trial", **config):
    raw = {
        "name": "small",
        "events": [LOG],
        "entities": {"table": "a.csv", "columns": {"entity": "e", "signed_up": "s"}},
        "conversions": {"table": "c.csv", "columns": {"entity": "e", "time": "t"}},
        "motion": motion,
        **config,
    }
    return Config.model_validate(raw)


def names(config, events=("login",), has_signup=True, has_users=True):
    return [feature.name for feature in offer_features(config, events, has_signup, has_users)]


# ---------------------------------------------------------------- events

UNTIL = at("2026-01-20")


def offered(tmp_path, acts, until=UNTIL, **offer):
    """`acts`: (account, event, time) or (account, event, time, known_at)."""
    rows = [dict(zip(("account", "event", "time", "known_at"), act, strict=False)) for act in acts]
    accounts = [{"account": f"a{n}", "signed_up": "2026-01-01"} for n in range(4)]
    conversions = [{"account": "a0", "time": "2026-01-15"}]
    config = product(tmp_path, accounts, rows, conversions, offer=offer, observed_until="2026-03-01")
    with opened(config) as (_, sources):
        takes_part = sources.entities.table.filter(sources.entities.table.entity != "a3")
        return offer_events(sources.events.table, takes_part, config, until)


def test_events_are_ordered_by_number_of_entities_then_name(tmp_path):
    early = "2026-01-10"
    acts = [("a0", "often", early)] * 9 + [(a, name, early) for a in ("a0", "a1") for name in ("zip", "Add")]

    found = offered(tmp_path, [*acts, ("a2", "zip", early)], min_entities=1)

    assert found.events == ("zip", "Add", "often")


def test_only_events_known_before_the_test_period_are_counted(tmp_path):
    before, then = UNTIL - 1, UNTIL
    acts = [
        ("a0", "just before", before, None),
        ("a0", "at its start", then, None),
        ("a0", "known just before", before - DAY, before),
        ("a0", "known only then", before - DAY, then),
    ]

    found = offered(tmp_path, acts, min_entities=1)

    assert found.events == ("just before", "known just before")
    assert found.too_rare == 2
    assert set(found.known) == {act[1] for act in acts}


def test_only_listed_entities_are_counted(tmp_path):
    found = offered(tmp_path, [("a0", "login", "2026-01-10"), ("a3", "spy", "2026-01-10")], min_entities=1)

    assert found.events == ("login",)


def test_rare_events_and_those_beyond_the_limit_are_left_out_and_counted(tmp_path):
    early = "2026-01-10"
    wide = [(a, name, early) for a in ("a0", "a1") for name in ("one", "two", "three")]

    found = offered(tmp_path, [*wide, ("a0", "rare", early)], min_entities=2, events=2)

    assert found == OfferedEvents(("one", "three"), ("one", "rare", "three", "two"), too_rare=1, beyond_limit=1)
    assert found.text == (
        "2 of 4 event names offered to the model; left out: "
        "1 done by too few entities, 1 beyond the limit of `offer.events`"
    )


def test_conversions_do_not_influence_the_offer(tmp_path):
    (tmp_path / "other").mkdir()
    acts = [(a, name, "2026-01-10") for a in ("a0", "a1") for name in ("one", "two")]
    one = offered(tmp_path, acts, min_entities=1)
    rows = [dict(zip(("account", "event", "time"), act, strict=True)) for act in acts]
    accounts = [{"account": f"a{n}", "signed_up": "2026-01-01"} for n in range(4)]
    paid = [{"account": "a1", "time": "2026-01-02"}]
    config = product(tmp_path / "other", accounts, rows, paid, offer={"min_entities": 1}, observed_until="2026-03-01")

    with opened(config) as (_, sources):
        other = offer_events(sources.events.table, sources.entities.table, config, UNTIL)

    assert one == other


def test_text_without_left_out_events_states_only_the_number():
    assert OfferedEvents(("a",), ("a",), 0, 0).text == "1 of 1 event names offered to the model"


# ---------------------------------------------------------------- features


def test_a_small_freemium_product_is_offered_exactly_these_features():
    config = config_of("freemium", windows={"first": ["7d"], "last": ["1d", "7d"]})

    assert names(config, has_signup=False, has_users=False) == [
        "login.count.last_1d",
        "login.count.last_7d",
        "login.count.ever",
        "login.active_days.last_7d",
        "login.active_days.ever",
        "login.days_since_last.ever",
        "any.count.last_1d",
        "any.count.last_7d",
        "any.count.ever",
        "any.active_days.last_1d",
        "any.active_days.last_7d",
        "any.active_days.ever",
        "any.breadth.last_7d",
        "any.breadth.ever",
        "any.sessions.last_7d",
        "any.sessions.ever",
        "any.session_minutes.last_7d",
        "any.session_minutes.ever",
        "any.days_since_last.ever",
        "any.current_streak_days.ever",
        "any.longest_streak_days.ever",
        "any.trend.last_1d",
        "any.trend.last_7d",
    ]


def test_sign_up_adds_first_windows_and_times_since_it():
    config = config_of("freemium", windows={"first": ["1d", "7d"], "last": ["7d"]})

    added = set(names(config, has_users=False)) - set(names(config, has_signup=False, has_users=False))

    assert added == {
        "login.count.first_1d",
        "login.count.first_7d",
        "login.active_days.first_7d",
        "any.count.first_1d",
        "any.count.first_7d",
        "any.active_days.first_1d",
        "any.active_days.first_7d",
        "any.breadth.first_7d",
        "any.sessions.first_7d",
        "any.session_minutes.first_7d",
        "any.days_to_first.ever",
        "any.days_since_signup.ever",
    }


def test_users_add_distinct_users_and_top_user_share():
    config = config_of("freemium", windows={"first": [], "last": ["7d"]})

    assert set(names(config)) - set(names(config, has_users=False)) == {
        "login.distinct_users.last_7d",
        "login.distinct_users.ever",
        "any.distinct_users.last_7d",
        "any.distinct_users.ever",
        "any.top_user_share.ever",
    }


@pytest.mark.parametrize(
    ("at_days", "windows"),
    [
        ([3], {"first_1d", "last_1d", "ever"}),
        ([6], {"first_1d", "first_7d", "last_1d", "last_7d", "ever"}),
        ([3, 7, 14], {"first_1d", "first_7d", "first_14d", "last_1d", "last_7d", "last_14d", "ever"}),
    ],
)
def test_in_a_trial_no_window_is_longer_than_the_oldest_age_scored(at_days, windows):
    config = config_of(snapshots={"at_days": at_days})

    assert {name.rsplit(".", 1)[1] for name in names(config)} == windows


def test_value_is_offered_only_for_events_whose_table_has_it():
    uploads = {"table": "u.csv", "event": "upload", "columns": {"entity": "e", "time": "t"}, "values": {"mb": "size"}}
    config = config_of("freemium", events=[LOG, uploads], windows={"first": [], "last": ["7d"]})

    found = [n for n in names(config, ["login", "upload"]) if ".mb." in n]

    assert found == ["upload.sum.mb.last_7d", "upload.sum.mb.ever", "upload.max.mb.ever", "upload.last.mb.ever"]


def test_value_of_a_log_is_offered_for_every_event():
    config = config_of("freemium", events=[{**LOG, "values": {"mb": "size"}}])

    assert {n.split(".")[0] for n in names(config, ["login", "upload"]) if ".mb." in n} == {"login", "upload"}


@pytest.mark.parametrize("values", [{}, {"mb": "size"}], ids=["without values", "with values"])
def test_event_called_any_is_not_offered(values):
    config = config_of("freemium", events=[{**LOG, "values": values}])

    assert names(config, ["any", "login"]) == names(config, ["login"])


def test_no_feature_is_offered_twice_even_if_a_window_is_listed_twice():
    config = config_of("freemium", windows={"first": ["7d", "1w"], "last": ["24h", "1d"]})
    found = names(config)

    assert len(found) == len(set(found))
    assert "login.count.first_7d" in found


def test_without_events_features_of_all_events_together_remain():
    assert all(name.startswith("any.") for name in names(config_of(), events=[]))


def test_every_event_name_of_the_log_is_known_once_however_rare(tmp_path):
    accounts = [{"account": "a", "signed_up": at("2026-01-05")}]
    events = [{"account": "a", "event": name, "time": at("2026-01-06")} for name in ("upload", "login", "login")]
    with opened(product(tmp_path, accounts, events, [{"account": "a", "time": at("2026-01-20")}])) as (_, sources):
        assert event_names(sources.events.table) == ("login", "upload")
