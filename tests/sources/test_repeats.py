"""Rows alike in everything are shown and can be dropped; events that fire twice are noticed, and bursts are not."""

from __future__ import annotations

import random

import pytest
from staging import put, read_shop

HEADER = "account,person,action,at\n"


def log_of(seed, rows=600, unit=1, days=20):
    """Rows of random seconds of January 2026; `unit` is the resolution of the log in seconds."""
    dice = random.Random(seed)
    lines = []
    for _ in range(rows):
        second = dice.randrange(days * 86_400) // unit * unit
        day, rest = divmod(second, 86_400)
        clock = f"{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"
        lines.append(f"{dice.choice('abc')},u{dice.randrange(3)},login,2026-01-{day + 8:02}T{clock}Z")
    return lines


def warned(home, lines, header=HEADER, **keys):
    columns = {"entity": "account", "user": "person", "event": "action", "time": "at"}
    columns |= {"id": "id"} if "id" in header else {}
    read = read_shop(home, header + "".join(f"{line}\n" for line in lines), log={"columns": columns, **keys})
    found = [text for text in read.sources.warnings if "repeat another" in text or "sent twice" in text]
    return found, read


def test_overlapping_files_are_named_with_the_rows_they_share(tmp_path):
    lines = log_of(1)
    put(tmp_path, "part/1.csv", HEADER + "\n".join(lines[:400]) + "\n")
    put(tmp_path, "part/2.csv", HEADER + "\n".join(lines[300:]) + "\n")
    found, read = warned(tmp_path, lines[:0], table="part/*.csv")

    assert len(read.events) == 700
    assert (
        "100 of 700 rows of part/*.csv (14%) repeat another row in every column; 100 stand in both 1.csv and 2.csv."
        in found[0]
    )
    assert "`drop_repeats: true`" in found[0]


def test_dropped_repeats_are_counted_and_do_not_stop_the_run(tmp_path):
    lines = log_of(2, rows=100)
    found, read = warned(tmp_path, lines * 5, drop_repeats=True)

    assert found == []
    assert read.set_aside == {"repeated_row": 400}
    assert len(read.events) == 100
    assert read.sources.events.rows_read == 500


def test_rows_that_differ_in_a_column_that_is_not_mapped_are_not_repeats(tmp_path):
    lines = [f"{line},{place}" for place, line in enumerate(log_of(3, rows=50) * 2)]
    found, read = warned(tmp_path, lines, header=HEADER.replace("\n", ",page\n"), drop_repeats=True)

    assert len(read.events) == 100
    assert found == []


def test_second_copy_of_a_file_is_noticed_without_file_names(tmp_path):
    lines = log_of(4)

    assert "150 of 750 rows of events.csv (20%)" in warned(tmp_path, [*lines, *lines[:150]])[0][0]


@pytest.mark.parametrize(
    ("unit", "rows", "days"),
    [(1, 4000, 1), (60, 1500, 3), (3600, 600, 3), (86_400, 200, 10)],
    ids=["clicks of one second", "minutes", "hours", "dates"],
)
def test_equal_rows_that_chance_leaves_in_a_coarse_log_are_not_reported(tmp_path, unit, rows, days):
    assert warned(tmp_path, log_of(5, rows, unit, days))[0] == []


def test_events_sent_twice_under_new_ids_are_noticed(tmp_path):
    lines = log_of(6, rows=300)
    twice = [f"{line},{place}" for place, line in enumerate([*lines, *lines[:100]])]
    found, _ = warned(tmp_path, twice, header=HEADER.replace("\n", ",id\n"))

    assert len(found) == 1
    assert "`login` of events.csv was often sent twice: 32% of its events have a twin within a second" in found[0]


def test_bursts_and_single_events_with_ids_are_not_reported(tmp_path):
    dice = random.Random(7)
    bursts = []
    for line in log_of(7, rows=200):
        while True:
            bursts.append(f"{line},{len(bursts)}")
            if dice.random() > 0.4:
                break

    header = HEADER.replace("\n", ",id\n")
    assert warned(tmp_path, bursts, header=header)[0] == []
    assert warned(tmp_path, [f"{line},{n}" for n, line in enumerate(log_of(8))], header=header)[0] == []


PAYMENTS = "account,paid_at,mrr\n"


def payments_in_two_files(home, *refunds, **keys):
    """A charge of `a` that stands in both exports, one of `b`, and refunds."""
    put(home, "paid/1.csv", PAYMENTS + "a,2026-01-20,49\n")
    put(home, "paid/2.csv", PAYMENTS + "a,2026-01-20,49\nb,2026-01-21,49\n" + "".join(refunds))
    read = read_shop(home, buys={"table": "paid/*.csv", **keys})
    return read, [text for text in read.sources.warnings if "repeat another" in text]


def test_a_charge_in_two_files_outlives_its_refund_and_that_is_said(tmp_path):
    read, found = payments_in_two_files(tmp_path, "a,2026-01-22,-49\n")

    assert [row["entity"] for row in read.conversions] == ["a", "b"]
    assert found == [
        "1 of 4 rows of paid/*.csv (25%) repeat another row in every column; 1 stand in both 1.csv and 2.csv. A charge that "
        "stands twice is not taken back by one refund. Set `drop_repeats: true` for this table to count each once if they "
        "are one payment."
    ]


def test_a_charge_that_is_counted_once_is_taken_back(tmp_path):
    read, found = payments_in_two_files(tmp_path, "a,2026-01-22,-49\n", drop_repeats=True)

    assert ([row["entity"] for row in read.conversions], found) == (["b"], [])
    assert read.sources.conversions.rows == 4
    assert read.sources.conversions.set_aside == {"repeated_row": 1, "no_payment": 1, "refunded": 1}


def test_repeated_charges_without_refunds_change_nothing_and_are_not_mentioned(tmp_path):
    read, found = payments_in_two_files(tmp_path)

    assert ([row["entity"] for row in read.conversions], found) == (["a", "b"], [])
