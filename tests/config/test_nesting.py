import pytest

from pql_model.config.load import load_definition, parse_definition
from pql_model.config.nesting import MOST_LEVELS, refuse_depth
from pql_model.errors import ConfigError


def nested(levels):
    rule = {"event": "login", "at_least": 1}
    for _ in range(levels):
        rule = {"all": [rule]}
    return rule


@pytest.mark.parametrize("levels", [40, 120, 250])
def test_a_definition_that_is_nested_for_ever_is_an_error_and_not_a_crash(levels):
    with pytest.raises(ConfigError, match="nested too deeply"):
        parse_definition(nested(levels), "the definition")


def test_a_file_that_is_nested_for_ever_is_an_error_with_its_line(tmp_path):
    path = tmp_path / "rule.yaml"
    path.write_text("all:\n- " + "{all: [" * 3000 + "]}" * 3000)
    with pytest.raises(ConfigError, match="line 2: nested too deeply"):
        load_definition(path)


def test_what_is_allowed_is_not_too_deep():
    refuse_depth("[" * MOST_LEVELS + "]" * MOST_LEVELS, "x")
