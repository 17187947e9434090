"""How deeply a YAML text is nested, found without recursion, so that no reader runs out of stack."""

from __future__ import annotations

import yaml

from pql_model.errors import ConfigError, Fault

MOST_LEVELS = 30
"""A definition of three levels under `definition:` in `pql.yaml` has nine."""


def refuse_depth(text: str, source: str) -> None:
    """Refuse a text that is nested deeper than anything that is allowed.

    Raises
    ------
    ConfigError
        With the line at which it becomes too deep.
    yaml.YAMLError
        If the text is not YAML.

    Examples
    --------
    >>> refuse_depth("all: [{event: login, at_least: 3}]", "rule.yaml")
    """
    level = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > MOST_LEVELS:
            line = event.start_mark.line + 1 if event.start_mark is not None else None
            raise ConfigError(source, [Fault("", f"nested too deeply: more than {MOST_LEVELS} levels", line)])
