import pytest
from sketches import (
    ACTS,
    AGENTS,
    SECONDS,
    SLUGS,
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

from pql_model.discovery.conversions import recognise_conversions
from pql_model.discovery.keys import EntityIds
from pql_model.discovery.recognise import entity_ids, recognise_entities, recognise_events
from pql_model.discovery.sketch import kind_of
from pql_model.errors import DataError


def known(file, name, samples, kind):
    """The ids of an entities table, as `entity_ids` finds them."""
    ids_column = column(name, list(samples))
    return EntityIds(table(file, ids_column), ids_column, kind)


# ---------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    ("samples", "name", "kind"),
    [
        (["2026-01-31", "2026-02-01"], "x", "date"),
        (["2026-01-31 00:00:00", "2026-02-01T00:00:00Z"], "x", "date"),
        (["2026-01-31 00:00", "2026-02-01 09:15"], "x", "time"),
        (["2026-01-31 09:15:00.123456 UTC"], "x", "time"),
        (["2026-01-31T09:15:00+02:00"], "x", "time"),
        (["2026-01-31T00:00:00+02:00"], "x", "time"),  # 22:00 UTC
        (["1398138810.0"], "last_session_creation_time", "time"),
        (["1767225601000"], "mp_processing_time_ms", "time"),
        (["1767225601000000"], "event_timestamp", "time"),
        (["1767225600"], "time", "date"),
        (["1767225601"], "employees", "number"),
        (["20260131"], "event_date", "date"),
        (["20260131"], "order_number", "number"),
        (["5.17", "10"], "exam_completion_time", "number"),
        (["true", "FALSE"], "x", "boolean"),
        (["0", "1"], "x", "number"),
        (["-1.5e3"], "x", "number"),
        (["31/01/2026"], "date", "text"),
        (["2026-02-30"], "date", "text"),
        (["2026"], "year", "number"),
        ([], "x", "text"),
        (["", " "], "x", "text"),
        (["nan and more"], "x", "text"),
    ],
)
def test_kind_of_a_column_follows_its_texts(samples, name, kind):
    assert kind_of(samples, name) == kind


def test_few_odd_values_do_not_change_the_kind():
    assert kind_of(["2026-01-31"] * 99 + ["unknown"]) == "date"
    assert kind_of(["2026-01-31"] * 9 + ["unknown"]) == "text"


# ---------------------------------------------------------------- exports


def test_segment_tracks_of_a_warehouse():
    guess = recognise_events(segment())
    assert guess.export == "Segment"
    assert guess.roles == {
        "entity": "context_group_id",
        "time": "timestamp",
        "known_at": "received_at",
        "user": "user_id",
        "event": "event_text",
        "id": "id",
        "user_agent": "context_user_agent",
    }
    assert guess.kind == "account"
    assert guess.values == {"file_size_mb": "file_size_mb"}
    assert (
        "`timestamp` is the time of events: named like Segment's `timestamp`, and all 200 samples are times."
        in guess.reasons
    )


def test_segment_as_json():
    guess = recognise_events(
        table(
            "segment/*.jsonl.gz",
            column("anonymousId", ids("anon-", 80)),
            column("event", ACTS),
            column("messageId", UUIDS),
            column("originalTimestamp", times(-1)),
            column("properties.minutes", SECONDS),
            column("receivedAt", times(2)),
            column("sentAt", times(1)),
            column("timestamp", times()),
            column("userId", ids("u_", 50), filled=0.8),
        )
    )
    assert guess.export == "Segment"
    assert guess.roles == {
        "entity": "userId",
        "time": "timestamp",
        "known_at": "receivedAt",
        "event": "event",
        "id": "messageId",
    }
    assert guess.kind == "user"
    assert guess.values == {"minutes": "properties.minutes"}


def posthog(*more):
    return table(
        "posthog.parquet",
        column("uuid", UUIDS),
        column("event", ["$pageview", "file uploaded"]),
        column("properties", ['{"$lib": "web"}', '{"$lib": "node"}']),
        column("distinct_id", ids("u_", 50)),
        column("team_id", ["17"]),
        column("timestamp", times()),
        column("created_at", times(1)),
        column("person_id", [f"018f-{i}" for i in range(50)]),
        *more,
    )


def test_posthog_without_groups():
    guess = recognise_events(posthog())
    assert guess.export == "PostHog"
    assert guess.roles == {
        "entity": "person_id",
        "time": "timestamp",
        "known_at": "created_at",
        "event": "event",
        "id": "uuid",
    }
    assert (guess.kind, guess.values) == ("user", {})


def test_posthog_with_groups_and_the_time_it_was_inserted():
    guess = recognise_events(posthog(column("$group_0", ids("acc_", 9)), column("inserted_at", times(3))))
    assert guess.roles["entity"] == "$group_0"
    assert guess.roles["user"] == "person_id"
    assert guess.roles["known_at"] == "inserted_at"
    assert guess.kind == "account"


def test_a_group_column_that_is_mostly_empty_is_not_the_entity():
    guess = recognise_events(posthog(column("$group_0", ids("acc_", 9), filled=0.1)))
    assert guess.roles["entity"] == "person_id"


@pytest.mark.parametrize("insert_id", ["$insert_id", "insert_id"])
def test_amplitude(insert_id):
    guess = recognise_events(
        table(
            "amplitude.json",
            column(insert_id, UUIDS),
            column("amplitude_id", [str(90_000_000 + i) for i in range(50)]),
            column("client_upload_time", times(1)),
            column("event_id", ["1", "2", "3"]),
            column("event_time", times()),
            column("event_type", SLUGS),
            column("location_lat", ["52.5", "48.1"]),
            column("server_received_time", times(2)),
            column("server_upload_time", times(3)),
            column("session_id", epochs(1000)),
            column("user_id", ids("u_", 50)),
        )
    )
    assert guess.export == "Amplitude"
    assert guess.roles == {
        "entity": "amplitude_id",
        "time": "event_time",
        "known_at": "server_upload_time",
        "event": "event_type",
        "id": insert_id,
    }
    assert guess.values == {}


def test_mixpanel_with_epoch_seconds():
    guess = recognise_events(
        table(
            "mixpanel.csv",
            column("event", ACTS),
            column("time", epochs()),
            column("distinct_id", ids("u_", 50)),
            column("$insert_id", UUIDS),
            column("mp_processing_time_ms", epochs(1000, 1)),
            column("$screen_height", ["900", "1080"]),
            column("pages", ["1", "4", "9"]),
        )
    )
    assert guess.export == "Mixpanel"
    assert guess.roles == {
        "entity": "distinct_id",
        "time": "time",
        "known_at": "mp_processing_time_ms",
        "event": "event",
        "id": "$insert_id",
    }
    assert guess.values == {"pages": "pages"}


def test_mixpanel_as_nested_json():
    guess = recognise_events(
        table(
            "export.jsonl",
            column("event", ACTS),
            column("properties.time", epochs()),
            column("properties.distinct_id", ids("u_", 50)),
            column("properties.$insert_id", UUIDS),
        )
    )
    assert guess.export == "Mixpanel"
    assert guess.roles == {
        "entity": "properties.distinct_id",
        "time": "properties.time",
        "event": "event",
        "id": "properties.$insert_id",
    }


def snowplow(load):
    return table(
        "atomic_events.parquet",
        column("app_id", ["web"]),
        column("collector_tstamp", times(1)),
        column("dvce_created_tstamp", times()),
        column("derived_tstamp", times()),
        column("etl_tstamp", times(2)),
        load,
        column("event", ["struct", "unstruct"]),
        column("event_id", UUIDS),
        column("event_name", SLUGS),
        column("user_id", ids("u_", 50)),
        column("domain_userid", ids("d_", 50)),
        column("br_viewheight", ["700", "900"]),
        column("useragent", AGENTS),
        column("se_value", ["1.5", "2"]),
    )


def test_snowplow():
    guess = recognise_events(snowplow(column("load_tstamp", times(30))))
    assert guess.export == "Snowplow"
    assert guess.roles == {
        "entity": "user_id",
        "time": "derived_tstamp",
        "known_at": "load_tstamp",
        "event": "event_name",
        "id": "event_id",
        "user_agent": "useragent",
    }
    assert guess.values == {"se_value": "se_value"}


def test_arrival_column_of_a_bulk_load_is_left_out():
    guess = recognise_events(snowplow(column("load_tstamp", ["2027-03-01 12:00:00"])))
    assert guess.roles["known_at"] == "collector_tstamp"
    assert any(
        reason.startswith("`load_tstamp` of atomic_events.parquet was left out as `known_at`")
        for reason in guess.reasons
    )


def test_ga4_in_bigquery_with_microseconds():
    guess = recognise_events(
        table(
            "events_*.parquet",
            column("event_date", ["20260131", "20260201"]),
            column("event_timestamp", epochs(1_000_000)),
            column("event_name", ["page_view", "sign_up", "first_visit"]),
            column("event_bundle_sequence_id", ["1", "2", "3"]),
            column("user_id", ids("u_", 9), filled=0.2),
            column("user_pseudo_id", [f"{i}.1767" for i in range(50)]),
            column("event_value_in_usd", ["1.5", "3"]),
        )
    )
    assert guess.export == "GA4"
    assert guess.roles == {"entity": "user_pseudo_id", "time": "event_timestamp", "event": "event_name"}
    assert guess.values == {"event_value_in_usd": "event_value_in_usd"}


@pytest.mark.parametrize("created", ["Created (UTC)", "Created date (UTC)"])
def test_stripe_charges(created):
    guess = recognise_conversions(
        table(
            "unified_payments.csv",
            column("id", ids("ch_", 200)),
            column(created, [when[:16] for when in times()]),
            column("Amount", ["49.00", "99.00"]),
            column("Amount Refunded", ["0.00"]),
            column("Status", ["Paid", "Failed"]),
            column("Customer ID", ids("cus_", 40)),
        )
    )
    assert guess.export == "Stripe charges"
    assert guess.roles == {
        "entity": "Customer ID",
        "time": created,
        "value": "Amount",
        "refunded": "Amount Refunded",
    }
    assert "Rows of unified_payments.csv count where `Status` is Paid: not counted: Failed (100 rows)." in guess.reasons


def test_stripe_subscriptions():
    guess = recognise_conversions(
        table(
            "subscriptions.csv",
            column("id", ids("sub_", 200)),
            column("Customer ID", ids("cus_", 60)),
            column("Plan", ["price_pro", "price_team"]),
            column("Status", ["active", "canceled"]),
            column("Created (UTC)", times()),
            column("Start Date (UTC)", times(1)),
            column("Current Period End (UTC)", times(99)),
            column("Canceled At (UTC)", times(99), filled=0.2),
            column("Amount", ["49.00", "99.00"]),
        )
    )
    assert guess.export == "Stripe subscriptions"
    assert guess.roles == {
        "entity": "Customer ID",
        "time": "Start Date (UTC)",
        "value": "Amount",
        "canceled": "Canceled At (UTC)",
    }
    assert guess.conditions == ()  # without a trial, a subscription that was cancelled later had been paid


# ---------------------------------------------------------------- conversions


@pytest.mark.parametrize("time", ["paid_at", "converted_at", "purchase_date", "date_purchased", "subscription_start"])
@pytest.mark.parametrize("entity", ["account_id", "customer_id"])
def test_a_plain_table_of_conversions(time, entity):
    guess = recognise_conversions(
        table(
            "paid.csv",
            column("invoice", ids("inv_", 200)),
            column(entity, ids("a", 90)),
            column("plan", ["pro", "team"]),
            column("signup_date", dates()),
            column("canceled_at", times(9000), filled=0.3),
            column(time, times()),
            column("amount", ["49", "99"]),
            column("mrr", ["49", "99"]),
        )
    )
    assert guess.roles == {"entity": entity, "time": time, "value": "mrr"}


def test_a_cancellation_is_not_a_conversion():
    with pytest.raises(DataError, match=r"No column of churn\.csv seems to hold the time of the conversion"):
        recognise_conversions(table("churn.csv", column("account_id", ids("a", 9)), column("canceled_at", times())))


# ---------------------------------------------------------------- shapes


def test_a_log_with_names_of_its_own():
    guess = recognise_events(
        table(
            "events.parquet",
            column("workspace", ids("acc_", 20)),
            column("person", ids("p_", 50)),
            column("action", ACTS),
            column("occurred", times()),
            column("insert_id", UUIDS),
            column("loaded_at", times(4)),
            column("size_mb", ["1.5", "20", "7"]),
            column("country", ["de", "fr"]),
        )
    )
    assert guess.export is None
    assert guess.roles == {
        "entity": "workspace",
        "time": "occurred",
        "known_at": "loaded_at",
        "user": "person",
        "event": "action",
        "id": "insert_id",
    }
    assert guess.values == {"size_mb": "size_mb"}
    assert guess.event is None
    assert guess.counts == {}


def test_a_column_called_at_is_the_time():
    guess = recognise_events(table("log.csv", column("who", ids("u", 9)), column("did", SLUGS), column("at", times())))
    assert guess.roles == {"entity": "who", "time": "at", "event": "did"}


def test_content_decides_without_known_names():
    guess = recognise_events(
        table(
            "x.csv", column("c1", ids("k", 50)), column("c2", ACTS), column("c3", times()), column("c4", ["a b", "c"])
        )
    )
    assert guess.roles == {"entity": "c1", "time": "c3", "event": "c2"}


def test_a_table_without_event_names_is_one_event_named_after_the_file():
    guess = recognise_events(
        table(
            "data/365_student_learning.csv.gz",
            column("student_id", [str(i) for i in range(258_700, 258_750)]),
            column("course_id", ["2", "7", "23"]),
            column("minutes_watched", ["0.3", "12.9"]),
            column("date_watched", dates()),
        )
    )
    assert guess.event == "365_student_learning"
    assert guess.roles == {"entity": "student_id", "time": "date_watched"}
    assert guess.values == {"minutes_watched": "minutes_watched"}


def test_an_event_is_never_called_any():
    guess = recognise_events(table("any.csv", column("user_id", ids("u", 9)), column("date", dates())))
    assert guess.event == "any_event"


def test_a_context_such_as_the_device_does_not_name_events():
    guess = recognise_events(
        table(
            "logins.csv", column("user_id", ids("u", 9)), column("at", times()), column("device", ["phone", "laptop"])
        )
    )
    assert guess.event == "logins"


def test_log_of_dates_with_other_ids_is_not_pre_counted():
    guess = recognise_events(
        table(
            "ratings.csv",
            column("student_id", [str(i) for i in range(500, 700)]),
            column("course_id", ["2", "7"]),
            column("stars", ["1", "5"]),
            column("votes", ["0", "12"]),
            column("date_rated", dates(200)),
        )
    )
    assert guess.event == "ratings"
    assert guess.values == {"stars": "stars", "votes": "votes"}


def weekly(step, name="week"):
    return table(
        "weekly_usage.csv",
        column("portal", [str(1000 + i % 40) for i in range(120)]),
        column(name, dates(12, step)),
        column("ACTIONS_EMAIL", ["0", "3", "17"]),
        column("USERS_EMAIL", ["0", "1", "2"]),
        column("ACTIONS_DEALS", ["0", "5"]),
        column("score", ["0.5", "1.5"]),
    )


def test_table_pre_counted_by_week():
    guess = recognise_events(weekly(7))
    assert guess.roles == {"entity": "portal", "time": "week"}
    assert guess.counts == {"email": "ACTIONS_EMAIL", "deals": "ACTIONS_DEALS"}
    assert guess.users == {"email": "USERS_EMAIL"}
    assert guess.covers == "7d"
    assert (guess.event, guess.values, guess.kind) == (None, {}, "account")


@pytest.mark.parametrize(("step", "name", "covers"), [(7, "period", "7d"), (1, "period", "1d"), (30, "month", "31d")])
def test_spacing_of_the_times_gives_the_period(step, name, covers):
    assert recognise_events(weekly(step, name)).covers == covers


def test_rows_unique_by_entity_and_date_are_pre_counted():
    pairs = [(f"u{i % 10}", day) for i, day in enumerate(day for day in dates(20) for _ in range(10))]
    guess = recognise_events(
        table(
            "usage.csv",
            column("user_id", [user for user, _ in pairs]),
            column("date", [day for _, day in pairs]),
            column("logins", ["0", "1", "2"]),
            column("exports", ["0", "4"]),
        )
    )
    assert guess.counts == {"logins": "logins", "exports": "exports"}
    assert guess.covers == "1d"


# ---------------------------------------------------------------- whose row it is


def log(*columns):
    return table("events.csv", *columns, column("event", ACTS), column("timestamp", times()))


def test_an_account_beside_a_user_is_the_entity():
    guess = recognise_events(log(column("user_id", ids("u_", 50)), column("account_id", ids("acc_", 9))))
    assert (guess.roles["entity"], guess.roles["user"], guess.kind) == ("account_id", "user_id", "account")


def test_ids_of_the_entities_decide_before_names():
    sketch = log(column("user_id", ids("u_", 50)), column("account_id", ids("acc_", 9)))
    guess = recognise_events(sketch, known("people.csv", "id", tuple(ids("u_", 200)), "user"))
    assert (guess.roles["entity"], guess.kind) == ("user_id", "user")
    assert "user" not in guess.roles
    assert guess.role_reasons["entity"] == "50 of its 50 different values are ids of people.csv, and named like a user"


def test_ids_identify_a_column_with_an_uninformative_name():
    sketch = log(column("user_id", ids("u_", 50)), column("ref_2", ids("acc_", 9)))
    guess = recognise_events(sketch, known("accounts.csv", "account_id", tuple(ids("acc_", 200)), "account"))
    assert (guess.roles["entity"], guess.roles["user"], guess.kind) == ("ref_2", "user_id", "account")


def test_whole_numbers_coincide_by_accident_so_names_count_first_for_them():
    sketch = log(column("course_id", ["1", "2", "3"]), column("user_id", [str(i) for i in range(5000, 5050)]))
    guess = recognise_events(sketch, known("users.csv", "user_id", tuple(str(i) for i in range(1, 201)), "user"))
    assert guess.roles["entity"] == "user_id"


def test_ids_written_as_floats_are_the_same_ids():
    sketch = log(column("who", ["12.0", "13.0"]))
    guess = recognise_events(sketch, known("users.csv", "id", ("12", "13", "14"), "user"))
    assert guess.role_reasons["entity"].startswith("2 of its 2 different values are ids of users.csv")


def test_missing_overlap_is_noted():
    guess = recognise_conversions(
        table("stripe.csv", column("Customer ID", ids("cus_", 40)), column("Created (UTC)", times())),
        known("accounts.csv", "account_id", tuple(ids("acc_", 200)), "account"),
    )
    assert guess.roles["entity"] == "Customer ID"
    assert guess.questions == (
        "Which column of stripe.csv identifies the entity? No value of `Customer ID` is one of `account_id` in accounts.csv.",
    )


# ---------------------------------------------------------------- entities


def test_a_table_of_entities():
    guess = recognise_entities(workspaces())
    assert guess.roles == {"entity": "workspace", "signed_up": "created"}
    assert guess.kind == "account"
    assert entity_ids(workspaces(), guess) == EntityIds(workspaces(), workspaces().column("workspace"), "account")


def test_a_user_table_with_an_organisation_is_about_users():
    guess = recognise_entities(
        table(
            "users.csv.gz",
            column("org_id", ["1", "2", "3"]),
            column("user_id", [str(i) for i in range(1, 201)]),
            column("creation_time", times()),
            column("last_session_creation_time", epochs(), filled=0.7),
            column("invited_by_user_id", ["5.0", "7.0"], filled=0.5),
        )
    )
    assert guess.roles == {"entity": "user_id", "signed_up": "creation_time"}
    assert guess.kind == "user"


def test_plain_id_takes_its_kind_from_the_file_name():
    guess = recognise_entities(table("accounts.csv", column("id", ids("a", 200)), column("owner", ids("b", 200))))
    assert (guess.roles, guess.kind) == ({"entity": "id"}, "account")
    assert guess.reasons[-1] == (
        "No column of accounts.csv seems to be the time of sign-up: every entity counts from the start."
    )


def test_unique_column_referred_to_by_others_is_the_id():
    entities = table("list.csv", column("user_id", ids("u_", 200)), column("account_id", ids("acc_", 200)))
    events = log(column("person", ids("u_", 50)))
    assert recognise_entities(entities, [events]).roles["entity"] == "user_id"


@pytest.mark.parametrize("name", ["last_login_at", "trial_end", "paid_at", "updated_at", "birthday"])
def test_other_times_are_not_the_sign_up(name):
    guess = recognise_entities(table("users.csv", column("user_id", ids("u", 200)), column(name, times())))
    assert "signed_up" not in guess.roles


# ---------------------------------------------------------------- refusals


def test_table_without_a_time_is_refused_with_a_fix():
    sketch = table("log.csv", column("user_id", ids("u", 9)), column("day", ["31/01/2026"]), column("event", ACTS))
    with pytest.raises(DataError, match=r"No column of log\.csv seems to hold the time") as caught:
        recognise_events(sketch)
    assert caught.value.received == "user_id, day, event"
    assert caught.value.remedy == (
        "rename the right column to `timestamp`, or write pql.yaml by hand with `events: columns: {time: COLUMN}`; "
        "times are 2026-06-30, 2026-06-30T12:00:00Z or epoch numbers; `day` holds `31/01/2026`, which cannot be read"
    )


def test_a_table_without_an_entity_is_refused():
    with pytest.raises(DataError, match=r"No column of log\.csv seems to hold the account or user of a row.*`user_id`"):
        recognise_events(table("log.csv", column("timestamp", times()), column("score", ["1.5", "2.5"])))


def test_a_table_of_entities_without_an_id_is_refused():
    with pytest.raises(DataError, match=r"No column of list\.csv seems to hold the id of the entities"):
        recognise_entities(table("list.csv", column("country", ["de", "fr"]), column("score", ["1.5"])))


def test_an_empty_table_is_refused():
    with pytest.raises(DataError, match=r"log\.csv has no rows"):
        recognise_events(table("log.csv", column("user_id", []), rows=0))


def test_conversions_of_the_same_product_are_recognised():
    who = recognise_entities(workspaces())
    guess = recognise_conversions(subscriptions(), entity_ids(workspaces(), who))
    assert guess.roles == {"entity": "workspace", "time": "paid_at", "value": "mrr"}
    assert guess.role_reasons["entity"] == (
        "40 of its 40 different values are ids of workspaces.csv, and named as in workspaces.csv"
    )


def test_a_sign_up_that_cannot_be_read_is_not_passed_over():
    with pytest.raises(DataError, match=r"time of sign-up.*`created_at` holds `13/02/2025`, which cannot be read"):
        recognise_entities(table("accounts.csv", column("id", ids("a", 200)), column("created_at", ["13/02/2025"])))
