"""The charts of the page."""

from __future__ import annotations

from pages import realised

from pql_model.monitoring.charts import predicted_observed
from pql_model.page.svg import NARROW, WIDE


def test_each_month_has_an_interval_and_both_marks_at_both_widths():
    chart = str(predicted_observed(realised().months, "By <month>"))

    assert chart.count("<svg") == 2
    assert chart.count('class="band rule"') == 2 * 8
    assert chart.count('class="dot rule"') == chart.count('class="dot all"') == 2 * 8
    assert "<title>By &lt;month&gt;</title>" in chart
    assert f'width="{WIDE}"' in chart
    assert f'width="{NARROW}"' in chart


def test_a_higher_rate_is_drawn_higher():
    low, high = (str(predicted_observed(realised(rate).months[:1], "x")) for rate in (0.05, 0.11))
    assert low != high


def test_months_that_do_not_fit_have_no_label():
    chart = str(predicted_observed(realised().months, "x"))
    wide, narrow = chart.split('<div class="narrow">')
    assert wide.count("2026-") == 8
    assert narrow.count("2026-") < 8
