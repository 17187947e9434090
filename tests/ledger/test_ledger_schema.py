import pyarrow as pa

from pql_model.ledger.schema import CAME, DONE, KEY, LEDGER_SCHEMA, MEANINGS, SAID, SOURCES, STAGES_SCHEMA


def test_the_columns_of_the_ledger_are_those_of_the_contract():
    text = (
        "entity as_of scored_at source model_name model_version feature_set probability score band is_pql usage fit "
        "newly_qualified suppressed meets_definition meets_in_force expected_value held_out sent_at contacted_at "
        "accepted_at rejected_at rejected_reason won_at owner known final converted converted_at value"
    )
    assert " ".join(LEDGER_SCHEMA.names) == text
    assert LEDGER_SCHEMA.names == [*SAID.names, *DONE.names, *CAME.names]


def test_every_instant_is_utc_in_microseconds():
    times = [field.name for field in [*LEDGER_SCHEMA, *STAGES_SCHEMA] if pa.types.is_timestamp(field.type)]

    assert times == [
        *("as_of", "scored_at", "sent_at", "contacted_at", "accepted_at", "rejected_at", "won_at", "converted_at"),
        "at",
    ]
    assert {str(LEDGER_SCHEMA.field(name).type) for name in times[:-1]} == {"timestamp[us, tz=UTC]"}


def test_the_key_is_never_null_and_outcomes_may_be():
    assert [name for name in KEY if LEDGER_SCHEMA.field(name).nullable] == []
    assert [field.name for field in CAME if field.nullable] == ["converted", "converted_at", "value"]


def test_each_meaning_of_feedback_has_its_instant():
    assert [f"{meaning}_at" in DONE.names for meaning in MEANINGS] == [True] * 4
    assert SOURCES == ("score", "service", "replayed")
