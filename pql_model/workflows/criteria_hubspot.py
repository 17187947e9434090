"""`pql criteria hubspot`: a definition as a draft of a HubSpot list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model.atomic import atomic_write_text
from pql_model.config.definition import Definition
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.criteria.definition_text import definition_json
from pql_model.criteria.hubspot_list import hubspot_list
from pql_model.errors import DataError
from pql_model.progress import Listener
from pql_model.workflows.criteria_sql import checked_definition


@dataclass(frozen=True)
class HubSpotDraft:
    """The draft of a list, and where it was written."""

    path: Path
    draft: dict[str, Any]
    definition: Definition

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `pql criteria hubspot --json` prints."""
        return {"output": str(self.path), **self.draft, "definition": definition_json(self.definition)}


def criteria_hubspot(
    config: Config | str | Path,
    *,
    output: str | Path | None = None,
    definition: Definition | str | Path | None = None,
    listener: Listener | None = None,
) -> HubSpotDraft:
    """Write a definition as a HubSpot list with the custom properties it reads. Nothing is sent.

    Parameters
    ----------
    config : Config or path
    output : path, optional
        A .json file; default: `hubspot_list.json` beside the config.
    definition : Definition or path, optional
        As of `criteria_sql`.
    listener : Listener, optional
        Receives progress.

    Raises
    ------
    DataError
        If the definition names what the tables lack, or cannot be written as a list; or if `output` is another kind of file.
    ModelNotFoundError
        If no definition is passed or in force, and there is no champion.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=100)
    >>> result = criteria_hubspot(folder / "pql.yaml")
    >>> [property["name"] for property in result.draft["properties"]["inputs"]]
    ['pql_board_created_count_first_14d']
    """
    config = config if isinstance(config, Config) else load_config(config)
    path = Path(output) if output is not None else config.home / "hubspot_list.json"
    if path.suffix != ".json":
        raise DataError("The draft of a list is JSON", received=path, allowed="a file name that ends in .json")
    chosen, _ = checked_definition(config, definition, listener)
    resolved = chosen.definition
    draft = hubspot_list(config, resolved)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(path, json.dumps(draft, ensure_ascii=False, indent=2) + "\n")
    return HubSpotDraft(path, draft, resolved)
