import json

import pytest

from pql_model.config.load import parse_config
from pql_model.errors import InputError
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


def intake(text=TRIAL, resolution=""):
    return Scope.of_facts({KEY: scope_facts(parse_config(text + resolution), ["login"], ["plan", "staff", "seats"])})


def incoming(found, as_of, signed_up="2026-01-01", events=(), **traits):
    raw = {"entity": "a", "as_of": as_of, "events": list(events), "traits": traits}
    return read_entity(raw | ({"signed_up": signed_up} if signed_up else {}), found.rules, now=2_000_000_000_000_000)


def test_what_the_config_says_reaches_the_rules():
    rules = intake().rules

    assert (rules.known_events, rules.known_values) == ({"login"}, {"megabytes", "seconds"})
    assert rules.known_traits == {"plan", "staff", "seats"}
    assert (rules.needs_signup, rules.entity_acts, rules.bots, rules.excluded_users, rules.by_day) == (
        True,
        True,
        True,
        {"qa"},
        False,
    )
    assert intake(resolution="resolution: day\n").rules.by_day
    assert rules.own_ids == frozenset()


def test_events_that_have_a_table_of_their_own_have_ids_of_their_own():
    tables = """\
  - {table: uploads.csv, event: Upload, columns: {entity: who, time: at, id: id}}
  - {table: weeks.csv, counts: {Login: logins, Visit: visits}, covers: 7d, columns: {entity: who, time: at}}
"""
    assert intake(TRIAL.replace("entities:\n  table", f"{tables}entities:\n  table")).rules.own_ids == {
        "Upload",
        "Login",
        "Visit",
    }


def test_facts_are_plain_json():
    facts = scope_facts(parse_config(FREEMIUM), ["login"], ["plan"])

    assert json.loads(json.dumps(facts)) == facts
    assert facts["may_lack_signup"]
    assert not scope_facts(parse_config(TRIAL), ["login"], ["plan"])["may_lack_signup"]
    old = {name: value for name, value in facts.items() if name not in ("may_lack_signup", "own_ids")}
    assert not Scope.of_facts({KEY: old}).rules.may_lack_signup
    assert Scope.of_facts({KEY: old}).rules.own_ids == frozenset()
    assert (facts["needs_signup"], facts["ages"], facts["active_within"]) == (False, None, 14 * 86_400_000_000)


@pytest.mark.parametrize("as_of", ["2026-01-04", "2026-01-16"])
def test_a_trial_is_known_from_the_first_to_a_day_after_the_last_landmark(as_of):
    found = intake()
    found.refuse_outside(incoming(found, as_of))


@pytest.mark.parametrize(("as_of", "age"), [("2026-01-03T23:00:00Z", "2.95833"), ("2026-01-16T12:00:00Z", "15.5")])
def test_another_age_is_refused(as_of, age):
    found = intake()
    with pytest.raises(InputError, match=rf"`as_of` cannot .*, {age} days after the sign-up. Allowed: 3 to 15 days"):
        found.refuse_outside(incoming(found, as_of))


def test_who_did_nothing_lately_is_refused_where_the_model_knows_active_ones_only():
    found = intake(FREEMIUM)
    login = {"event": "login", "time": "2026-01-01"}

    found.refuse_outside(incoming(found, "2026-01-15", None, [login]))
    for as_of, events in [
        ("2026-01-15T00:00:01Z", [login]),
        ("2026-01-15", []),
        ("2026-01-15", [{**login, "user": "qa"}]),
    ]:
        with pytest.raises(InputError, match=r"`events` cannot .*none that counts in the last 14 days before as_of"):
            found.refuse_outside(incoming(found, as_of, None, events))


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
def test_who_the_config_excludes_is_refused_however_it_is_written(trait):
    found = intake()
    with pytest.raises(
        InputError, match=r"`traits\.\w+` cannot be used.* Allowed: another one: the config excludes these"
    ):
        found.refuse_outside(incoming(found, "2026-01-08", **trait))


@pytest.mark.parametrize("trait", [{"plan": "Internal"}, {"plan": None}, {"staff": False}, {"seats": 120}, {}])
def test_others_are_not(trait):
    found = intake()
    found.refuse_outside(incoming(found, "2026-01-08", **trait))
