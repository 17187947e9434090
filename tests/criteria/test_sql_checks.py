"""What the SQL of a definition cannot repeat is refused before anything is written."""

from __future__ import annotations

import pytest
from configs_of_sql import config_of

from pql_model.config.definition import Definition
from pql_model.criteria.sql_checks import check_forms, check_lists, check_mapped
from pql_model.errors import DataError


def rule(*conditions):
    return Definition.model_validate({"all": conditions})


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"event": "Invited", "measure": "sum", "value": "mbs", "at_least": 1}, "reads the value `mbs`"),
        ({"event": "Invited", "share_of": "quota", "at_least": 0.5}, "names trait `quota`"),
        ({"trait": "quota", "at_least": 5}, "names trait `quota`"),
    ],
)
def test_a_definition_that_reads_what_is_not_mapped_is_refused(condition, message):
    config = config_of("trial")
    config = config.model_copy(update={"entities": config.entities.model_copy(update={"traits": ["seats"]})})
    with pytest.raises(DataError, match=message):
        check_mapped(
            config, rule({"event": "any", "at_least": 1}, {"any": [condition, {"trait": "seats", "at_least": 1}]})
        )


def test_changed_spellings_and_unreadable_lists_are_refused():
    config = config_of("trial")
    check_forms(config)
    check_lists(config, {})
    with pytest.raises(DataError, match=r"cannot repeat.*Received: `normalise`"):
        check_forms(config.model_copy(update={"normalise": ["case"]}))
    with pytest.raises(DataError, match="cannot read the lists of ids"):
        check_lists(config, {config.events[0].table: {"entity": "other"}})
