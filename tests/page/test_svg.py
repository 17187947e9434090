import pytest
from reading import read

from pql_model.page.svg import NARROW, WIDE, Scale, band_across, band_up, both_widths, dot, ends, picture, text, ticks


def test_a_picture_has_a_role_and_its_finding_as_title():
    svg = read(picture(100, 50, "a < b")).one("svg")

    assert (svg.attributes["role"], svg.one("title").text_content()) == ("img", "a < b")


def test_a_chart_is_drawn_in_a_wide_and_a_narrow_version():
    page = read(both_widths(lambda width: picture(width, 10, "x")))

    assert [svg.attributes["width"] for svg in page.all("svg")] == [str(WIDE), str(NARROW)]


@pytest.mark.parametrize(("value", "place"), [(-1, 10.0), (0, 10.0), (5, 15.0), (10, 20.0), (99, 20.0)])
def test_a_value_outside_the_scale_stays_in_the_picture(value, place):
    assert Scale(0, 10, 10, 20)(value) == place


def test_a_scale_of_one_value_does_not_divide_by_zero():
    assert Scale(3, 3, 0, 10)(3) == 5.0


@pytest.mark.parametrize("high", [0.001, 0.037, 0.31, 0.5, 1, 7, 33, 990, 0.0])
def test_ticks_reach_the_highest_value_with_few_marks(high):
    marks = ticks(high, 5)

    assert marks[0] == 0
    assert marks[-1] >= high
    assert 2 <= len(marks) <= 7


def test_the_darker_half_is_inside_the_band():
    (low, high), (inner_low, inner_high) = ends({"value": 0.3, "low": 0.2, "high": 0.5})

    assert low < inner_low < 0.3 < inner_high < high


def test_a_band_starts_and_ends_where_its_range_does():
    outer, inner = read(band_across({"value": 0.5, "low": 0.2, "high": 0.6}, Scale(0, 1, 0, 100), 10, "rule")).all(
        "rect"
    )

    assert (outer.attributes["x"], outer.attributes["width"]) == ("20", "40")
    assert float(inner.attributes["width"]) < 40
    upright = read(band_up({"value": 0.5, "low": 0.2, "high": 0.6}, 5, Scale(0, 1, 100, 0), "rule")).all("rect")[0]
    assert (upright.attributes["y"], upright.attributes["height"]) == ("40", "40")


def test_each_series_has_its_own_shape():
    assert [read(dot(5, 5, kind)).children[0].tag for kind in ("rule", "today", "all")] == ["circle", "path", "rect"]


def test_a_label_is_escaped():
    assert read(text(0, 0, "<img>")).one("text").text_content() == "<img>"
