"""CSV and TSV: every line is a row or is counted, for all line ends, quotes, headers and encodings."""

from __future__ import annotations

import gzip

import pytest
from staging import put, read

from pql_model.errors import DataError
from pql_model.sources.delimited import MAX_LINE

ROWS = [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


class TestKinds:
    @pytest.mark.parametrize("name", ["t.csv", "t.txt", "t.csv.gz", "T.CSV", "T.CSV.GZ"])
    def test_extension_gives_the_format_in_any_case(self, tmp_path, name):
        assert read(tmp_path, put(tmp_path, name, "a,b\n1,2\n3,4\n")) == (ROWS, 0)

    @pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
    def test_header_gives_the_delimiter(self, tmp_path, delimiter):
        content = "a,b\n1,2\n3,4\n".replace(",", delimiter)

        assert read(tmp_path, put(tmp_path, "t.csv", content)) == (ROWS, 0)

    def test_a_tsv_is_split_at_tabs_even_if_its_header_has_commas(self, tmp_path):
        assert read(tmp_path, put(tmp_path, "t.tsv", "a\tb,c,d\n1\t2\n")) == ([{"a": "1", "b,c,d": "2"}], 0)

    def test_delimiter_inside_a_quoted_name_is_ignored(self, tmp_path):
        assert read(tmp_path, put(tmp_path, "t.csv", '"a, b, c";d\n1;2\n')) == ([{"a, b, c": "1", "d": "2"}], 0)

    def test_a_file_of_one_column_needs_no_delimiter(self, tmp_path):
        assert read(tmp_path, put(tmp_path, "t.csv", "a\n1\n3\n")) == ([{"a": "1"}, {"a": "3"}], 0)

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_every_line_end_is_accepted(self, tmp_path, end):
        assert read(tmp_path, put(tmp_path, "t.csv", "a,b\n1,2\n3,4\n".replace("\n", end))) == (ROWS, 0)

    def test_mixed_line_ends_are_accepted(self, tmp_path):
        assert read(tmp_path, put(tmp_path, "t.csv", "a,b\r\n1,2\n3,4\r\n")) == (ROWS, 0)

    def test_last_line_needs_no_end_and_empty_lines_are_skipped(self, tmp_path):
        assert read(tmp_path, put(tmp_path, "t.csv", "a,b\n1,2\n\n\n3,4")) == (ROWS, 0)

    def test_no_types_are_guessed(self, tmp_path):
        content = "id,flag,day,none\n007,true,2026-01-31,NULL\n"

        assert read(tmp_path, put(tmp_path, "t.csv", content)) == (
            [{"id": "007", "flag": "true", "day": "2026-01-31", "none": "NULL"}],
            0,
        )

    def test_empty_field_is_null_quoted_or_not(self, tmp_path):
        content = 'a,b\n"",2\n,3\n'

        assert read(tmp_path, put(tmp_path, "t.csv", content)) == ([{"a": None, "b": "2"}, {"a": None, "b": "3"}], 0)

    def test_quotes_delimiters_and_line_ends_are_allowed_inside_quotes(self, tmp_path):
        content = 'a,b\n"say ""hi"", now\nand here",2\n'

        assert read(tmp_path, put(tmp_path, "t.csv", content)) == ([{"a": 'say "hi", now\nand here', "b": "2"}], 0)

    def test_an_emoji_survives(self, tmp_path):
        assert read(tmp_path, put(tmp_path, "t.csv", "a\n🚀 launch\n")) == ([{"a": "🚀 launch"}], 0)


class TestHeaders:
    def test_reserved_words_are_names_like_any_other(self, tmp_path):
        content = 'at,order,select,group by,"a""b"\n1,2,3,4,5\n'

        assert read(tmp_path, put(tmp_path, "t.csv", content)) == (
            [{"at": "1", "order": "2", "select": "3", "group by": "4", 'a"b': "5"}],
            0,
        )

    def test_names_that_differ_in_case_only_are_two_columns(self, tmp_path):
        assert read(tmp_path, put(tmp_path, "t.csv", "Size,size\n1,2\n")) == ([{"Size": "1", "size": "2"}], 0)

    def test_repeated_column_name_is_refused(self, tmp_path):
        with pytest.raises(DataError, match=r"t\.csv has several columns with the same name: a"):
            read(tmp_path, put(tmp_path, "t.csv", "a,b,a\n1,2,3\n"))

    def test_unnamed_column_is_named_by_its_position(self, tmp_path):
        assert read(tmp_path, put(tmp_path, "t.csv", ",b,\n1,2,3\n")) == (
            [{"column_1": "1", "b": "2", "column_3": "3"}],
            0,
        )

    def test_spaces_around_a_name_are_trimmed(self, tmp_path):
        assert read(tmp_path, put(tmp_path, "t.csv", " a , b\n1,2\n3,4\n")) == (ROWS, 0)

    @pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
    def test_byte_order_mark_is_ignored(self, tmp_path, name):
        assert read(tmp_path, put(tmp_path, name, b"\xef\xbb\xbfa,b\n1,2\n3,4\n")) == (ROWS, 0)

    def test_a_name_may_run_over_two_lines(self, tmp_path):
        assert read(tmp_path, put(tmp_path, "t.csv", '"a\nz",b\n1,2\n')) == ([{"a\nz": "1", "b": "2"}], 0)

    @pytest.mark.parametrize("content", ["a,b\n", "a,b"])
    def test_a_header_alone_is_a_table_without_rows(self, tmp_path, content):
        assert read(tmp_path, put(tmp_path, "t.csv", content)) == ([], 0)

    @pytest.mark.parametrize("content", ["", "\n", " \n1,2\n"])
    def test_a_file_without_a_header_is_refused(self, tmp_path, content):
        with pytest.raises(DataError, match=r"t\.csv is empty"):
            read(tmp_path, put(tmp_path, "t.csv", content))

    @pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
    def test_other_encoding_is_refused(self, tmp_path, encoding):
        with pytest.raises(DataError, match=r"t\.csv is not UTF-8 text\. .*save it as UTF-8"):
            read(tmp_path, put(tmp_path, "t.csv", "größe,b\n1,2\n".encode(encoding)))

    def test_first_line_that_is_too_long_is_refused(self, tmp_path):
        with pytest.raises(DataError, match=r"The first line of t\.csv is too long for a header"):
            read(tmp_path, put(tmp_path, "t.csv", b"a" * (MAX_LINE + 1)))


class TestBrokenLines:
    @pytest.mark.parametrize(
        "line",
        [b"9", b"9,9,9", b'"9,9', b'"9"x,9', b'9,"9', b"\xff\xfe,9"],
        ids=[
            "missing field",
            "extra field",
            "open quote",
            "text after a quote",
            "open quote at the end",
            "invalid utf-8",
        ],
    )
    @pytest.mark.parametrize("place", ["first", "middle", "last"])
    def test_broken_line_is_counted_and_affects_no_other(self, tmp_path, line, place):
        lines = {"first": [line, b"1,2", b"3,4"], "middle": [b"1,2", line, b"3,4"], "last": [b"1,2", b"3,4", line]}
        content = b"\n".join([b"a,b", *lines[place], b""])

        assert read(tmp_path, put(tmp_path, "t.csv", content)) == (ROWS, 1)

    def test_all_kinds_of_broken_lines_together_are_counted_one_by_one(self, tmp_path):
        content = b'a,b\n1,2\n9\n"open,9\n9,9,9\n"open too,9\n\xff,9\n"9"x,9\n3,4\n9,"at the end\n'

        assert read(tmp_path, put(tmp_path, "t.csv", content)) == (ROWS, 7)

    def test_open_quotes_do_not_break_fields_that_run_over_lines(self, tmp_path):
        content = 'a,b\n"open,9\n"one\ntwo",2\n"three\nfour","five\nsix"\n3,4\n'

        assert read(tmp_path, put(tmp_path, "t.csv", content)) == (
            [{"a": "3", "b": "4"}, {"a": "one\ntwo", "b": "2"}, {"a": "three\nfour", "b": "five\nsix"}],
            1,
        )

    def test_open_quote_far_from_the_end_breaks_one_line_only(self, tmp_path):
        lines = [f"{i},{i}" for i in range(20_000)]
        lines.insert(5_000, '"open,1')
        lines.insert(12_000, '"open,2')
        rows, broken = read(tmp_path, put(tmp_path, "t.csv", "a,b\n" + "\n".join(lines) + "\n"))

        assert (len(rows), broken) == (20_000, 2)

    def test_overlong_line_is_counted_and_the_rest_is_read(self, tmp_path):
        content = b"a,b\n1,2\n" + b"x" * (MAX_LINE + 10) + b",9\n3,4\n"

        assert read(tmp_path, put(tmp_path, "t.csv", content)) == (ROWS, 1)

    def test_a_line_of_100_mb_hidden_in_a_small_gz_is_counted(self, tmp_path):
        with gzip.open(tmp_path / "t.csv.gz", "wb", compresslevel=1) as file:
            file.write(b"a,b\n1,2\n")
            for _ in range(100):
                file.write(b"x" * 2**20)
            file.write(b",9\n3,4\n")

        assert read(tmp_path, "t.csv.gz") == (ROWS, 1)

    def test_a_field_of_many_megabytes_is_read(self, tmp_path):
        rows, broken = read(tmp_path, put(tmp_path, "t.csv", "a,b\n1," + "x" * (20 * 2**20) + "\n"))

        assert ([len(str(row["b"])) for row in rows], broken) == ([20 * 2**20], 0)

    def test_broken_lines_of_several_files_are_added_up(self, tmp_path):
        put(tmp_path, "part/1.csv", "a,b\n1,2\n9\n")
        put(tmp_path, "part/2.csv", "a,b\n9\n9\n3,4\n")
        put(tmp_path, "part/3.csv.gz", "b,a\n9\n9,9,9\n")

        assert read(tmp_path, "part/*") == (ROWS, 5)


class TestSeveralFiles:
    def test_columns_are_matched_by_name_not_by_order(self, tmp_path):
        put(tmp_path, "part/1.csv", "a,b\n1,2\n")
        put(tmp_path, "part/2.csv.gz", "b,a\n4,3\n")

        assert read(tmp_path, "part/*.csv*") == (ROWS, 0)

    def test_a_column_that_some_files_lack_is_empty_there(self, tmp_path):
        put(tmp_path, "part/1.csv", "a,b\n1,2\n")
        put(tmp_path, "part/2.csv", "c;a\n5;3\n")

        assert read(tmp_path, "part/*.csv") == (
            [{"a": "1", "b": "2", "c": None}, {"a": "3", "b": None, "c": "5"}],
            0,
        )

    def test_damaged_file_does_not_affect_the_others(self, tmp_path):
        put(tmp_path, "part/1.csv", 'a,b\n"open,9\n1,2\n')
        put(tmp_path, "part/2.csv", "a,b\r\n3,4\r\n")

        assert read(tmp_path, "part/*.csv") == (ROWS, 1)


class TestDamage:
    def test_truncated_gz_is_refused(self, tmp_path):
        whole = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * 7919 % 100_003) for i in range(50_000)))
        (tmp_path / "t.csv.gz").write_bytes(whole[:-5000])

        with pytest.raises(DataError, match=r"t\.csv\.gz cannot be read: .*Fix: check that the file is complete"):
            read(tmp_path, "t.csv.gz")

    def test_a_gz_of_a_few_bytes_is_refused(self, tmp_path):
        (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n")[:14])

        with pytest.raises(DataError, match=r"t\.csv\.gz cannot be read"):
            read(tmp_path, "t.csv.gz")

    def test_a_gz_with_flipped_bits_is_refused(self, tmp_path):
        whole = bytearray(gzip.compress(b"a,b\n" + b"1,2\n" * 50))
        whole[12:18] = b"\xff" * 6
        (tmp_path / "t.csv.gz").write_bytes(bytes(whole))

        with pytest.raises(DataError, match=r"t\.csv\.gz"):
            read(tmp_path, "t.csv.gz")


class TestLinesBeforeTheHeader:
    GA = (
        "# ----------------------------------------\n# Events\n# Account: Acme, Inc. - GA4\n# Start date: 20260101\n"
        "# ----------------------------------------\n\n"
    )

    @pytest.mark.parametrize("before", ["sep=,\n", "sep=,\r\n", '"sep=,"\n', GA, GA.replace("\n", "\r\n")])
    def test_they_are_skipped(self, tmp_path, before):
        assert read(tmp_path, put(tmp_path, "t.csv", f"{before}a,b\n1,2\n3,4\n")) == (ROWS, 0)

    def test_a_stated_delimiter_holds_against_appearances(self, tmp_path):
        content = "sep=;\na;b\n1;2\n3;4\n"

        assert read(tmp_path, put(tmp_path, "t.csv", content)) == (ROWS, 0)
        assert read(tmp_path, put(tmp_path, "u.csv", "sep=;\na, b, c;d\n1;2\n")) == ([{"a, b, c": "1", "d": "2"}], 0)

    def test_byte_order_mark_before_it_is_accepted(self, tmp_path):
        assert read(tmp_path, put(tmp_path, "t.csv", b"\xef\xbb\xbfsep=;\r\na;b\r\n1;2\r\n3;4\r\n")) == (ROWS, 0)

    def test_a_header_may_start_with_the_mark_of_comments(self, tmp_path):
        assert read(tmp_path, put(tmp_path, "t.csv", "#,b\n1,2\n3,4\n")) == (
            [{"#": "1", "b": "2"}, {"#": "3", "b": "4"}],
            0,
        )

    def test_rows_may_start_with_it_too(self, tmp_path):
        assert read(tmp_path, put(tmp_path, "t.csv", "a,b\n#1,2\n# 3,4\n")) == (
            [{"a": "# 3", "b": "4"}, {"a": "#1", "b": "2"}],
            0,
        )

    def test_a_repaired_file_keeps_its_header(self, tmp_path):
        content = 'sep=;\na;b\n1;2\n"open;x\n' + "\n".join(f"{n};y" for n in range(5, 9)) + "\n"
        rows, broken = read(tmp_path, put(tmp_path, "t.csv", content))

        assert ([row["a"] for row in rows], broken) == (["1", "5", "6", "7", "8"], 1)


class TestQuotesWrittenWithABackslash:
    def test_they_are_read_where_that_loses_fewer_lines(self, tmp_path):
        content = 'a,b\n"he said \\"hi\\", ok",2\n"x",4\n"a \\\\ b",5\n'

        assert read(tmp_path, put(tmp_path, "t.csv", content)) == (
            [{"a": "a \\ b", "b": "5"}, {"a": 'he said "hi", ok', "b": "2"}, {"a": "x", "b": "4"}],
            0,
        )

    def test_a_backslash_at_the_end_of_a_text_is_a_backslash(self, tmp_path):
        content = 'a,b\n"C:\\",2\n"say ""hi""",4\n'

        assert read(tmp_path, put(tmp_path, "t.csv", content)) == (
            [{"a": "C:\\", "b": "2"}, {"a": 'say "hi"', "b": "4"}],
            0,
        )

    def test_a_broken_line_among_them_is_counted(self, tmp_path):
        content = 'a,b\n"say \\"hi\\"",2\n1\n"say \\"ho\\"",4\n'
        rows, broken = read(tmp_path, put(tmp_path, "t.csv", content))

        assert ([row["a"] for row in rows], broken) == (['say "hi"', 'say "ho"'], 1)
