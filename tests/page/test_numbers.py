import pytest

from pql_model.page import numbers

ESTIMATE = {"value": 0.314, "low": 0.262, "high": 0.361}


def test_a_rate_is_about_a_count_of_100():
    assert numbers.about(0.314) == "about 31 of 100"
    assert numbers.about(0.0031, 1000) == "about 3.1 of 1,000"


@pytest.mark.parametrize(
    ("rates", "per"), [([0.3, 0.001], 100), ([0.01], 100), ([0.0099, 0.002], 1000), ([], 100), ([None], 100)]
)
def test_the_page_counts_of_1000_only_where_all_rates_are_below_one_percent(rates, per):
    assert numbers.denominator(rates) == per


def test_counts_of_100_have_one_decimal_below_10_and_none_above_and_halves_go_up():
    rates = (0.0005, 0.0845, 0.0994, 0.0996, 0.3149, 0.315)
    assert [numbers.frequency(rate) for rate in rates] == ["0.1", "8.5", "9.9", "10", "31", "32"]


def test_extreme_rates_are_fewer_than_a_tenth_or_more_than_99():
    assert (numbers.frequency(0.0004), numbers.frequency(0.0), numbers.frequency(0.996), numbers.frequency(1.0)) == (
        "fewer than 0.1",
        "0",
        "more than 99",
        "100",
    )


def test_an_interval_is_written_as_numbers():
    assert numbers.interval(ESTIMATE) == "26 to 36"


def test_a_lower_end_of_0_prints_fewer_than_a_tenth():
    assert numbers.interval({"value": 0.01, "low": 0.0, "high": 0.05}) == "fewer than 0.1 to 5"
    assert numbers.interval({"value": 0.0, "low": 0.0, "high": 0.0004}) == "fewer than 0.1"


def test_converting_and_not_converting_add_up_to_100():
    for at in range(1001):
        shown = numbers.frequency(at / 1000)
        assert " " in shown or float(shown) + float(numbers.complement(at / 1000)) == 100


def test_percentages_have_one_decimal_below_10_and_none_above():
    assert [numbers.number(value) for value in (0.04, 5.16, 9.94, 9.96, 31.4, -2.34, 0)] == [
        "0",
        "5.2",
        "9.9",
        "10",
        "31",
        "-2.3",
        "0",
    ]


@pytest.mark.parametrize(
    ("qualified", "conversions", "base", "judged"),
    [(30, 5, None, True), (29, 29, None, False), (30, 4, None, False), (1000, 4, 0.06, True), (60, 4, 0.06, False)],
)
def test_rates_need_30_rows_and_5_conversions(qualified, conversions, base, judged):
    assert numbers.judgeable(qualified, conversions, base) is judged


def test_intervals_that_touch_overlap():
    assert numbers.overlap(ESTIMATE, {"low": 0.361, "high": 0.4})
    assert not numbers.overlap(ESTIMATE, {"low": 0.362, "high": 0.4})
    assert numbers.overlap(ESTIMATE, {"low": None, "high": None})


@pytest.mark.parametrize(
    "claim",
    [
        "Inviting drives conversion",
        "this causes it",
        "more boards led to paying",
        "It increases the rate",
        "the impact of it",
        "because they invited",
        "the odds are 3",
        "3 times more likely",
        "boards affected conversion",
    ],
)
def test_words_that_claim_a_cause_are_found(claim):
    assert numbers.forbidden(claim)


@pytest.mark.parametrize(
    "fair", ["goes with conversion", "is followed by it", "predicts it", "40 leads a week", "Causeway"]
)
def test_words_that_claim_no_cause_are_accepted(fair):
    assert numbers.forbidden(fair) == []


def test_a_rule_reads_as_one_phrase():
    assert numbers.join_criteria(["a"], "at_least_k", 1) == "a"
    assert numbers.join_criteria(["a", "b", "c"], "all") == "a, b and c"
    assert numbers.join_criteria(["a", "b", "c"], "at_least_k", 2) == "at least 2 of these 3: a; b; c"


def test_a_text_that_is_not_a_date_is_left_unchanged():
    assert (numbers.day("2026-12-24"), numbers.day("soon"), numbers.short_day("2026-12-24")) == (
        "24 Dec 2026",
        "soon",
        "24 Dec",
    )
