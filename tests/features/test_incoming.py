"""The entity of a request is checked like the tables of the batch; what the caller can correct is an error."""

from __future__ import annotations

import json
import random

import pytest
import yaml
from examples import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from worlds import at, opened, product

from pql_model.config.load import load_config
from pql_model.errors import InputError
from pql_model.features.event_reader import ReadingRules
from pql_model.features.incoming import SET_ASIDE, read_entity
from pql_model.features.timeline import EventRow
from pql_model.sources.events import REASONS
from pql_model.time import DAY, HOUR, iso

NOW = at("2026-03-01T12:00")
RULES = ReadingRules(frozenset({"login", "upload"}), needs_signup=True)
FREE = ReadingRules(frozenset({"login"}), needs_signup=False)


def request(*events, **body):
    return {"entity": "acme", "signed_up": "2026-01-01", "as_of": "2026-01-08", "events": list(events), **body}


def event(time="2026-01-02", **keys):
    return {"event": "login", "time": time, **keys}


def read(*events, rules=RULES, **body):
    return read_entity(request(*events, **body), rules, NOW)


# ---------------------------------------------------------------- what is read


def test_entity_is_read_with_all_fields():
    first = event(
        "2026-01-02T10:00:00+02:00",
        user=" ann ",
        values={"mb": 2, "gone": None, "on": True},
        id="e1",
        known_at="2026-01-03",
        n=3,
        users=2,
    )
    found = read(first, {"event": "upload ", "time": "2026-01-02"}, traits={"size": "11-50", "seats": 4, "beta": None})

    assert (found.entity, found.signed_up, found.as_of) == ("acme", at("2026-01-01"), at("2026-01-08"))
    assert found.traits == {"size": "11-50", "seats": 4, "beta": None}
    assert found.events == [
        EventRow("login", at("2026-01-02T08:00"), "ann", {"mb": 2.0, "on": 1.0}, at("2026-01-03"), 3.0, 2.0),
        EventRow("upload", at("2026-01-02")),
    ]
    assert (found.set_aside, found.unknown_events, found.unknown_values, found.unknown_traits) == ({}, {}, {}, ())


def test_as_of_defaults_to_now():
    assert read(as_of=None).as_of == NOW
    assert read_entity({"entity": "a", "events": []}, FREE, NOW).as_of == NOW


def test_events_traits_and_optional_sign_up_may_be_empty():
    found = read_entity({"entity": "a", "events": []}, FREE, NOW)
    assert (found.signed_up, found.events, found.traits) == (None, [], {})


def test_ids_are_tidied_as_in_the_tables():
    found = read(event(user="12.0"), event(user="null"), event(user=" "), entity=" 7.0 ")
    assert found.entity == "7"
    assert [row.user for row in found.events] == ["12", None, None]


def test_times_are_cut_to_days_where_the_data_have_days_only():
    rules = ReadingRules(frozenset({"login"}), needs_signup=True, by_day=True)
    found = read(event("2026-01-01T08:00"), signed_up="2026-01-01T09:00", rules=rules)
    assert found.signed_up == at("2026-01-01")
    assert [row.time for row in found.events] == [at("2026-01-01")]


# ---------------------------------------------------------------- what is unknown


def test_unknown_event_counts_and_is_reported():
    found = read(event(), event(event="Login"), event(event="Login"), event(event="any"))
    assert [row.event for row in found.events] == ["login", "Login", "Login", "any (event)"]
    assert found.unknown_events == {"Login": 2, "any (event)": 1}


def test_unknown_values_and_traits_are_left_out_and_reported():
    rules = ReadingRules(frozenset({"login"}), True, known_values=frozenset({"mb"}), known_traits=frozenset({"size"}))
    found = read(event(values={"mb": 1, "megabites": 2}), traits={"size": "s", "sise": "m"}, rules=rules)
    assert found.events[0].values == {"mb": 1.0}
    assert found.unknown_values == {"megabites": 1}
    assert (found.traits, found.unknown_traits) == ({"size": "s"}, ("sise",))


# ---------------------------------------------------------------- what is set aside


def reasons(*events, **body):
    return read(*events, **body).set_aside


def test_untimely_event_is_set_aside_and_counted():
    found = read(
        event("2025-12-31T23:59:59.999999"),
        event("2026-01-01"),
        event("2026-01-07T23:59:59.999999"),
        event("2026-01-08"),
        event("2027-01-01"),
        event("2026-01-03", known_at="2026-01-08"),
        event("2026-01-03", known_at="2026-01-07T23:59"),
    )
    assert found.set_aside == {"before_signup": 1, "after_as_of": 2, "known_later": 1}
    assert len(found.events) == 3


def test_first_row_to_arrive_of_equal_ids_is_kept():
    late = event("2026-01-02", id="x", known_at="2026-01-05", user="late")
    early = event("2026-01-04", id="x", user="early")
    for rows in ([late, early], [early, late]):
        found = read(*rows)
        assert [row.user for row in found.events] == ["early"]
        assert found.set_aside == {"duplicate_id": 1}


def test_the_ids_of_a_table_of_one_event_are_its_own():
    rules = ReadingRules(frozenset({"login", "upload", "visit"}), True, own_ids=frozenset({"login", "upload"}))
    apart = [event(event=name, id="1", user="ann") for name in ("login", "upload", "visit", "click")]
    assert reasons(*apart, rules=rules) == {"duplicate_id": 1}  # the last two stand in one log
    assert reasons(*apart[:2], event(event="login", id="1.0"), rules=rules) == {"duplicate_id": 1}


def test_events_without_an_id_are_never_duplicates():
    assert reasons(event(), event(), event(id=None), event(id="null"), event(id=" NULL ")) == {}


def test_bots_and_excluded_users_are_set_aside_as_in_the_tables():
    rules = ReadingRules(frozenset({"login"}), True, excluded_users=frozenset({"u1", "my-bot"}))
    rows = [event(user="my-bot"), event(user="u1"), event(user="ann"), event()]
    assert reasons(*rows, rules=rules) == {"bot": 1, "excluded_user": 1}
    assert reasons(event(user="my-bot"), rules=ReadingRules(frozenset(), True, bots=False)) == {}


def test_acting_entity_can_be_a_bot():
    rules = ReadingRules(frozenset({"login"}), True, entity_acts=True)
    assert reasons(event(), event(user="ann"), entity="crawler", rules=rules) == {"bot": 1}
    assert reasons(event(), entity="crawler") == {}


def test_each_reason_is_one_of_the_batch_or_about_as_of():
    assert [name for name in SET_ASIDE if name in REASONS] == [name for name in REASONS if name in SET_ASIDE]
    assert set(SET_ASIDE) - set(REASONS) == {"after_as_of", "known_later"}


def test_rows_are_set_aside_and_kept_as_in_the_batch(tmp_path):
    dice = random.Random(5)
    ids, users = [None, "x", "y", "z", "12", "12.0", " x "], [None, "ann", "spy", "robot-1", " ann "]
    accounts = [{"account": f"a{n}", "signed_up": "2026-01-05"} for n in range(40)]
    rows = []
    for number in range(400):
        time = at("2026-01-03") + dice.randrange(8) * 12 * HOUR
        known_at = dice.choice([None, time, time + DAY, time + 2 * DAY])
        row_id = dice.choice(ids)  # repeats count within an account, here as in the batch
        rows.append(
            {
                "account": f"a{number % 40}",
                "event": dice.choice(["login", " any ", "Login"]),
                "time": time,
                "known_at": known_at,
                "user": dice.choice(users),
                "id": row_id and f"{number % 40}-{row_id.strip().removesuffix('.0')}",
                "mb": dice.choice([None, 1, -2.5]),
            }
        )
    mapped = {name: name for name in ("event", "time", "user", "id", "known_at")}
    table = {"table": "events.csv", "columns": {"entity": "account", **mapped}, "values": {"mb": "mb"}}
    home = product(
        tmp_path, accounts, rows, [{"account": "a0", "time": "2026-02-01"}], observed_until="2026-06-01"
    ).home
    raw = yaml.safe_load((home / "pql.yaml").read_text(encoding="utf-8"))
    raw |= {"events": [table], "exclude": {"users": ["spy"]}}
    (home / "pql.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    config = load_config(home / "pql.yaml")
    with opened(config) as (_, sources):
        by_reason = sources.events.by_reason()
        batch = sources.events.table.to_pyarrow().to_pylist()
    rules = ReadingRules(frozenset({"login"}), True, excluded_users=frozenset({"spy"}))
    counted, kept = dict.fromkeys(SET_ASIDE, 0), []
    for account in accounts:
        found = read_entity(body_of(account, rows), rules, NOW)
        kept += [(found.entity, row) for row in found.events]
        for reason, count in found.set_aside.items():
            counted[reason] += count

    assert {reason: n for reason, n in counted.items() if n} == by_reason
    assert len(by_reason) == 4
    assert sorted(map(plain, kept), key=repr) == sorted(map(canonical, batch), key=repr)


def body_of(account, rows):
    named = {"event": "event", "user": "user", "id": "id"}
    events = [
        {
            **{key: row[column] for key, column in named.items()},
            "time": iso(row["time"]),
            "known_at": row["known_at"] and iso(row["known_at"]),
            "values": {"mb": row["mb"]},
        }
        for row in rows
        if row["account"] == account["account"]
    ]
    return {"entity": account["account"], "signed_up": account["signed_up"], "events": events}


def plain(kept):
    entity, row = kept
    return entity, row.event, row.time, row.user, row.known_at, (row.values or {}).get("mb")


def canonical(row):
    return row["entity"], row["event"], row["time"], row["user"], row["known_at"], row["value_mb"]


# ---------------------------------------------------------------- what is refused

BAD = [
    (None, "body", "null"),
    ([], "body", "a list"),
    ("acme", "body", '"acme"'),
    ({}, "entity", "no such key"),
    ({"entity": "a"}, "events", "no such key"),
    (request(entity=12), "entity", "12"),
    (request(entity=" "), "entity", '" "'),
    (request(entity="null"), "entity", '"null"'),
    (request(entity="\ud800"), "entity", '"\\ud800"'),
    (request(sign_up="2026-01-01"), "sign_up", '"sign_up"'),
    (request(features={}), "features", '"features"'),
    (request(signed_up=None), "signed_up", "nothing"),
    (request(signed_up=17672256), "signed_up", "17672256"),
    (request(signed_up="9999-01-01"), "signed_up", '"9999-01-01"'),
    (request(signed_up="2026-01-09"), "signed_up", "2026-01-09"),
    (request(as_of="tomorrow"), "as_of", '"tomorrow"'),
    (request(as_of="2026-03-03"), "as_of", "2026-03-03"),
    (request(traits=[]), "traits", "a list"),
    (request(traits={"size": {"a": 1}}), "traits.size", "an object"),
    (request(traits={"size": float("nan")}), "traits.size", "nan"),
    (request(traits={"size": "\udc00"}), "traits.size", '"\\udc00"'),
    (request(traits={"\udc00": "x"}), "traits", '"\\udc00"'),
    (request(events={}), "events", "an object"),
    (request(event(), "login"), "events[1]", '"login"'),
    (request({"event": "login"}), "events[0].time", "no such key"),
    (request({"time": "2026-01-02"}), "events[0].event", "no such key"),
    (request(event(tme="x")), "events[0].tme", '"tme"'),
    (request(event(event=7)), "events[0].event", "7"),
    (request(event(event="")), "events[0].event", '""'),
    (request(event(event="x" * 1001)), "events[0].event", "1,001 characters"),
    (request(event(), event(), event(), event("9999-12-31")), "events[3].time", '"9999-12-31"'),
    (request(event(45000.5)), "events[0].time", "45000.5"),
    (request(event(None)), "events[0].time", "null"),
    (request(event(known_at="later")), "events[0].known_at", '"later"'),
    (request(event(user=12)), "events[0].user", "12"),
    (request(event(user=["ann"])), "events[0].user", "a list"),
    (request(event(id=12)), "events[0].id", "12"),
    (request(event(values=[1])), "events[0].values", "a list"),
    (request(event(values={"mb": "12"})), "events[0].values.mb", '"12"'),
    (request(event(values={"mb": float("inf")})), "events[0].values.mb", "inf"),
    (request(event(values={"mb": float("nan")})), "events[0].values.mb", "nan"),
    (request(event(values={"mb": 10**400})), "events[0].values.mb", "a whole number of more than 60 digits"),
    (request(event(n=0)), "events[0].n", "0"),
    (request(event(n=-1)), "events[0].n", "-1"),
    (request(event(users=-1)), "events[0].users", "-1"),
]


@pytest.mark.parametrize(("raw", "field", "received"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_invalid_field_is_named_with_received_and_allowed(raw, field, received):
    with pytest.raises(InputError, match=r"Received: .* Allowed: ") as caught:
        read_entity(raw, RULES, NOW)
    assert (caught.value.field, caught.value.received, caught.value.http_status) == (field, received, 422)
    assert can_be_sent(caught.value)


def can_be_sent(error):
    return bool(error.field and json.dumps(error.to_dict(), ensure_ascii=False).encode() and str(error).encode())


def test_unknown_key_is_refused_with_the_nearest():
    with pytest.raises(
        InputError, match=r"Unknown field `events\[0\].tme`, did you mean `time`\? .* Allowed: event, time, user"
    ):
        read(event(tme="x"))


@pytest.mark.parametrize(
    ("rules", "raw", "message"),
    [
        (
            ReadingRules(frozenset(), True, most_events=2),
            request(event(), event(), event()),
            "`events` .*: 3 items. Allowed: at most 2 items",
        ),
        (
            ReadingRules(frozenset(), True, most_names=1),
            request(event(values={"a": 1, "b": 2})),
            r"`events\[0\].values` .* at most 1",
        ),
        (
            ReadingRules(frozenset(), True, most_names=1),
            request(traits={"a": 1, "b": 2}),
            "`traits` .* Allowed: at most 1",
        ),
        (
            ReadingRules(frozenset(), True, most_characters=3),
            request(),
            "`entity` .*: 4 characters. Allowed: at most 3 characters",
        ),
    ],
)
def test_requests_have_limits(rules, raw, message):
    with pytest.raises(InputError, match=message):
        read_entity(raw, rules, NOW)


# ---------------------------------------------------------------- any input

_texts = st.text(max_size=8) | st.sampled_from(
    ("2026-01-02", "2026-01-02T10:00Z", "9999-12-31", "login", "\ud800", "null")
)
_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _texts | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_event = st.fixed_dictionaries(
    {"event": st.just("login") | _anything, "time": st.just("2026-01-02") | _anything},
    optional={key: _anything for key in ("user", "values", "id", "known_at", "n", "users", "x")},
)
_requests = st.fixed_dictionaries(
    {"entity": st.just("a") | _anything, "events": st.lists(_event | _anything, max_size=4) | _anything},
    optional={
        "signed_up": st.just("2026-01-01") | _anything,
        "as_of": st.just("2026-01-09") | _anything,
        "traits": st.dictionaries(_texts, _anything, max_size=3) | _anything,
        "x": _anything,
    },
)


@examples(150, suppress=HealthCheck)
@given(raw=_requests | _anything)
def test_any_input_is_read_or_refused_with_a_message(raw):
    try:
        found = read_entity(raw, FREE, NOW)
    except InputError as error:
        fine = can_be_sent(error)
    else:
        fine = len(found.events) + sum(found.set_aside.values()) == len(raw["events"])
    assert fine
