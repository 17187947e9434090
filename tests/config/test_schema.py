"""The keys of `pql.yaml`: their defaults, and combinations that are refused."""

from __future__ import annotations

import pytest
from configs import EXAMPLE, SMALL, fault

from pql_model.config.load import dump_config, parse_config
from pql_model.errors import ConfigError


class TestDefaults:
    def test_missing_keys_have_defaults(self):
        config = parse_config(SMALL)

        assert (config.entity, config.connection, config.observed_until) == ("account", None, None)
        assert (config.schedule.at_days, str(config.horizon), config.seed) == ([3, 7, 14], "30d", 7)
        assert (config.exclude.bots, config.exclude.users, config.max_set_aside) == (True, [], 0.5)
        assert (config.definition, config.policy, config.entities.traits) == (None, None, None)

    def test_freemium_snapshots_default_to_weekly_while_active_in_four_weeks(self):
        schedule = parse_config(SMALL.replace("trial", "freemium")).schedule

        assert (str(schedule.every), str(schedule.active_within), schedule.at_days) == ("7d", "28d", None)

    def test_an_empty_key_counts_as_left_out(self):
        config = parse_config(SMALL + "definition:\npolicy:\nobserved_until:\nsnapshots:\n")

        assert (config.definition, config.policy, config.observed_until) == (None, None, None)
        assert config.schedule.at_days == [3, 7, 14]

    def test_landmark_days_are_sorted_and_named_once(self):
        assert parse_config(SMALL + "snapshots: {at_days: [14, 3, 7, 3]}").schedule.at_days == [3, 7, 14]


class TestValues:
    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("policy: {}", "a policy has exactly one of capacity, probability, precision, definition. Received: none"),
            (
                "policy: {probability: 0.2, precision: 0.3}",
                "a policy has exactly one of capacity, probability, precision, definition. Received: probability, precision",
            ),
            (
                "snapshots: {every: 7d}",
                "a trial has snapshots `at_days: [3, 7, 14]`; `every` and `active_within` are for freemium",
            ),
            ("snapshots: {at_days: [-1]}", "days since sign-up cannot be negative. Received: [-1]"),
            ("motion: paid", "given twice; keep one"),
        ],
    )
    def test_invalid_value_is_explained(self, line, message):
        with pytest.raises(ConfigError, match=r"pql\.yaml has") as caught:
            parse_config(SMALL + line + "\n")

        assert message in [fault.message for fault in caught.value.faults]

    def test_landmark_days_are_not_for_freemium(self):
        text = SMALL.replace("trial", "freemium") + "snapshots: {at_days: [3]}\n"

        assert fault(text) == "freemium has snapshots `{every: 7d, active_within: 28d}`; `at_days` is for a trial"


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


class TestDefinitionAgainstTheTables:
    def test_a_value_of_the_definition_must_be_mapped(self):
        text = SMALL.replace("time: c}}", "time: c}, values: {megabytes: mb}}")

        assert fault(text + "definition: {all: [{event: x, measure: sum, value: megabyte, at_least: 1}]}") == (
            "the definition reads the value `megabyte`, which no table has in `values`, did you mean `megabytes`?"
        )

    def test_a_first_window_needs_the_sign_up(self):
        text = SMALL.replace(", signed_up: s", "").replace("trial", "freemium")

        assert fault(text + "definition: {all: [{event: x, at_least: 1, within: first 7d}]}") == (
            "the definition uses `count` of window `first 7d`, which needs `entities.columns.signed_up`"
        )


class TestPolicy:
    def message(self, keys):
        return fault(SMALL + f"policy: {{{keys}}}\n")

    def test_missing_keys_have_defaults(self):
        policy = parse_config(SMALL + "policy: {definition: recommended}\n").policy

        assert policy.bands == {"high": 0.25, "medium": 0.1, "low": 0.03}
        assert (str(policy.cool_down), policy.stay, policy.hold_out) == ("14d", 0.8, 0.0)
        assert (policy.exclude, policy.hand_raise, policy.definition) == ({}, [], "recommended")

    def test_every_key_can_be_set(self):
        policy = parse_config(
            SMALL
            + "policy: {capacity: {leads: 5, per: 1d}, bands: {hot: 0.5}, exclude: {plan: [free, 3]}, cool_down: 1w, "
            "stay: 1, hold_out: 0.5, hand_raise: [{event: contact, at_least: 1}]}\n"
        ).policy

        assert (policy.bands, policy.exclude, str(policy.cool_down)) == ({"hot": 0.5}, {"plan": ["free", "3"]}, "7d")
        assert (policy.stay, policy.hold_out, policy.hand_raise[0].event) == (1, 0.5, "contact")

    @pytest.mark.parametrize("bands", ["{a: 0.1, b: 0.2}", "{a: 0.1, b: 0.1}", "{a: 1}", "{a: 1.5}", "{a: 0.2, b: 0}"])
    def test_bands_are_descending_probabilities(self, bands):
        message = self.message(f"probability: 0.2, bands: {bands}")

        assert message.startswith("bands are probabilities between 0 and 1, the highest first. Received: {'a'")

    def test_no_band_takes_the_name_of_the_lowest(self):
        assert self.message("probability: 0.2, bands: {very_low: 0.1}") == (
            "`very_low` is the band below the last one: leave it out"
        )

    @pytest.mark.parametrize(
        ("keys", "message"),
        [
            ("stay: 0", "input should be greater than 0. Received: 0"),
            ("stay: 1.1", "input should be less than or equal to 1. Received: 1.1"),
            ("hold_out: -0.1", "input should be greater than or equal to 0. Received: -0.1"),
            ("hold_out: 0.6", "input should be less than or equal to 0.5. Received: 0.6"),
            (
                "cool_down: soon",
                "`soon` is not a duration. Allowed: a whole number and a unit: 90s, 30m, 12h, 7d or 4w",
            ),
            ("definition: ours", "input should be 'recommended' or 'in_force'. Received: 'ours'"),
        ],
    )
    def test_a_value_out_of_its_range_is_refused(self, keys, message):
        ours = "" if keys.startswith("definition") else "probability: 0.2, "

        assert self.message(ours + keys) == message

    def test_in_force_needs_a_definition(self):
        assert self.message("definition: in_force") == (
            "`policy: {definition: in_force}` needs the rule in force under `definition:`"
        )

    def test_hand_raise_needs_mapped_values(self):
        assert self.message("probability: 0.2, hand_raise: [{event: x, measure: sum, value: mb, at_least: 1}]") == (
            "`policy: {hand_raise: ...}` reads the value `mb`, which no table has in `values`"
        )


class TestMonotone:
    def test_a_direction_is_one_of_two_words(self):
        assert fault(SMALL + "monotone: {x: up}") == ("input should be 'increasing' or 'decreasing'. Received: 'up'")

    def test_names_and_directions_are_kept_as_they_are(self):
        config = parse_config(SMALL + "monotone: {Teammate Invited: increasing, seats: decreasing}")

        assert config.monotone == {"Teammate Invited": "increasing", "seats": "decreasing"}
        assert parse_config(SMALL).monotone == {}


class TestScoreLog:
    def test_a_text_is_a_folder_and_a_table_is_named(self):
        assert parse_config(SMALL).score_log is None
        assert parse_config(SMALL + "score_log: score_log/").score_log.folder == "score_log/"
        config = parse_config(SMALL + "connection: sqlite:///shop.db\nscore_log: {table: pql_scores}")
        assert (config.score_log.folder, config.score_log.table) == (None, "pql_scores")
        assert parse_config(dump_config(config)) == config

    @pytest.mark.parametrize("given", ["{}", "''", "{folder: a, table: b}"])
    def test_score_log_is_a_folder_or_a_table(self, given):
        assert fault(SMALL + f"score_log: {given}") == (
            "needs a folder, `score_log: score_log/`, or a table, `score_log: {table: pql_scores}`"
        )

    @pytest.mark.parametrize("connection", ["", "connection: duckdb://\n"])
    def test_a_table_needs_a_connection(self, connection):
        assert fault(SMALL + connection + "score_log: {table: pql_scores}") == (
            "`score_log: {table: ...}` needs a `connection`; without one use a folder, `score_log: score_log/`"
        )
