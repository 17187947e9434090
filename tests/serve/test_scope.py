import json

import pytest

from pql_model.config.load import parse_config
from pql_model.errors import DataError, InputError
from pql_model.features.incoming import read_entity
from pql_model.serve.scope import KEY, Scope, scope_facts

TRIAL = """\
name: boards
entity: user
events:
  - table: events.parquet
    columns: {entity: who, event: what, time: at}
    values: {megabytes: size, seconds: took}
entities:
  table: users.csv
  columns: {entity: who, signed_up: created}
conversions:
  table: paid.csv
  columns: {entity: who, time: at}
motion: trial
snapshots: {at_days: [3, 7, 14]}
horizon: 30d
exclude: {users: [qa], entities: {plan: [internal], staff: [true], seats: [12]}}
"""
FREEMIUM = (
    TRIAL.replace("motion: trial", "motion: freemium")
    .replace("{at_days: [3, 7, 14]}", "{every: 7d, active_within: 14d}")
    .replace(", signed_up: created", "")
)


def scope_of(text=TRIAL, resolution=""):
    return Scope.of_facts({KEY: scope_facts(parse_config(text + resolution), ["login"], ["plan", "staff", "seats"])})


def incoming(scope, as_of, signed_up="2026-01-01", events=(), **traits):
    raw = {"entity": "a", "as_of": as_of, "events": list(events), "traits": traits}
    return read_entity(raw | ({"signed_up": signed_up} if signed_up else {}), scope.rules, now=2_000_000_000_000_000)


def test_the_rules_follow_the_config():
    rules = scope_of().rules

    assert (rules.known_events, rules.known_values) == ({"login"}, {"megabytes", "seconds"})
    assert rules.known_traits == {"plan", "staff", "seats"}
    assert (rules.needs_signup, rules.entity_acts, rules.bots, rules.excluded_users, rules.by_day) == (
        True,
        True,
        True,
        {"qa"},
        False,
    )
    assert scope_of(resolution="resolution: day\n").rules.by_day
    assert rules.own_ids == frozenset()


def test_ids_are_read_as_in_the_tables():
    scope = scope_of(resolution="normalise: [case, leading_zeros]\n")
    raw = {"entity": " 0012 ", "signed_up": "2026-01-01", "as_of": "2026-01-04", "events": []}

    assert read_entity(raw, scope.rules, now=2_000_000_000_000_000).entity == "12"


def test_events_with_their_own_table_have_their_own_ids():
    tables = """\
  - {table: uploads.csv, event: Upload, columns: {entity: who, time: at, id: id}}
  - {table: weeks.csv, counts: {Login: logins, Visit: visits}, covers: 7d, columns: {entity: who, time: at}}
"""
    assert scope_of(TRIAL.replace("entities:\n  table", f"{tables}entities:\n  table")).rules.own_ids == {
        "Upload",
        "Login",
        "Visit",
    }


def test_facts_are_plain_json():
    facts = scope_facts(parse_config(FREEMIUM), ["login"], ["plan"])

    assert json.loads(json.dumps(facts)) == facts
    assert facts["may_lack_signup"]
    assert not scope_facts(parse_config(TRIAL), ["login"], ["plan"])["may_lack_signup"]
    assert (facts["needs_signup"], facts["ages"], facts["active_within"]) == (False, None, 14 * 86_400_000_000)


@pytest.mark.parametrize("as_of", ["2026-01-04", "2026-01-16"])
def test_a_trial_is_covered_from_the_first_to_a_day_after_the_last_landmark(as_of):
    scope = scope_of()
    scope.refuse_outside(incoming(scope, as_of))


@pytest.mark.parametrize(("as_of", "age"), [("2026-01-03T23:00:00Z", "2.95833"), ("2026-01-16T12:00:00Z", "15.5")])
def test_an_uncovered_age_is_refused(as_of, age):
    scope = scope_of()
    with pytest.raises(InputError, match=rf"`as_of` cannot .*, {age} days after the sign-up. Allowed: 3 to 15 days"):
        scope.refuse_outside(incoming(scope, as_of))


def test_an_inactive_entity_is_refused_where_only_active_ones_are_covered():
    scope = scope_of(FREEMIUM)
    login = {"event": "login", "time": "2026-01-01"}

    scope.refuse_outside(incoming(scope, "2026-01-15", None, [login]))
    for as_of, events in [
        ("2026-01-15T00:00:01Z", [login]),
        ("2026-01-15", []),
        ("2026-01-15", [{**login, "user": "qa"}]),
    ]:
        with pytest.raises(InputError, match=r"`events` cannot .*none that counts in the last 14 days before as_of"):
            scope.refuse_outside(incoming(scope, as_of, None, events))


@pytest.mark.parametrize(
    "trait",
    [
        {"plan": " internal "},
        {"staff": True},
        {"staff": "TRUE"},
        {"staff": "true"},
        {"seats": 12},
        {"seats": 12.0},
        {"seats": "12.0"},
    ],
)
def test_an_excluded_value_is_refused_in_any_notation(trait):
    scope = scope_of()
    with pytest.raises(
        InputError, match=r"`traits\.\w+` cannot be used.* Allowed: a value that the config does not exclude"
    ):
        scope.refuse_outside(incoming(scope, "2026-01-08", **trait))


@pytest.mark.parametrize("trait", [{"plan": "Internal"}, {"plan": None}, {"staff": False}, {"seats": 120}, {}])
def test_other_values_are_accepted(trait):
    scope = scope_of()
    scope.refuse_outside(incoming(scope, "2026-01-08", **trait))


@pytest.mark.parametrize("entity", ["acc-1", " 7.0 "])
def test_an_entity_that_is_excluded_by_its_id_is_refused(entity):
    scope = scope_of(TRIAL.replace("entities: {plan", "entities: {who: [7, acc-1], plan"))
    raw = {"signed_up": "2026-01-01", "as_of": "2026-01-08", "events": []}
    with pytest.raises(
        InputError, match=r"`entity` cannot be used.* Allowed: an entity that the config does not exclude"
    ):
        scope.refuse_outside(read_entity({**raw, "entity": entity}, scope.rules, now=2_000_000_000_000_000))
    scope.refuse_outside(read_entity({**raw, "entity": "acc-10"}, scope.rules, now=2_000_000_000_000_000))


def test_facts_without_a_scope_are_refused():
    with pytest.raises(DataError, match=r"This model has no `scope` among its facts\. Fix: train it with this version"):
        Scope.of_facts({"intake": {}})
