"""A single text is read like a column of texts."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from staging import of_column

from pql_model.sources.casts import identifier, text
from pql_model.sources.scalars import BOT_USERS, MISSING_IDS, clean_text, is_bot, read_event_name, read_identifier

SPACES = ("", " ", "\t", "\n", "\v", "\f", "\r", "\x00", "\u00a0", "\u2003", "  \n")
CORES = ("", "a", "a b", "12", "12.0", "-3.000", "+3.0", "1.50", "0.0", ".0", "٣.0", "İ", "Null", "nan0", *MISSING_IDS)
PADDED = [before + core + after for core in CORES for before in SPACES for after in SPACES]
USERS = (
    "bot",
    "Bots",
    "robot-7",
    "my_bot",
    "abbot",
    "bottle",
    "bot@acme.com",
    "ann@bot.com",
    "ann@x-bot.com",
    "a b bot c",
    "acme-crawler",
    "acmecrawler",
    "uptimerobot",
    "health-check",
    "synthetic",
    "synthetics1",
    "é-bot",
    "BOT\n",
    "",
    "🤖 bot",
    "ıbot",
    "İbot",
    "spıder",
    "SPİDER",
    "ſbot",
    "roboTſ",
    "\u212abot",
    "\u212acrawler",
)


def batch(read, written):
    return of_column(pa.array(written, pa.string()), read)


@pytest.mark.parametrize(("plain", "column"), [(clean_text, text), (read_identifier, identifier)])
def test_spaces_and_missing_values_are_read_as_in_a_column(plain, column):
    assert dict(zip(PADDED, map(plain, PADDED), strict=True)) == dict(zip(PADDED, batch(column, PADDED), strict=True))


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.text(st.sampled_from("ab1.0-nulN \t\v\n\u00a0é"), max_size=6), min_size=120, max_size=120))
def test_any_text_is_read_as_in_a_column(written):
    assert list(map(clean_text, written)) == batch(text, written)
    assert list(map(read_identifier, written)) == batch(identifier, written)


def test_bots_are_recognised_as_in_a_column():
    judged = batch(lambda column: column.re_search(BOT_USERS).cast("string"), USERS)

    assert [str(is_bot(user)).lower() for user in USERS] == judged


def test_event_called_any_gets_another_name():
    assert read_event_name(" any ") == "any (event)"
    assert read_event_name("Any") == "Any"
    assert read_event_name(" ") is None
