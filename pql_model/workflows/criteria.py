"""`pql criteria test`: what came of the accounts that meet a rule, whoever brings it. Needs no model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pql_model.config.definition import Definition, unreadable
from pql_model.config.load import load_config, load_definition
from pql_model.config.schema import Config
from pql_model.criteria.definition_metrics import NOBODY, DefinitionMetrics, Outcomes, evaluate_definition
from pql_model.criteria.evaluate import check_names, definition_features, meets
from pql_model.criteria.feasibility import certainties, nobody_notes, trait_notes, window_notes
from pql_model.criteria.phrasing import definition_json, say_later, say_tested
from pql_model.criteria.rows import CriteriaRows, criteria_rows, periods
from pql_model.errors import ConfigError, Fault, NotEnoughDataError
from pql_model.features.catalogue import event_names
from pql_model.features.table import feature_table, trait_table
from pql_model.model.split import Split, out_of_time
from pql_model.progress import Listener, Stages
from pql_model.snapshots.labels import label_snapshots
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import Sources, read_sources
from pql_model.time import iso
from pql_model.workflows.prepare import trait_names


@dataclass(frozen=True)
class DefinitionTest:
    """A definition and what came of those who meet it.

    Attributes
    ----------
    definition
        What was tested.
    tested
        On all rows.
    earlier, later
        On the rows that `pql criteria list` searches, and on those that it tests on; None where the history is too short
        for both.
    met, outcomes
        Whether each row meets the definition, and the rows.
    rows
        What a row is, in words.
    text
        The result in a sentence or two.
    notes
        What to know about the definition, a sentence each.
    """

    definition: Definition
    tested: DefinitionMetrics
    earlier: DefinitionMetrics | None
    later: DefinitionMetrics | None
    met: np.ndarray
    outcomes: Outcomes
    rows: str
    text: str
    notes: tuple[str, ...]
    seconds: dict[str, float]

    @property
    def qualified(self) -> list[str]:
        """The entities that meet the definition in any row, sorted."""
        return sorted({str(entity) for entity in self.outcomes.entity[self.met]})

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql criteria test --json` prints."""
        return {
            "definition": definition_json(self.definition),
            "tested": self.tested.to_dict(),
            "later": self.later.to_dict() if self.later is not None else None,
            "earlier": self.earlier.to_dict() if self.earlier is not None else None,
            "rows": self.rows,
            "words": self.text,
            "notes": list(self.notes),
            "seconds": self.seconds,
        }


def test_criteria(
    config: Config | str | Path,
    definition: Definition | str | Path,
    *,
    listener: Listener | None = None,  # noqa: PT028
) -> DefinitionTest:
    """Test any definition on the data of a product.

    Parameters
    ----------
    config
        A config or the path of a `pql.yaml`.
    definition
        A definition, or a YAML file with one, bare or under the key `definition:`. Windows that the config does not list
        are computed all the same.
    listener
        Told about progress.

    Raises
    ------
    ConfigError, DataError
        If the config, the definition or the data cannot be used; also where it is certain beforehand that nobody or
        everybody meets a condition.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> from pql_model.config.definition import Definition
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=800)
    >>> rule = Definition.model_validate({"all": [{"event": "Teammate Invited", "at_least": 2, "within": "first 10d"}]})
    >>> result = test_criteria(folder / "pql.yaml", rule)
    >>> result.rows, result.tested.rate.value > result.tested.base.value
    ('as of day 14 of the trial', True)
    """
    config = config if isinstance(config, Config) else load_config(config)
    source = "the definition" if isinstance(definition, Definition) else Path(definition).name
    definition = definition if isinstance(definition, Definition) else load_definition(definition)
    stages = Stages(listener)
    with open_session() as con:
        with stages("read"):
            sources = read_sources(con, config)
            _refuse_unsound(definition, source, config, sources)
            traits = trait_names(list(dict.fromkeys(c.trait for c in definition.criteria if c.trait is not None)))
            notes = trait_notes(definition, trait_table(sources, traits))
        with stages("snapshots"):
            snapshots = label_snapshots(con, config, sources)
            split = _split(snapshots.frame, config)
            train = split.train if isinstance(split, Split) else np.ones(len(snapshots.frame), bool)
            rows = criteria_rows(snapshots.frame, train, config.motion, config.horizon)
            if isinstance(split, Split):
                split = periods(snapshots.frame, rows.keep, split, config.motion, config.horizon)
        with stages("features"):
            features = definition_features(definition)
            table = feature_table(sources, snapshots.table, features, traits, stages.listener.share)[rows.keep]
    outcomes = _outcomes(snapshots.frame[rows.keep], config)
    met = meets(definition, table)
    found = evaluate_definition(met, outcomes)
    earlier, later = _by_period(met, outcomes, split, rows)
    notes += _notes(definition, snapshots.frame[rows.keep], table, found)
    who = "snapshots" if rows.landmark_days is None else f"{config.entity}s"
    words = _words(found, later, split, who, config.horizon.text)
    return DefinitionTest(
        definition, found, earlier, later, met, outcomes, rows.text, words, tuple(notes), stages.seconds
    )


test_criteria.__test__ = False  # type: ignore[attr-defined]  # its name would make it a test to pytest


def _refuse_unsound(definition: Definition, source: str, config: Config, sources: Sources) -> None:
    """Names that the data do not have, and conditions that nobody or everybody meets, before anything is counted."""
    names = event_names(sources.events.table)
    check_names(definition, names, sources.entities.traits, source)
    values = [value for table in config.events for value in table.values]
    faults = [Fault("", sentence) for sentence in unreadable(definition, values, _has_signup(config))]
    faults += certainties(definition, len(names))
    if faults:
        raise ConfigError(source, faults)


def _split(frame: pd.DataFrame, config: Config) -> Split | NotEnoughDataError:
    """The split into training and test period, or why there is none."""
    try:
        return out_of_time(frame, config.horizon, config.motion)
    except NotEnoughDataError as lacking:
        return lacking


def _outcomes(frame: pd.DataFrame, config: Config) -> Outcomes:
    begins = frame["signed_up" if config.motion == "trial" else "as_of"]
    return Outcomes(
        frame["entity"].to_numpy(),
        frame["as_of"].to_numpy(np.int64),
        begins.to_numpy(np.int64),
        frame["converted"].to_numpy(bool),
    )


def _by_period(
    met: np.ndarray, outcomes: Outcomes, split: Split | NotEnoughDataError, rows: CriteriaRows
) -> tuple[DefinitionMetrics | None, DefinitionMetrics | None]:
    """On the rows of the earlier period, and on those of the later one."""
    if isinstance(split, NotEnoughDataError):
        return None, None
    early, late = split.train[rows.keep], split.test[rows.keep]
    return evaluate_definition(met[early], outcomes[early]), evaluate_definition(met[late], outcomes[late])


def _notes(definition: Definition, frame: pd.DataFrame, table: pd.DataFrame, found: DefinitionMetrics) -> list[str]:
    known = frame[frame["signed_up"].notna()]
    notes = window_notes(definition, known["signed_up"].to_numpy(np.int64), known["as_of"].to_numpy(np.int64))
    return [*notes, *(nobody_notes(definition, table) if found.note == NOBODY else [])]


def _words(
    found: DefinitionMetrics, later: DefinitionMetrics | None, split: Split | NotEnoughDataError, who: str, within: str
) -> str:
    said = say_tested(found, who, within)
    if found.note is not None:
        return said
    if later is None or isinstance(split, NotEnoughDataError):
        return f"{said} The history is too short for later figures to check it by."
    return f"{said} {say_later(later, iso(split.test_start)[:10])}"


def _has_signup(config: Config) -> bool:
    return config.entities.columns.signed_up is not None
