"""JSON lines: one object per line is a row, every other line is counted."""

from __future__ import annotations

import json

import pytest
from staging import put, read, rows_of_raw

from pql_model.errors import DataError
from pql_model.sources.delimited import MAX_LINE
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.files import read_raw


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.json", "t.jsonl.gz", "T.JSONL.GZ"])
def test_the_keys_of_all_lines_together_are_the_columns(tmp_path, name):
    content = '{"b": "x", "a": 1}\n{"a": 2.5, "c": true}\n'

    assert read(tmp_path, put(tmp_path, name, content)) == (
        [{"a": "1", "b": "x", "c": None}, {"a": "2.5", "b": None, "c": "true"}],
        0,
    )


def test_missing_key_and_null_are_both_null(tmp_path):
    assert read(tmp_path, put(tmp_path, "t.jsonl", '{"a": null, "b": 1}\n{"b": 2}\n')) == (
        [{"a": None, "b": "1"}, {"a": None, "b": "2"}],
        0,
    )


def test_lines_that_are_not_objects_are_counted(tmp_path):
    content = b'{"a": 1}\nnope\n[1]\n"text"\n17\n{"a": 1}{"a": 2}\n{"a": \n{"a": "\xff"}\n\n  \n{"a": 2}\n'

    assert read(tmp_path, put(tmp_path, "t.jsonl", content)) == ([{"a": "1"}, {"a": "2"}], 7)


def test_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path):
    assert read(tmp_path, put(tmp_path, "t.jsonl", b'\xef\xbb\xbf{"a": 1}\r\n{"a": 2}\r\n')) == (
        [{"a": "1"}, {"a": "2"}],
        0,
    )


def test_overlong_line_is_counted_and_the_rest_is_read(tmp_path):
    content = b'{"a": 1}\n{"a": "' + b"x" * MAX_LINE + b'"}\n{"a": 2}\n'

    assert read(tmp_path, put(tmp_path, "t.jsonl", content)) == ([{"a": "1"}, {"a": "2"}], 1)


def test_keys_may_contain_any_character(tmp_path):
    content = '{"a\\"b": 1, "c.d": 2, "e/f": 3, "g~h": 4, "*": 5, "0": 6, "at": 7, "Time": 8, "time": 9, "🚀": 10}\n'

    assert read(tmp_path, put(tmp_path, "t.jsonl", content)) == (
        [
            {
                'a"b': "1",
                "c.d": "2",
                "e/f": "3",
                "g~h": "4",
                "*": "5",
                "0": "6",
                "at": "7",
                "Time": "8",
                "time": "9",
                "🚀": "10",
            }
        ],
        0,
    )


@pytest.mark.parametrize("content", ["", "\n\n", "nope\n", "[]", "[1, 2]\n"])
def test_file_without_objects_is_refused(tmp_path, content):
    with pytest.raises(
        DataError, match=r"t\.json has no JSON object\. Allowed: JSON lines, one object per line, or an array"
    ):
        read(tmp_path, put(tmp_path, "t.json", content))


def test_plain_and_zipped_files_are_read_together(tmp_path):
    put(tmp_path, "part/1.jsonl", '{"a": 1}\nnope\n')
    put(tmp_path, "part/2.jsonl.gz", '{"b": 2}\nnope\nnope\n')

    assert read(tmp_path, "part/*") == ([{"a": "1", "b": None}, {"a": None, "b": "2"}], 3)


def test_truncated_gz_file_is_refused(tmp_path):
    put(tmp_path, "t.jsonl.gz", "".join(f'{{"a": {i * 7919 % 100_003}}}\n' for i in range(20_000)))
    (tmp_path / "t.jsonl.gz").write_bytes((tmp_path / "t.jsonl.gz").read_bytes()[:-500])

    with pytest.raises(DataError, match=r"t\.jsonl\.gz cannot be read: .*complete"):
        read(tmp_path, "t.jsonl.gz")


class TestNested:
    def nested(self, tmp_path, content, name):
        with open_session("1GB") as con:
            raw = read_raw(con, put(tmp_path, "t.jsonl", content), tmp_path)
            column = raw.column(name, "events[0].values.size")
            return raw.table.select(result=column).order_by("result").to_pyarrow()["result"].to_pylist()

    def test_dot_reaches_into_an_object(self, tmp_path):
        content = '{"properties": {"size": 3, "file": {"kind": "pdf"}}}\n{"properties": null}\n'

        assert self.nested(tmp_path, content, "properties.size") == ["3", None]
        assert self.nested(tmp_path, content, "properties.file.kind") == ["pdf", None]

    def test_key_with_a_dot_takes_precedence_over_a_path(self, tmp_path):
        assert self.nested(tmp_path, '{"p.size": 1, "p": {"size": 2}}\n', "p.size") == ["1"]

    def test_path_goes_through_a_key_with_a_dot(self, tmp_path):
        assert self.nested(tmp_path, '{"p.q": {"size": 2}}\n', "p.q.size") == ["2"]

    def test_an_object_written_as_a_text_is_an_object(self, tmp_path):
        content = '{"properties": "{\\"size\\": 3}"}\n{"properties": "no json"}\n'

        assert self.nested(tmp_path, content, "properties.size") == ["3", None]

    def test_a_field_that_no_row_has_comes_with_the_nearest(self, tmp_path):
        expected = r"t\.jsonl has no column `p\.sise`, did you mean `p\.size`.*Allowed: p, p\.kind, p\.size"

        with pytest.raises(DataError, match=expected):
            self.nested(tmp_path, '{"p": {"size": 3}}\n{"p": {"kind": 3}}\n{"p": [1]}\n{"p": null}\n', "p.sise")

    def test_an_object_as_a_whole_is_its_text(self, tmp_path):
        with open_session("1GB") as con:
            raw = read_raw(con, put(tmp_path, "t.jsonl", '{"p": {"size": 3}}\n'), tmp_path)

            assert rows_of_raw(raw) == [{"p": '{"size":3}'}]


class TestOtherLayouts:
    @pytest.mark.parametrize("name", ["t.json", "t.json.gz", "t.jsonl"])
    @pytest.mark.parametrize(
        "content",
        [
            '[{"a": 1, "b": {"c": "x"}}, {"a": null}]',
            '\n\n[\n  {\n    "a": 1,\n    "b": {"c": "x"}\n  },\n  {\n    "a": null\n  }\n]\n',
            '{\n  "a": 1,\n  "b": {"c": "x"}\n}\n{\n  "a": null\n}\n',
        ],
    )
    def test_an_array_and_objects_over_several_lines_are_rows(self, tmp_path, name, content):
        rows, unread = read(tmp_path, put(tmp_path, name, content))

        assert ([row["a"] for row in rows], unread) == (["1", None], 0)
        assert '"c"' in str(rows[0]["b"])

    def test_members_of_an_array_that_are_no_objects_are_counted(self, tmp_path):
        assert read(tmp_path, put(tmp_path, "t.json", '[{"a": 1}, 7, null, [1], {"a": 2}]')) == (
            [{"a": "1"}, {"a": "2"}],
            3,
        )

    def test_arrays_and_lines_are_read_together(self, tmp_path):
        put(tmp_path, "part/1.json", '[{"a": 1}]')
        put(tmp_path, "part/2.json", '{"a": 2}\n')

        assert read(tmp_path, "part/*.json") == ([{"a": "1"}, {"a": "2"}], 0)

    def test_an_array_that_breaks_off_is_refused(self, tmp_path):
        with pytest.raises(DataError, match=r"t\.json cannot be read"):
            read(tmp_path, put(tmp_path, "t.json", '[{"a": 1}, {"a": '))

    @pytest.mark.parametrize("indent", [None, 2])
    def test_an_answer_of_an_api_is_refused_with_the_key_of_its_rows(self, tmp_path, indent):
        content = json.dumps({"count": 2, "events": [{"a": 1}, {"a": 2}]}, indent=indent)

        with pytest.raises(DataError, match=r"t\.json is a single object, which seems to hold the rows under `events`"):
            read(tmp_path, put(tmp_path, "t.json", content))
