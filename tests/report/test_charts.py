from reading import read

from pql_model.report.charts import (
    Mark,
    Period,
    Point,
    calibration,
    curve,
    cut,
    dotplot,
    dots,
    futures,
    icons,
    over_time,
)

RANGE = {"value": 0.3, "low": 0.2, "high": 0.4}
NOTHING = {"value": None, "low": None, "high": None}


def test_the_interval_of_a_dot_is_written_beside_it():
    page = read(dots([("5 or more", [Mark(RANGE, "rule", "30 (20 to 40)")])], 100, "x", 720))

    assert {"5 or more", "30 (20 to 40)"} <= {text.text_content() for text in page.all("text")}
    assert len(page.all("circle")) == 1


def test_too_few_to_judge_gets_no_dot_and_no_band():
    page = read(
        dots([("rare", [Mark(NOTHING, "few", "3 of 11, too few"), Mark(RANGE, "few", "nobody")])], 100, "x", 320)
    )

    assert page.all("circle") + page.all("rect") == []


def test_a_long_label_stays_inside_the_picture():
    assert len(cut("x" * 500, 320)) < 50
    assert cut("short", 320) == "short"


def test_an_icon_array_has_a_square_per_person():
    yes, no = (read(icons(0.31, 100, "x")).one("path", class_=f"icon {kind}") for kind in ("yes", "no"))

    assert (yes.attributes["d"].count("M"), no.attributes["d"].count("M")) == (31, 69)
    assert read(icons(0.004, 1000, "x")).one("path", class_="icon yes").attributes["d"].count("M") == 4
    assert read(icons(0.0, 100, "x")).all("path", class_="icon yes") == []


def test_the_quantile_dots_follow_a_beta_binomial():
    values = futures(30, 100)

    assert len(values) == 50
    assert values == sorted(values)
    assert abs(sum(values) / 50 - 30.2) < 0.3  # mean of the posterior: 100 * 30.5 / 101
    assert values[-1] - values[0] > futures(3000, 10000)[-1] - futures(3000, 10000)[0]  # less data, wider
    assert futures(0, 1000)[:40] == [0] * 40


def test_a_dotplot_has_fifty_dots():
    assert len(read(dotplot(futures(30, 100), "x", "of 100", 720)).all("circle")) == 50
    assert len(read(dotplot([0] * 50, "x", "of 100", 320)).all("circle")) == 50


def test_unfinished_periods_are_hatched_and_have_no_dot():
    done = Period("1 Jan", True, RANGE, None, None)
    page = read(over_time([done, done, Period("15 Jan", False, RANGE, RANGE, RANGE)], 1, 100, "x", 720))

    assert len(page.all("circle")) == 2
    assert len(page.all("rect", class_="unfinished")) == 1
    assert "later" in {text.text_content() for text in page.all("text")}


def test_a_period_with_too_few_has_no_mark_of_the_rule():
    page = read(over_time([Period("1 Jan", True, None, None, RANGE)], 0, 100, "x", 320))

    assert page.all("circle") == []
    assert [rect.attributes["class"] for rect in page.all("rect")] == ["dot all"]


def test_both_rules_are_drawn_and_nothing_lies_beyond_the_scale():
    high = {"value": 0.9, "low": 0.7, "high": 0.99}
    page = read(over_time([Period("1 Jan", True, RANGE, high, RANGE)] * 3, 1, 100, "x", 720))

    assert len(page.all("circle", class_="dot rule")) == 3
    assert len(page.all("path", class_="dot today")) == 3
    assert all(float(box.attributes["y"]) > 26 for box in page.all("rect") if "band" in box.attributes["class"])


def test_the_marks_of_a_curve_stay_inside_it():
    page = read(curve([(1.0, RANGE), (9.0, RANGE)], [Point(5, RANGE, "today", "today")], 100, "x", "leads", 320))

    assert all(0 <= float(text.attributes["x"]) <= 320 for text in page.all("text"))
    assert "today" in {text.text_content() for text in page.all("text")}


def test_a_calibrated_group_lies_on_the_line():
    page = read(calibration([(0.3, RANGE), (0.1, NOTHING)], 100, "x", 720))
    line, circle = page.one("line", class_="line all dashed").attributes, page.one("circle").attributes
    share = (float(circle["cx"]) - float(line["x1"])) / (float(line["x2"]) - float(line["x1"]))

    assert abs(float(line["y1"]) + share * (float(line["y2"]) - float(line["y1"])) - float(circle["cy"])) < 0.2
