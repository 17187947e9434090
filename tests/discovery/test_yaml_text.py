import pytest
import yaml

from pql_model.discovery.yaml_text import comment, line, scalars


@pytest.mark.parametrize("value", ["plain", "a: b", "# c", "on", "2026-01-01", "two\nlines", "[x]", "", "it's"])
def test_a_line_is_read_back(value):
    assert yaml.safe_load(line("key", value, "why: # not")) == {"key": value}


def test_a_long_reason_stands_above():
    above, pair = line("key", "value", "word " * 30).split("\n")[-2:]
    assert above.startswith("# ")
    assert pair == "key: value"


def test_long_comments_wrap():
    assert all(len(text) <= 120 for text in comment("word " * 100, "    "))


def test_flags_are_not_quoted():
    assert scalars(["true", "1", "no", "A, B"], flags=True) == "[true, 1, 'no', 'A, B']"
    assert scalars(["true"]) == "['true']"
