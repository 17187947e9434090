from dataclasses import replace

import pytest
import yaml
from sketches import (
    ACTS,
    UUIDS,
    column,
    dates,
    epochs,
    ids,
    segment,
    subscriptions,
    table,
    times,
    workspaces,
)

from pql_model.config.load import parse_config
from pql_model.discovery.draft import draft_config
from pql_model.discovery.number_marks import Marks
from pql_model.errors import DataError


def users(*more, signed_up=None):
    return table("users.csv", column("user_id", ids("u_", 200)), column("signed_up", signed_up or times()), *more)


def paid(when=None):
    return table("paid.csv", column("user_id", ids("u_", 40)), column("paid_at", when or times(900)))


def log(*more):
    return table("log.csv", column("user_id", ids("u_", 50)), column("action", ACTS), column("ts", times()), *more)


def test_the_drafted_text_is_a_config():
    config = parse_config(draft_config("nimbus", [segment()], workspaces(), subscriptions()).text)
    assert (config.name, config.entity, config.motion, str(config.horizon)) == ("nimbus", "account", "trial", "30d")
    assert config.schedule.at_days == [3, 7, 14]
    events = config.events[0]
    assert events.table == "tracks.csv"
    assert events.columns.model_dump() == {
        "entity": "context_group_id",
        "time": "timestamp",
        "event": "event_text",
        "user": "user_id",
        "id": "id",
        "known_at": "received_at",
        "user_agent": "context_user_agent",
    }
    assert events.values == {"file_size_mb": "file_size_mb"}
    assert config.entities.columns.model_dump() == {"entity": "workspace", "signed_up": "created"}
    assert config.entities.traits == ["seats", "region"]
    assert config.conversions.columns.model_dump(exclude_none=True) == {
        "entity": "workspace",
        "time": "paid_at",
        "value": "mrr",
    }
    assert config.resolution == "instant"


def test_text_gives_the_reasons():
    text = draft_config("nimbus", [segment()], workspaces(), subscriptions()).text
    assert text.startswith("# Written by `pql init` from the data: every line is a guess")
    assert "  # tracks.csv: a log, one row per event; looks like an export of Segment\n" in text
    assert "      user: user_id                       # named like Segment's `user_id`\n" in text
    assert max(map(len, text.splitlines())) <= 120


def test_every_note_is_one_sentence():
    notes = draft_config("nimbus", [segment()], workspaces(), subscriptions()).notes
    assert len(set(notes)) == len(notes)
    assert all(note.endswith(".") and "\n" not in note for note in notes)
    assert (
        "`timestamp` is the time of events: named like Segment's `timestamp`, and all 200 samples are times." in notes
    )


USER = column("user_id", ids("u_", 50))
DISTINCT = column("distinct_id", ids("u_", 50))
NAMES = {name: column(name, ACTS) for name in ("event", "event_type", "event_name")}
EXPORTS = {
    "PostHog": (column("uuid", UUIDS), NAMES["event"], DISTINCT, column("timestamp", times())),
    "Mixpanel": (NAMES["event"], DISTINCT, column("time", epochs()), column("$insert_id", UUIDS)),
    "Amplitude": (NAMES["event_type"], USER, column("event_time", times()), column("amplitude_id", ["1", "2"])),
    "Snowplow": (NAMES["event_name"], USER, column("collector_tstamp", times()), column("event_id", UUIDS)),
    "GA4": (
        NAMES["event_name"],
        USER,
        column("user_pseudo_id", ids("p", 50)),
        column("event_timestamp", epochs(1_000_000)),
    ),
}


@pytest.mark.parametrize("export", EXPORTS)
def test_the_draft_of_each_export_is_a_config(export):
    draft = draft_config("x", [table("events.parquet", *EXPORTS[export])], users(), paid())
    config = parse_config(draft.text)
    assert f"looks like an export of {export}\n" in draft.text
    assert config.entity == "user"
    assert config.events[0].columns.event is not None


def test_each_shape_has_its_keys():
    lessons = table(
        "lessons.csv",
        column("user_id", ids("u_", 50)),
        column("date_watched", dates()),
        column("minutes", ["1.5", "20"]),
    )
    usage = table(
        "weekly.csv",
        USER,
        column("week", dates(9, 7)),
        column("ACTIONS_MAIL", ["0", "4"]),
        column("USERS_MAIL", ["0", "1"]),
        column("deals", ["0", "2"]),
    )
    draft = draft_config("x", [log(), lessons, usage], users(signed_up=dates()), paid())
    first, second, third = parse_config(draft.text).events
    assert first.columns.event == "action"
    assert (second.event, second.values) == ("lessons", {"minutes": "minutes"})
    assert (third.counts, third.users, str(third.covers)) == (
        {"mail": "ACTIONS_MAIL", "deals": "deals"},
        {"mail": "USERS_MAIL"},
        "7d",
    )
    assert any(note.startswith("lessons.csv: `date_watched` is the time of events: ") for note in draft.notes)


ODD = [
    'say "hi", it\'s: {odd}',
    "🚀 time: at",
    "- a list?",
    "# not a comment",
    "on",
    "2026-01-01",
    "two\nlines",
    "a, b]",
    "bell\a",
    "C:\\path\\n",
    "  spaces  ",
    "null",
    "日付",
    "~",
    "*anchor",
    "%20",
    "",
]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_quoted(name):
    events = table(
        f"{name}.csv",
        column("user_id", ids("u_", 50)),
        column("action", ACTS),
        column("ts", times()),
        column(name, ["1.5", "2.5"]),
    )
    draft = draft_config("x", [events], users(column(name, ["red", "blue"])), paid())
    config = parse_config(draft.text)
    assert config.events[0].table == f"{name}.csv"
    assert list(config.events[0].values.values()) == [name]
    assert config.entities.traits == [name]
    assert all("\n" not in note for note in draft.notes)


@pytest.mark.parametrize("name", ["🕐 at", "at", "when, it: was", 'the "time"', "time\nstamp"])
def test_odd_names_of_times_are_quoted(name):
    events = table("log.csv", column("user_id", ids("u_", 50)), column("action", ACTS), column(name, times()))
    assert parse_config(draft_config("x", [events], users(), paid()).text).events[0].columns.time == name


def test_names_of_values_do_not_collide():
    events = log(column("Size MB", ["1.5", "2.5"]), column("size_mb", ["1.5", "2.5"]))
    assert parse_config(draft_config("x", [events], users(), paid()).text).events[0].values == {
        "size_mb": "Size MB",
        "size_mb_2": "size_mb",
    }


@pytest.mark.parametrize(
    ("given", "name"),
    [("My Product!", "My-Product"), ("🚀", "my-product"), ("_a.b-c", "a.b-c"), ("", "my-product")],
)
def test_the_name_is_made_fit_for_a_model(given, name):
    assert parse_config(draft_config(given, [log()], users(), paid()).text).name == name


# ---------------------------------------------------------------- traits


def test_columns_that_are_not_traits_are_left_out_with_the_reason():
    entities = users(
        column("last_session_creation_time", epochs(), filled=0.7),
        column("seen", epochs()),
        column("org_id", ["1", "2"]),
        column("contact", [f"p{i}@example.com" for i in range(200)]),
        column("company_name", [f"Company {i}" for i in range(200)]),
        column("about", ["a sentence that goes on and on, longer than anybody would choose from a list of values"]),
        column("locale", ["en"]),
        column("fax", [], filled=0.0),
        column("country", ["de", "fr", "us"]),
        column("employees", ["3", "40", "500"]),
        column("plan", ["free", "pro"]),
    )
    draft = draft_config("x", [log()], entities, paid())
    assert parse_config(draft.text).entities.traits == ["country", "employees", "plan"]
    left_out = {
        "last_session_creation_time": "a date or time about the entity that may know the future",
        "seen": "a date or time about the entity that may know the future",
        "org_id": "looks like an identifier",
        "contact": "e-mail addresses",
        "company_name": "free text or a name: nearly every row has its own value",
        "about": "the same value everywhere",
        "locale": "the same value everywhere",
        "fax": "empty",
    }
    for name, why in left_out.items():
        assert f"  #   {name}: {why}\n" in draft.text
        assert f"`{name}` of users.csv is not used as a trait: {why}." in draft.notes
    assert "Trait `plan` of users.csv may contain the outcome: see the leakage audit of `pql check`." in draft.notes


def test_entities_without_traits_say_so():
    config = parse_config(draft_config("x", [log()], users(), paid()).text)
    assert config.entities.traits == []


# ---------------------------------------------------------------- motion and resolution


def test_without_a_sign_up_the_motion_is_freemium():
    entities = table("users.csv", column("user_id", ids("u_", 200)), column("country", ["de", "fr"]))
    draft = draft_config("x", [log()], entities, paid())
    config = parse_config(draft.text)
    assert config.motion == "freemium"
    assert (str(config.schedule.every), str(config.schedule.active_within)) == ("7d", "28d")
    assert "The motion is freemium, because there is no sign-up time." in draft.notes


def test_dates_beside_sign_ups_with_a_time_are_cut_to_days():
    draft = draft_config("x", [log()], users(), paid(when=dates()))
    assert parse_config(draft.text).resolution == "day"
    assert draft.notes[-1] == (
        "Times are cut to days (`resolution: day`): paid.csv has dates only while other times have a time of day, and a "
        "date counts as midnight, which is earlier than everything else that happened on that day."
    )


def test_times_that_are_all_dates_are_cut_to_days():
    events = table("log.csv", column("user_id", ids("u_", 50)), column("action", ACTS), column("ts", dates()))
    draft = draft_config("x", [events], users(signed_up=dates()), paid(when=dates()))
    assert parse_config(draft.text).resolution == "day"
    assert draft.notes[-1].startswith("Times are cut to days (`resolution: day`): all times are dates")


def test_sign_ups_that_are_dates_beside_events_with_a_time_are_cut_to_days():
    draft = draft_config("x", [log()], users(signed_up=dates()), paid())
    assert parse_config(draft.text).resolution == "day"
    assert "users.csv has dates only" in draft.notes[-1]


def test_times_of_day_everywhere_need_no_cut():
    assert parse_config(draft_config("x", [log()], users(), paid()).text).resolution == "instant"


# ---------------------------------------------------------------- which entity


def test_without_entities_the_conversions_decide_the_entity():
    events = log(column("account_id", ids("acc_", 9)))
    assert "entity: user_id  " in draft_config("x", [events], None, paid()).text


def test_tables_that_disagree_use_the_user():
    other = table("pages.csv", column("user_id", ids("u_", 50)), column("viewed_at", times()))
    draft = draft_config("x", [log(column("account_id", ids("acc_", 9))), other], None, None)
    assert draft.text.count("      entity: user_id  ") == 2
    assert "entity: user  " in draft.text


def test_a_lone_customer_may_be_a_person():
    events = table("log.csv", column("customer_id", ids("c", 50)), column("event", ACTS), column("at", times()))
    entities = table("customers.csv", column("customer_id", ids("c", 200)), column("created_at", times()))
    conversions = table("orders.csv", column("customer_id", ids("c", 30)), column("paid_at", times()))
    assert parse_config(draft_config("x", [events], entities, conversions).text).entity == "user"


# ---------------------------------------------------------------- what is missing


def test_missing_tables_are_commented_out_and_noted():
    draft = draft_config("x", [log()], None, None)
    assert set(yaml.safe_load(draft.text)) == {"name", "entity", "events", "motion", "snapshots", "horizon"}
    assert "# Missing: the entities that can convert," in draft.text
    assert "# entities:\n#   table: accounts.csv\n" in draft.text
    assert "# conversions:\n#   table: subscriptions.csv\n" in draft.text
    assert draft.notes[-2:] == (
        "There is no entities table: fill in `entities:` or run `pql init` again with `--entities FILE`.",
        "There is no conversions table: fill in `conversions:` or run `pql init` again with `--conversions FILE`.",
    )


def test_commented_blocks_are_valid_once_uncommented():
    text = draft_config("x", [log()], None, None).text
    keys = tuple(
        f"# {key}:" for key in ("entities", "conversions", "  table", "  columns", "definition", "  all", "policy")
    )
    lines = [line[2:] if line.startswith(keys) else line for line in text.splitlines()]
    config = parse_config("\n".join(lines))
    assert config.entities.columns.signed_up == "created_at"
    assert config.policy.capacity.leads == 50


def test_no_events_are_refused():
    with pytest.raises(DataError, match=r"There is no event table.*--events FILE"):
        draft_config("x", [], users(), paid())


def test_notes_say_how_texts_are_read_where_they_are_not_plain():
    plain = draft_config("x", [log()], users(), paid())
    written = replace(users(), encoding="cp1252", marks=Marks(",", ".", ("revenue",)))
    notes = draft_config("x", [log()], written, paid()).notes

    assert set(notes) - set(plain.notes) == {
        "users.csv is not UTF-8 and is read as cp1252: look whether its letters are right (`encoding:`).",
        "Numbers of users.csv such as those in `revenue` are read with the decimal mark `,` and the thousands mark `.`.",
    }
