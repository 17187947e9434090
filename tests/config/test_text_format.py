"""The encoding of a table, and the marks of its numbers."""

import pytest

from pql_model.config.load import parse_config
from pql_model.config.text_format import NumberMarks, marks_of
from pql_model.errors import ConfigError


def table_of(keys):
    return parse_config(
        f"name: x\nevents: [{{table: e.csv, event: y, columns: {{entity: a, time: t}}, {keys}}}]\n"
        "entities: {table: a.csv, columns: {entity: a, signed_up: s}}\n"
        "conversions: {table: c.csv, columns: {entity: a, time: t}}\nmotion: trial\n"
    ).events[0]


@pytest.mark.parametrize(
    ("keys", "marks"),
    [
        ("", None),
        ("decimal: '.'", NumberMarks(".", None)),
        ("decimal: ','", NumberMarks(",", None)),
        ("thousands: '.'", NumberMarks(",", ".")),
        ("thousands: ','", NumberMarks(".", ",")),
        ("decimal: ',', thousands: \"'\"", NumberMarks(",", "'")),
    ],
)
def test_marks_that_are_not_stated_follow_from_the_other(keys, marks):
    assert marks_of(table_of(keys)) == marks


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("decimal: ';'", r"`;` is not such a mark\. Allowed: '\.', ','"),
        ("thousands: 'x'", r"`x` is not such a mark\. Allowed: ',', '\.', ' ', \"'\""),
        ("decimal: ',', thousands: ','", r"`decimal` and `thousands` are the same mark\. Received: ','"),
        ("encoding: utf-80", r"`utf-80` is not an encoding"),
        ("decimals: ','", r"did you mean `decimal`"),
    ],
)
def test_invalid_keys_are_refused(keys, message):
    with pytest.raises(ConfigError, match=message):
        table_of(keys)


def test_encoding_is_written_in_one_spelling():
    assert table_of("encoding: Latin1").encoding == "iso8859-1"
