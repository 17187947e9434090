from worlds import at, opened, product

from pql_model.sources.value_timing import read_value_timing

LATER = at("2026-06-01")
PAID = [{"account": "a", "time": "2026-02-01T12:00:00"}]


def levels(home, events, conversions=PAID, until=LATER, names="abc"):
    accounts = [{"account": name, "signed_up": "2026-01-01"} for name in names]
    config = product(home, accounts, events, conversions, observed_until="2026-06-01")
    with opened(config) as (con, sources):
        return {(v.event, v.value, v.level): v for v in read_value_timing(con, config, sources, until)}


def row(account, day, event="login", **values):
    return {"account": account, "event": event, "time": f"2026-{day}T10:00:00", **values}


def test_each_number_of_a_value_with_few_of_them_is_a_level(tmp_path):
    events = [
        row("a", "01-05", plan=0),
        row("a", "01-30", plan=1),
        row("b", "01-05", plan=0),
        row("c", "01-05", plan=0),
    ]
    found = levels(tmp_path, events)
    free, paying = found["login", "plan", "= 0.0"], found["login", "plan", "= 1.0"]
    assert (free.did, free.did_convert, paying.did, paying.did_convert) == (3, 1, 1, 1)


def test_all_numbers_but_the_most_common_one_are_a_level(tmp_path):
    events = [row(name, "01-05", plan=0) for name in "abc"] + [row("a", "01-20", plan=29), row("a", "01-30", plan=99)]
    found = levels(tmp_path, events)["login", "plan", "other than 0.0"]
    assert (found.doers, found.did, found.did_convert) == (1, 1, 1)


def test_many_numbers_are_read_in_bins(tmp_path):
    events = [row("b", f"01-{day:02d}", size=day) for day in range(1, 29)] + [row("a", "01-30", size=1000)]
    found = levels(tmp_path, events)
    assert {level for _, _, level in found} == {f"above percentile {p}" for p in range(0, 100, 5)}
    top = found["login", "size", "above percentile 95"]
    assert (top.did, top.did_convert) == (2, 1)


def test_a_value_that_appears_after_the_conversion_is_counted_so(tmp_path):
    events = [row("a", "01-05", plan=0), row("a", "02-05", plan=1), row("b", "01-05", plan=0)]
    found = levels(tmp_path, events)["login", "plan", "= 1.0"]
    assert (found.doers, found.after, found.did) == (1, 1, 0)


def test_values_of_different_events_are_apart(tmp_path):
    events = [row("a", "01-05", size=1), row("a", "01-06", event="upload", size=5)]
    assert {event for event, _, _ in levels(tmp_path, events)} == {"login", "upload"}


def test_rows_after_the_end_are_not_read(tmp_path):
    events = [row("a", "01-05", plan=0), row("b", "03-05", plan=1)]
    assert set(levels(tmp_path, events, until=at("2026-02-10"))) == {("login", "plan", "= 0.0")}


def test_a_log_without_values_has_no_levels(tmp_path):
    assert levels(tmp_path, [row("a", "01-05"), row("b", "01-05")]) == {}
