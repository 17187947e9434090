"""`pql.yaml` is read exactly, and all its errors are reported at once."""

from __future__ import annotations

import pytest
from configs import EXAMPLE, SMALL, fault, faults

from pql_model.config.definition import Criterion
from pql_model.config.load import dump_config, load_config, load_definition, parse_config
from pql_model.errors import ConfigError, DataError
from pql_model.time import DAY, EVER, Duration, Window, parse_instant


class TestWhatIsRight:
    def test_example_of_the_readme_is_read_exactly(self):
        config = parse_config(EXAMPLE)
        log, lessons, weekly = config.events

        assert (config.name, config.entity, config.connection) == ("nimbus-boards", "account", "duckdb://")
        assert log.columns.model_dump() == {
            "entity": "workspace",
            "user": "person",
            "event": "action",
            "time": "occurred",
            "id": "insert_id",
            "known_at": "loaded_at",
            "user_agent": None,
        }
        assert (log.table, log.values, log.covers) == ("events.parquet", {"megabytes": "size_mb"}, None)
        assert (lessons.event, lessons.values) == ("lesson_watched", {"minutes": "minutes_watched"})
        assert weekly.counts == {"email_sent": "ACTIONS_EMAIL", "deal_edited": "ACTIONS_DEALS"}
        assert (weekly.users, weekly.covers) == ({"email_sent": "USERS_EMAIL"}, Duration(7 * DAY))
        assert config.entities.columns.signed_up == "created"
        assert config.entities.traits == ["company_size", "email_kind", "region"]
        assert (config.conversions.table, config.conversions.columns.value) == ("subscriptions.csv", "mrr")
        assert (config.motion, config.schedule.at_days, config.horizon) == ("trial", [3, 7, 14], Duration(30 * DAY))
        assert [str(length) for length in config.windows.first] == ["1d", "7d", "14d"]
        assert [str(length) for length in config.windows.last] == ["1d", "7d", "14d", "28d"]
        assert config.observed_until == parse_instant("2026-06-30T00:00:00Z")
        assert config.exclude.model_dump() == {
            "entities": {"email_domain": ["acme.com"]},
            "users": ["u_internal_1"],
            "bots": True,
        }
        assert config.definition is not None
        assert config.definition.criteria == [
            Criterion(event="Teammate Invited", operator=">=", threshold=2, window=Window.parse("first 7d"))
        ]
        assert config.policy is not None
        assert config.policy.capacity is not None
        assert (config.policy.capacity.leads, config.policy.capacity.per, config.seed) == (50, Duration(7 * DAY), 7)

    def test_the_example_dumped_reads_back_as_the_same_config(self):
        config = parse_config(EXAMPLE)

        assert parse_config(dump_config(config)) == config

    def test_a_freemium_config_dumped_reads_back_as_the_same_config(self):
        text = SMALL.replace("trial", "freemium") + (
            "observed_until: 2026-06-30T12:30:00.000001Z\n"
            "definition:\n  at_least_k: 1\n"
            "  of: [{trait: size, in: [51-200]}, {event: any, measure: breadth, at_least: 3}]\n"
        )
        config = parse_config(text)

        assert parse_config(dump_config(config)) == config

    def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(self, tmp_path):
        path = tmp_path / "pql.yaml"
        path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())

        assert load_config(path).name == "shop"

    def test_relative_paths_start_from_the_folder_of_the_file(self, tmp_path):
        (tmp_path / "pql.yaml").write_text(SMALL)

        assert load_config(tmp_path / "pql.yaml").home == tmp_path


class TestWhatIsWrong:
    def test_errors_of_all_kinds_are_reported_at_once_with_their_lines(self):
        text = """\
name: shop
events:
  - table: e.csv
    event: login
    columns: {entity: a, event: b, time: c}
entities: {table: w.csv, columns: {entity: a}}
conversions: {table: c.csv, columns: {entity: a, time: t}}
motion: trial
horizon: 30 days
horizn: 3d
definition:
  all:
    - {event: login, measure: cuont, at_least: 2}
"""
        assert faults(text) == [
            ("events.0", 3),  # two shapes
            ("", 6),  # a trial without signed_up
            ("horizon", 9),  # a bad duration
            ("horizn", 10),  # an unknown key
            ("definition.all.0", 13),  # an unknown measure
        ]

    def test_missing_keys_do_not_hide_errors_of_the_whole_file(self):
        text = """\
events:
  - table: e.csv
    columns: {entity: a, event: b}
  - oops
  - {table: f.csv, columns: {entity: a, time: b}, foo: 1}
entities: {table: w.csv, columns: {entity: a}}
motion: trial
policy: {capacity: {leads: 5}, probability: 0.5}
definition: {all: [{event: any, measure: count}], any: [{trait: x}]}
"""
        assert faults(text) == [
            ("name", 1),
            ("conversions", 1),
            ("events.0.columns.time", 3),
            ("events.1", 4),
            ("events.2.foo", 5),
            ("events.2", 5),
            ("", 6),
            ("policy.capacity.per", 8),
            ("definition.all.0", 9),
            ("definition.any.0", 9),
        ]

    def test_errors_inside_lists_name_the_item(self):
        text = SMALL + (
            "snapshots: {at_days: [3, x]}\n"
            "windows: {first: [7d, nope], last: [1]}\n"
            "exclude: {users: [~], entities: {a: b}}\n"
        )
        assert faults(text) == [
            ("snapshots.at_days.1", 6),
            ("windows.first.1", 7),
            ("windows.last.0", 7),
            ("exclude.entities.a", 8),
            ("exclude.users", 8),
        ]

    def test_two_errors_of_the_whole_file_are_reported_together(self):
        text = SMALL.replace(", signed_up: s", "") + "snapshots: {every: 7d}\n"

        assert faults(text) == [("", 3), ("", 6)]

    def test_unknown_key_is_refused_with_the_nearest_and_all_allowed(self):
        text = SMALL.replace("signed_up: s", "signedup: s").replace("trial", "freemium")

        assert fault(text) == "unknown key `signedup`, did you mean `signed_up`? Allowed: entity, signed_up"

    def test_an_unknown_key_that_resembles_nothing_lists_what_is_allowed(self):
        assert fault(SMALL + "policy: {qq: 1, probability: 0.2}\n") == (
            "unknown key `qq`. Allowed: capacity, probability, precision, definition, bands, exclude, hand_raise, "
            "cool_down, stay, hold_out"
        )

    def test_the_short_forms_are_among_the_allowed_keys_of_a_condition(self):
        message = fault(SMALL + "definition: {all: [{event: login, at_leest: 2, at_least: 1}]}\n")

        assert message.startswith("unknown key `at_leest`, did you mean `at_least`?")

    def test_repeated_key_is_an_error_at_any_depth(self):
        text = SMALL + "name: other\nexclude:\n  bots: true\n  bots: false\n"

        assert faults(text) == [("name", 6), ("exclude.bots", 9)]

    @pytest.mark.parametrize(
        ("text", "received"),
        [("", "nothing"), ("# only a comment\n", "nothing"), ("- a\n", "list"), ("hello", "str")],
    )
    def test_file_that_is_not_a_mapping_is_refused(self, text, received):
        assert fault(text) == f"needs keys and values such as `name: my-product`. Received: {received}"

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("a:\n\t- b\n", r"line 2: not valid YAML"),
            ("name: {{ product }}\n", r"line 1: not valid YAML: found unhashable key"),
            (SMALL + "---\nname: b\n", r"line 6: not valid YAML"),
            ("a: &x [*x]\n", r"an alias refers to itself"),
            ("a: !!python/object/apply:os.system [ls]\n", r"line 1: not valid YAML"),
        ],
    )
    def test_broken_or_dangerous_yaml_is_an_error_with_its_line(self, text, problem):
        with pytest.raises(ConfigError, match=problem):
            parse_config(text)

    def test_binary_file_is_refused(self, tmp_path):
        (tmp_path / "pql.yaml").write_bytes(b"name: caf\xe9\n")

        with pytest.raises(ConfigError, match=r"pql\.yaml has 1 error:\n  - not UTF-8 text"):
            load_config(tmp_path / "pql.yaml")

    def test_a_missing_file_says_how_to_write_one(self, tmp_path):
        with pytest.raises(DataError, match=r"There is no config file.*pql init --events FILE"):
            load_config(tmp_path / "none.yaml")

    def test_a_column_called_on_must_be_quoted(self):
        assert "quote it. Received: True" in fault(SMALL.replace("time: c", "time: on"))


class TestDefinitionFiles:
    def test_definition_is_read_at_the_top_and_under_its_key(self, tmp_path):
        (tmp_path / "bare.yaml").write_text("any: [{event: login, at_least: 3}]\n")
        (tmp_path / "keyed.yaml").write_text("definition:\n  any: [{event: login, at_least: 3}]\n")
        bare, keyed = load_definition(tmp_path / "bare.yaml"), load_definition(tmp_path / "keyed.yaml")

        assert bare == keyed
        assert bare.criteria == [Criterion(event="login", operator=">=", threshold=3, window=EVER)]

    def test_siblings_of_the_definition_are_ignored_unless_they_are_another(self, tmp_path):
        text = "definition: {any: [{event: login, at_least: 3}]}\n"
        (tmp_path / "criteria.yaml").write_text(text + "found: today\n")
        (tmp_path / "two.yaml").write_text(text + "all: [{event: login, at_least: 3}]\n")

        assert load_definition(tmp_path / "criteria.yaml").criteria[0].threshold == 3
        with pytest.raises(ConfigError, match="unknown key `definition`"):
            load_definition(tmp_path / "two.yaml")

    def test_folder_is_not_a_definition_file(self, tmp_path):
        with pytest.raises(DataError, match=r"There is no definition file\. Received: .*, which is a folder"):
            load_definition(tmp_path)

    def test_errors_under_the_key_keep_their_line(self, tmp_path):
        (tmp_path / "d.yaml").write_text("definition:\n  any:\n    - {event: login, measure: sum, at_least: 3}\n")

        with pytest.raises(
            ConfigError, match=r"d\.yaml has 1 error:\n  - line 3: any\.0: measure `sum` needs `value:`"
        ):
            load_definition(tmp_path / "d.yaml")

    @pytest.mark.parametrize("text", ["definition:\n", "definition: [a]\n", "definition: login\n"])
    def test_definition_that_is_not_a_mapping_is_refused(self, tmp_path, text):
        (tmp_path / "d.yaml").write_text(text)

        with pytest.raises(ConfigError, match=r"d\.yaml has 1 error"):
            load_definition(tmp_path / "d.yaml")

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(DataError, match=r"There is no definition file\. Received: .*none\.yaml"):
            load_definition(tmp_path / "none.yaml")


def test_a_fault_inside_a_nested_definition_has_its_place_and_line(tmp_path):
    path = tmp_path / "rule.yaml"
    path.write_text(
        "any:\n  - {event: a, at_least: 1}\n  - all:\n      - {event: b, at_leest: 2}\n      - {trait: size, in: [x], operator: '>'}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match="has 2 errors") as caught:
        load_definition(path)
    text = str(caught.value)
    assert "line 4: any.1.all.0.at_leest: unknown key `at_leest`, did you mean `at_least`?" in text
    assert "line 5: any.1.all.1: trait `size` has `in` and `operator`" in text
    assert "criterion" not in text
