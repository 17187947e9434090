"""Today's list of leads: the rows of the last scoring run as one internal page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pql_model.config.instant import InstantLike, read_optional_instant
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.decide.decider import Decider
from pql_model.decide.rows import json_row
from pql_model.decide.score_file import read_score_file
from pql_model.decide.state import EntityState
from pql_model.decide.state_file import read_runs, state_path
from pql_model.errors import DataError
from pql_model.leads.lead import ListedLead, make_lead
from pql_model.leads.page import LeadList, render_leads
from pql_model.leads.sections import make_sections
from pql_model.page.document import write_page
from pql_model.progress import Listener, Stages
from pql_model.registry.tracking import RegisteredModel, Tracking
from pql_model.sources.aliases import read_aliases
from pql_model.sources.conversions import paid_since, read_conversions
from pql_model.sources.display_names import read_display_names
from pql_model.sources.duckdb_session import open_session
from pql_model.sources.entities import read_entities
from pql_model.sources.newest_event import read_newest_event
from pql_model.time import DAY, Duration, iso, now, to_instant

LEADS = "leads.html"


@dataclass(frozen=True)
class LeadsResult:
    """The path of the page, and how many rows each of its sections holds.

    Attributes
    ----------
    names
        The column that the names come from; None where the data have no obvious one.
    """

    path: Path
    leads: LeadList
    model: RegisteredModel
    names: str | None

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql leads --json` prints."""
        return {
            "output": str(self.path),
            "bytes": self.path.stat().st_size,
            "as_of": iso(self.leads.as_of),
            "rows": sum(self.leads.counts.values()),
            **self.leads.counts,
            "words": self.leads.headline,
            "note": self.leads.age,
            "names": self.names,
            "model": {"name": self.model.name, "version": self.model.version},
        }


def write_leads(
    config: Config | str | Path,
    *,
    output: str | Path | None = None,
    scores: str | Path | None = None,
    as_of: InstantLike | None = None,
    model: str = "champion",
    listener: Listener | None = None,
) -> LeadsResult:
    """Write today's list as one internal HTML page: whom to call, why, since when, and whom not to call.

    Parameters
    ----------
    output
        An HTML file; default: `leads.html` beside the config.
    scores
        A file of `pql score`; default: `scores.parquet` beside the config.
    as_of
        The instant of the scores, for the list of an earlier day. By default whoever has paid since is not to be called; scores
        that are more than a day older than the newest event are said to be old, and from the horizon on they are refused.
    model
        The model that must have made the scores: `champion`, `challenger` or a version number.

    Raises
    ------
    ModelNotFoundError
        If there is no such model.
    DataError
        If nothing has been scored yet, if the scores are older than the data or of another model, or if `output` is not an
        `.html` file.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> _ = pql_model.train(folder / "pql.yaml", trials=2)
    >>> _ = pql_model.score(folder / "pql.yaml", as_of="2025-11-20")
    >>> result = write_leads(folder / "pql.yaml", as_of="2025-11-20")
    >>> result.path.name, result.leads.counts["new"] > 0
    ('leads.html', True)
    """
    if output is not None and Path(output).suffix not in (".html", ".htm"):
        raise DataError("The list is an HTML file", received=output, allowed="a name that ends in .html")
    config = config if isinstance(config, Config) else load_config(config)
    path = Path(output) if output is not None else config.home / LEADS
    file = Path(scores) if scores is not None else config.home / "scores.parquet"
    requested = read_optional_instant(as_of)
    stages = Stages(listener)
    with stages("load scores"):
        rows = _read_scores(file)
        registered = _model_of(rows, Tracking(config), model)
        decider, level_error = Decider.of_facts(registered.model.facts), registered.model.level_error
    with open_session() as con, stages("read"):
        aliases = read_aliases(con, config)
        entities = read_entities(con, config, aliases)
        # not the whole log: features are not needed, only how far it reaches
        newest = read_newest_event(con, config, entities, aliases, now())
        instant = _instant_of(rows, newest, requested, config.horizon)
        conversions = read_conversions(con, config, entities, aliases)
        paid = paid_since(conversions, instant, now()) if requested is None else {}
        names = read_display_names(con, config, aliases)
    with stages("write"):
        states = _states_at(config, instant)

        def lead(row: Mapping[Any, Any]) -> ListedLead:
            entity = str(row["entity"])
            return make_lead(json_row(row), level_error, names.of.get(entity), states.get(entity), paid.get(entity))

        sections = make_sections(rows, decider.bands.names, level_error, lead, paid)
        leads = LeadList(
            product=config.name,
            entity=config.entity,
            as_of=instant,
            horizon=config.horizon.text,
            rule=decider.rule.text,
            model_version=registered.version,
            scores=file.name,
            bands=decider.bands.names,
            sections=sections,
            newest_event=newest if requested is None and newest - instant > DAY else None,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_page(path, render_leads(leads))
    return LeadsResult(path, leads, registered, names.column)


def _read_scores(file: Path) -> pd.DataFrame:
    """The scored rows, the highest probability first."""
    if not file.exists():
        raise DataError(
            "Nothing has been scored yet",
            received=f"no file {file}",
            remedy="run `pql score` first, or name its file with `--scores`",
        )
    try:
        rows = read_score_file(file)
        return rows.sort_values(["probability", "entity"], ascending=[False, True], ignore_index=True)
    except (OSError, ValueError, LookupError) as error:
        raise DataError(f"The scores cannot be read: {error}", received=file, remedy="run `pql score` again") from error


def _model_of(rows: pd.DataFrame, tracking: Tracking, name: str) -> RegisteredModel:
    """Load the model that made the scores; without a champion that is any model."""
    versions = sorted({str(version) for version in rows["model_version"]})
    if name == "champion" and tracking.champion() is None and len(versions) == 1:
        return tracking.load(versions[0])
    registered = tracking.load(name)
    if versions not in ([], [registered.version]):
        raise DataError(
            "The scores are of another model",
            received=f"scores of version {', '.join(versions)}; the {name} is version {registered.version}",
            remedy="run `pql score` again, or name the version with `--model`",
        )
    return registered


def _instant_of(rows: pd.DataFrame, newest: int, requested: int | None, horizon: Duration) -> int:
    """The instant of the scores; an old list would send sales to accounts that have moved on."""
    instants = sorted({to_instant(at) for at in rows["as_of"]})
    if not instants:
        return requested if requested is not None else newest
    oldest = instants[0]
    if requested is not None and instants != [requested]:
        raise DataError(
            "The scores are of another time",
            received=f"scores as of {iso(oldest)}; the list is for {iso(requested)}",
            remedy=f"run `pql score --as-of {iso(requested)}` first",
        )
    if requested is None and newest - oldest >= horizon.us:
        raise DataError(
            f"The scores are {(newest - oldest) // DAY:,} days older than the newest event: what they predicted for {horizon.text} "
            "is over",
            received=f"scores as of {iso(oldest)}; the newest event is of {iso(newest)}",
            remedy=f"run `pql score` again, or name their time with `--as-of {iso(oldest)}` for the list of that day",
        )
    return oldest


def _states_at(config: Config, instant: int) -> Mapping[str, EntityState]:
    """The entities after the run at this instant, if it is remembered."""
    runs = read_runs(state_path(config.home, config.name))
    return next((run.entities for run in runs if run.as_of == instant), {})
