"""The keys of `pql.yaml`: their defaults, and combinations that are refused."""

from __future__ import annotations

import pytest
from configs import SMALL, fault

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
                "a trial has snapshots `at_days: [3, 7, 14]`; `every`, `on` and `active_within` are for freemium",
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


class TestMonotone:
    def test_a_direction_is_one_of_two_words(self):
        assert fault(SMALL + "monotone: {x: up}") == ("input should be 'increasing' or 'decreasing'. Received: 'up'")

    def test_names_and_directions_are_kept_as_they_are(self):
        config = parse_config(SMALL + "monotone: {Teammate Invited: increasing, seats: decreasing}")

        assert config.monotone == {"Teammate Invited": "increasing", "seats": "decreasing"}
        assert parse_config(SMALL).monotone == {}


class TestScoreLog:
    def test_a_text_is_a_folder_and_a_table_is_named(self):
        assert parse_config(SMALL).score_log.folder == "score_log/"
        assert parse_config(SMALL + "score_log: score_log/").score_log.folder == "score_log/"
        config = parse_config(SMALL + "connection: sqlite:///shop.db\nscore_log: {table: pql_scores}")
        assert (config.score_log.folder, config.score_log.table) == (None, "pql_scores")
        assert parse_config(dump_config(config)) == config

    @pytest.mark.parametrize("given", ["false", "{enabled: false}"])
    def test_false_logs_nothing_and_stays_so_when_it_is_read_back(self, given):
        config = parse_config(SMALL + f"score_log: {given}")

        assert not config.score_log.enabled
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


class TestWeekdayOfSnapshots:
    FREE = SMALL.replace("motion: trial", "motion: freemium")

    @pytest.mark.parametrize("key", ["on", "'on'"])
    def test_the_key_is_read_although_yaml_sees_a_boolean(self, key):
        config = parse_config(self.FREE + f"snapshots: {{every: 14d, {key}: monday, active_within: 28d}}\n")

        assert config.schedule.on == "monday"
        assert parse_config(dump_config(config)) == config

    @pytest.mark.parametrize(
        ("snapshots", "message"),
        [
            (
                "{every: 10d, on: monday}",
                "`snapshots: {on: monday}` needs `every` in whole weeks, such as 7d. Received: 10d",
            ),
            ("{every: 7d, on: mondays}", "input should be 'monday', 'tuesday'"),
            ("{every: 7d, on: true}", "input should be 'monday', 'tuesday'"),
        ],
    )
    def test_it_needs_whole_weeks_and_a_weekday(self, snapshots, message):
        assert message in fault(self.FREE + f"snapshots: {snapshots}\n")

    def test_a_trial_has_no_weekday(self):
        assert "`on` and `active_within` are for freemium" in fault(SMALL + "snapshots: {at_days: [3], on: monday}\n")
