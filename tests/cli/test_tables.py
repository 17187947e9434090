import io

import pytest
from rich.console import Console
from rich.text import Text

from pql_model.cli.tables import bar, estimate, percent, percent_estimate, plain, print_table, say


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=40, color_system=None)


def lines(console):
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_text_from_the_data_is_never_markup_nor_a_control_character(console):
    say(console, "[bold]x", ("\x1b[31my", "red"), "\u202ez", gap=True)
    assert console.file.getvalue() == "\n[bold]x�[31my�z\n"


def test_joined_emoji_stay_whole():
    assert plain("👩‍🔬 naïve") == "👩‍🔬 naïve"


def test_columns_of_numbers_are_aligned_to_the_right_and_never_wrapped(console):
    rows = [["[b]a " * 20, "1,200", "0.5 (0.4 to 0.6)"], ["b", "-", "-"]]
    print_table(console, "T [x]", ["name", "rows", "ROC-AUC (95 % interval)"], rows)
    text = console.file.getvalue()
    assert text.startswith("\nT [x]")
    assert "0.5 (0.4 to 0.6)" in text
    assert max(map(len, text.splitlines())) <= 40
    assert next(line for line in text.splitlines() if line.startswith("b")).split() == ["b", "-", "-"]


def test_a_heading_is_not_broken_within_a_word(console):
    print_table(console, "", ["verdict", "name"], [["weak", "a " * 40]])
    assert "verdict" in console.file.getvalue()
    assert "name" in console.file.getvalue()


def test_a_table_without_rows_is_not_printed(console):
    print_table(console, "T", ["a"], [])
    assert console.file.getvalue() == ""


def test_styled_cells_are_kept_and_empty_headings_are_left_out(console):
    print_table(console, "", ["", ""], [[Text("✓", "green"), "x"]], gap=False)
    assert lines(console) == ["✓ x"]


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0.0%"), (0.0623, "6.2%"), (0.1, "10%"), (0.314, "31%"), (None, "-")]
)
def test_shares_have_one_decimal_below_ten_percent(share, text):
    assert percent(share) == text


def test_unknown_estimates_are_dashes():
    nothing = {"value": None, "low": None, "high": None}
    assert (estimate(nothing), estimate(None), percent_estimate(nothing)) == ("-", "-", "-")
    assert estimate({"value": 0.012, "low": 0.01, "high": 0.02}) == "0.0120 (0.0100 to 0.0200)"


def test_a_bar_is_as_long_as_its_share():
    assert (bar(0.5, 10).plain, bar(0.0, 10).plain) == ("█" * 5, "")
