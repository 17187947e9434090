"""The tables of `pql.yaml`."""

from __future__ import annotations

import pytest
from configs import EXAMPLE, SMALL, fault

from pql_model.config.load import parse_config


class TestShapesOfEvents:
    def message(self, table):
        return fault(SMALL.replace("{table: e.csv, columns: {entity: a, event: b, time: c}}", table))

    @pytest.mark.parametrize(
        ("table", "received"),
        [
            ("{table: e.csv, columns: {entity: a, time: c}}", "none"),
            ("{table: e.csv, event: x, columns: {entity: a, time: c, event: e}}", "columns.event, event"),
            ("{table: e.csv, event: x, counts: {y: Y}, covers: 7d, columns: {entity: a, time: c}}", "event, counts"),
        ],
    )
    def test_a_table_has_exactly_one_shape(self, table, received):
        assert self.message(table).endswith(f"Received: {received}")

    @pytest.mark.parametrize(("covers", "fits"), [("7d", True), ("24h", True), ("36h", False), ("12h", False)])
    def test_where_times_are_cut_to_days_counts_cover_whole_days(self, covers, fits):
        text = EXAMPLE.replace("covers: 7d", f"covers: {covers}") + "resolution: day\n"
        if fits:
            assert parse_config(text).resolution == "day"
        else:
            assert (
                fault(text)
                == f"`resolution: day` cuts times to days, but `covers: {covers}` is not a whole number of days"
            )

    def test_counts_need_the_period_they_cover(self):
        table = "{table: e.csv, counts: {y: Y}, columns: {entity: a, time: c}}"

        assert self.message(table) == (
            "a table with `counts` needs `covers`, the period a row sums up, such as `covers: 7d`"
        )

    def test_covers_and_users_are_for_counts_only(self):
        table = "{table: e.csv, event: x, covers: 7d, columns: {entity: a, time: c}}"

        assert self.message(table) == "`users` and `covers` belong to a table with `counts`"

    def test_users_name_events_that_are_counted(self):
        table = "{table: e.csv, counts: {y: Y}, users: {z: Z}, covers: 7d, columns: {entity: a, time: c}}"

        assert self.message(table) == "`users` names events that are not in `counts`: z"

    @pytest.mark.parametrize("table", ["event: any,", "counts: {any: Y}, covers: 7d,"])
    def test_no_event_is_called_any(self, table):
        message = self.message(f"{{table: e.csv, {table} columns: {{entity: a, time: c}}}}")

        assert message == "`any` stands for all events together and cannot name one"

    def test_values_that_differ_in_case_only_are_refused(self):
        message = self.message("{table: e.csv, event: x, values: {MB: a, mb: b}, columns: {entity: a, time: c}}")

        assert message == "`values` has both `MB` and `mb`: names must differ in more than case"
