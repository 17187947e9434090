"""`pql criteria test`: the outcomes of the accounts that meet a definition. Needs no model."""

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
from pql_model.criteria.definition_text import definition_json
from pql_model.criteria.evaluate import check_names, definition_features, meets
from pql_model.criteria.feasibility import trait_notes, trivial_conditions, unmet_notes, window_notes
from pql_model.criteria.metrics_text import later_text, tested_text
from pql_model.criteria.rows import CriteriaRows, criteria_rows, criteria_split
from pql_model.errors import ConfigError, Fault, NotEnoughDataError
from pql_model.features.catalogue import event_names
from pql_model.features.table import feature_table, trait_table
from pql_model.model.split import Split, out_of_time
from pql_model.payload import select_attributes
from pql_model.progress import Listener, Stages
from pql_model.snapshots.labels import label_snapshots
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.read import Sources, read_sources
from pql_model.time import iso
from pql_model.workflows.prepare import trait_names


@dataclass(frozen=True)
class DefinitionTest:
    """The test of a definition.

    Attributes
    ----------
    definition : Definition
    tested : DefinitionMetrics
        On all rows.
    earlier, later : DefinitionMetrics or None
        On the rows that `pql criteria list` searches, and on the rows it tests on; None where the history is too short
        for both.
    met, outcomes : array of bool, Outcomes
        Whether each row meets the definition, and the outcomes of the rows.
    rows : str
        Description of a row.
    text : str
        The result in a sentence or two.
    notes : tuple of str
        Remarks on the definition, a sentence each.
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
        """Entities that meet the definition in any row, sorted."""
        return sorted({str(entity) for entity in self.outcomes.entity[self.met]})

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql criteria test --json` prints."""
        names = ("tested", "later", "earlier", "rows", "notes", "seconds")
        return {"definition": definition_json(self.definition), **select_attributes(self, *names, words="text")}


def test_criteria(
    config: Config | str | Path,
    definition: Definition | str | Path,
    *,
    listener: Listener | None = None,  # noqa: PT028
) -> DefinitionTest:
    """Test any definition on the data of a product.

    Parameters
    ----------
    config : Config or path
        A config, or the path of a `pql.yaml`.
    definition : Definition or path
        A definition, or a YAML file with one, bare or under the key `definition:`. It may use windows that the config
        does not list.
    listener : Listener, optional
        Receives progress.

    Returns
    -------
    DefinitionTest

    Raises
    ------
    ConfigError, DataError
        If the config, the definition or the data cannot be used, or if a condition can never or always hold.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> from pql_model.config.definition import Definition
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=800)
    >>> invited = {"event": "Teammate Invited", "at_least": 2, "within": "first 10d"}
    >>> result = test_criteria(folder / "pql.yaml", Definition.model_validate({"all": [invited]}))
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
            _check_definition(definition, source, config, sources)
            traits = trait_names(list(dict.fromkeys(trait for c in definition.criteria for trait in c.traits)))
            notes = trait_notes(definition, trait_table(sources, _of_entities(traits, sources)))
        with stages("snapshots"):
            snapshots = label_snapshots(con, config, sources)
            split = _split(snapshots.frame, config)
            train = split.train if isinstance(split, Split) else np.ones(len(snapshots.frame), bool)
            rows = criteria_rows(snapshots.frame, train, config.motion, config.horizon)
            if isinstance(split, Split):
                split = criteria_split(snapshots.frame, rows.keep, split, config.motion, config.horizon)
        with stages("features"):
            features = definition_features(definition)
            table = feature_table(sources, snapshots.table, features, traits, stages.listener.share)[rows.keep]
    outcomes = Outcomes.of_snapshots(snapshots.frame[rows.keep], config.motion)
    mask = meets(definition, table)
    metrics = evaluate_definition(mask, outcomes)
    earlier, later = _by_period(mask, outcomes, split, rows)
    notes += _notes(definition, snapshots.frame[rows.keep], table, metrics)
    unit = "snapshots" if rows.landmark_days is None else f"{config.entity}s"
    text = _text(metrics, later, split, unit, config.horizon.text)
    return DefinitionTest(
        definition, metrics, earlier, later, mask, outcomes, rows.text, text, tuple(notes), stages.seconds
    )


test_criteria.__test__ = False  # type: ignore[attr-defined]  # its name would make it a test to pytest


def _of_entities(traits: dict[str, str], sources: Sources) -> dict[str, str]:
    """Leave out dated columns, which are not columns of the entities."""
    return {trait: column for trait, column in traits.items() if trait in sources.entities.traits}


def _check_definition(definition: Definition, source: str, config: Config, sources: Sources) -> None:
    """Refuse unknown names and conditions that never or always hold, before anything is counted."""
    names = event_names(sources.events.table)
    check_names(definition, names, sources.traits, source)
    values = [value for table in config.events for value in table.values]
    has_signup = config.entities.columns.signed_up is not None
    faults = [Fault("", sentence) for sentence in unreadable(definition, values, has_signup)]
    faults += trivial_conditions(definition, len(names))
    if faults:
        raise ConfigError(source, faults)


def _split(frame: pd.DataFrame, config: Config) -> Split | NotEnoughDataError:
    """The split into training and test period, or why there is none."""
    try:
        return out_of_time(frame, config.horizon, config.motion)
    except NotEnoughDataError as lacking:
        return lacking


def _by_period(
    mask: np.ndarray, outcomes: Outcomes, split: Split | NotEnoughDataError, rows: CriteriaRows
) -> tuple[DefinitionMetrics | None, DefinitionMetrics | None]:
    """Figures of the earlier and of the later period."""
    if isinstance(split, NotEnoughDataError):
        return None, None
    early, late = split.train[rows.keep], split.test[rows.keep]
    return evaluate_definition(mask[early], outcomes[early]), evaluate_definition(mask[late], outcomes[late])


def _notes(definition: Definition, frame: pd.DataFrame, table: pd.DataFrame, metrics: DefinitionMetrics) -> list[str]:
    signed_up, as_of = frame.loc[frame["signed_up"].notna(), ["signed_up", "as_of"]].to_numpy(np.int64).T
    notes = window_notes(definition, signed_up, as_of)
    return [*notes, *(unmet_notes(definition, table) if metrics.note == NOBODY else [])]


def _text(
    metrics: DefinitionMetrics,
    later: DefinitionMetrics | None,
    split: Split | NotEnoughDataError,
    unit: str,
    horizon: str,
) -> str:
    sentence = tested_text(metrics, unit, horizon)
    if metrics.note is not None:
        return sentence
    if later is None or isinstance(split, NotEnoughDataError):
        return f"{sentence} The history is too short to check it on later {unit}."
    return f"{sentence} {later_text(later, iso(split.test_start)[:10])}"
