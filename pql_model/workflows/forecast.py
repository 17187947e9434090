"""`pql forecast`: conversions and value of the weeks to come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model import time
from pql_model.atomic import atomic_write
from pql_model.config.instant import InstantLike, read_optional_instant
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.errors import DataError
from pql_model.evaluation.plots import plot_forecast
from pql_model.features.table import feature_table
from pql_model.model.artifact import FittedModel
from pql_model.monitoring.conversion_feed import missing_conversions
from pql_model.monitoring.finding import Finding
from pql_model.outlook.daily_history import History, read_history
from pql_model.outlook.methods import MethodComparison, compare_methods, scored_by_age
from pql_model.outlook.projection import Scored
from pql_model.outlook.weeks import Outlook, make_outlook
from pql_model.progress import Listener, Stages
from pql_model.registry.connection import has_store
from pql_model.registry.tracking import RegisteredModel, Tracking
from pql_model.snapshots.grid import scoring_grid
from pql_model.sources.coverage import newest_event
from pql_model.sources.data_end import refuse_after_end
from pql_model.sources.duckdb_session import Connection, open_session
from pql_model.sources.read import Sources, read_sources
from pql_model.time import DAY, WEEK
from pql_model.workflows.prepare import features_of, trait_names

WEEKS = 8
MOST_WEEKS = 26
_COMPARED_DATES = 8


@dataclass(frozen=True)
class ForecastResult:
    """Conversions and value to come, by week, and the same forecast checked at past dates.

    Attributes
    ----------
    model
        The model that scored those at risk; None without one that could.
    comparison
        Whether those at risk are forecast by the model or by their age, and why.
    scored
        Entities at risk now with a probability; None without a model.
    """

    as_of: int
    outlook: Outlook
    model: RegisteredModel | None
    comparison: MethodComparison
    at_risk: int
    scored: int | None
    plot: Path
    notes: tuple[str, ...]
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql forecast --json` prints."""
        outlook, worth = self.outlook, self.outlook.value
        total = outlook.total.to_dict()
        return {
            "as_of": time.iso(self.as_of),
            "until": total["to"],
            "conversions": total["conversions"],
            "of_those_at_risk": total["of_those_at_risk"],
            "of_those_still_to_sign_up": total["of_those_still_to_sign_up"],
            "sign_ups": total["sign_ups"],
            "value": total["value"],
            "value_per_conversion": worth.overall.to_dict(2) if worth is not None else None,
            "weeks": [week.to_dict() for week in outlook.weeks],
            "at_risk": {"entities": self.at_risk, "scored": self.scored, **self.comparison.to_dict()},
            "checked": {
                "dates": len(outlook.checked),
                "held": sum(date.held for date in outlook.checked),
                "of": [date.to_dict() for date in outlook.checked],
            },
            "past_weeks": [
                {"from": time.iso(start), "conversions": conversions} for start, conversions in outlook.past_weeks
            ],
            "model": {"name": self.model.name, "version": self.model.version} if self.model is not None else None,
            "files": {"plot": str(self.plot)},
            "notes": list(self.notes),
            "seconds": self.seconds,
        }


def forecast(
    config: Config | str | Path,
    *,
    as_of: InstantLike | None = None,
    weeks: int = WEEKS,
    model: str = "champion",
    output: str | Path | None = None,
    listener: Listener | None = None,
) -> ForecastResult:
    """Forecast conversions, and their value where it is mapped, of the weeks to come.

    Those at risk now convert as others of their age did, or as the model says where past dates show that this is nearer.
    Those still to sign up are expected from the newest weeks, their trend and the rhythm of the week. The intervals are as wide
    as the same forecast was off at past dates. Nothing that was not known at `as_of` is used.

    Parameters
    ----------
    as_of
        Where the forecast begins; default: the newest event in the data.
    weeks
        How many weeks, from 1 to 26.
    model
        `champion`, `challenger` or a version number. Without a champion the forecast needs no model.
    output
        A `.png` file for the plot; default `forecast.png` beside the config.

    Raises
    ------
    DataError
        If `as_of` lies after the end of the data, or `weeks` is out of range.
    NotEnoughDataError
        If nobody had signed up, or converted, by then.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=1200)
    >>> result = forecast(folder / "pql.yaml", as_of="2025-11-20", weeks=4)
    >>> conversions = result.outlook.total.conversions
    >>> len(result.outlook.weeks), conversions.low <= conversions.value <= conversions.high
    (4, True)
    """
    config = config if isinstance(config, Config) else load_config(config)
    path = Path(output) if output is not None else config.home / "forecast.png"
    if path.suffix != ".png":
        raise DataError("The plot is written as png", received=path, allowed="a file name that ends in .png")
    if not 1 <= weeks <= MOST_WEEKS:
        raise DataError("Too few or too many weeks to forecast", received=weeks, allowed=f"1 to {MOST_WEEKS}")
    requested = read_optional_instant(as_of)
    stages = Stages(listener)
    with stages("load model"):
        registered = _model(config, model)
    with open_session() as con:
        with stages("read"):
            sources = read_sources(con, config)
            instant = _instant(sources, requested)
            history = read_history(sources, instant)
            missing = missing_conversions(sources, config, instant)
        with stages("score"):
            now, past = _scored(con, config, sources, registered, history)
    with stages("forecast"):
        comparison = compare_methods(history.cohorts, past)
        outlook = make_outlook(history, weeks, now if comparison.method == "model" else None)
        path.parent.mkdir(parents=True, exist_ok=True)
        notes = tuple(_notes(history, outlook, registered, now, comparison, weeks, missing))
        result = ForecastResult(
            instant,
            outlook,
            registered if now is not None else None,
            comparison,
            int(history.cohorts.at_risk.sum()),
            int(now.entities.sum()) if now is not None else None,
            path,
            notes,
            stages.seconds,
        )
        atomic_write(path, lambda at: plot_forecast(result.to_dict(), at))
    return result


def _model(config: Config, name: str) -> RegisteredModel | None:
    """The model; a product without a champion needs none."""
    if name != "champion":
        return Tracking(config).load(name)
    return Tracking(config).load_if_registered() if has_store(config) else None


def _instant(sources: Sources, requested: int | None) -> int:
    if requested is None:
        return newest_event(sources.events.table)
    refuse_after_end(requested, sources.observed_until, "A forecast begins")
    return requested


def _scored(
    con: Connection, config: Config, sources: Sources, registered: RegisteredModel | None, history: History
) -> tuple[Scored | None, list[tuple[int, Scored]]]:
    """What a model that had not seen the outcomes says of those at risk, now and at past dates by day."""
    horizon_days = -(-config.horizon.us // DAY)
    if registered is None:
        return None, []
    tested, days = registered.model.held_back, history.cohorts.days
    first = history.as_of - horizon_days * DAY
    until = tested.learnt_until
    dates = range(first, until - 1, -WEEK) if until is not None else range(0)
    model = _model_at(registered.model, history.as_of)
    past = [day for at in dates if (day := days - (history.as_of - at) // DAY) > 0]
    chosen = past[:: -(-len(past) // _COMPARED_DATES)] if past else []
    instants = [history.as_of - (days - day) * DAY for day in chosen]
    scored = _score(con, config, sources, tested, instants, history, horizon_days)
    now = _score(con, config, sources, model, [history.as_of], history, horizon_days)[0] if model is not None else None
    return now, list(zip(chosen, scored, strict=True))


def _model_at(model: FittedModel, as_of: int) -> FittedModel | None:
    """The refitted model, the tested one, or none: whichever had seen no outcome after `as_of`."""
    for candidate in (model, model.held_back):
        if candidate.learnt_until is not None and candidate.learnt_until <= as_of:
            return candidate
    return None


def _score(
    con: Connection,
    config: Config,
    sources: Sources,
    model: FittedModel,
    instants: Sequence[int],
    history: History,
    horizon_days: int,
) -> list[Scored]:
    """Sums of the probabilities of those at risk, by age, at each instant."""
    if not instants:
        return []
    grid = con.create_table("forecast_grid", scoring_grid(config, sources, *instants), overwrite=True)
    at_risk = grid.filter(grid.reason.isnull() & grid.signed_up.notnull())
    table = feature_table(sources, at_risk, features_of(model.manifest), trait_names(sources.traits))
    began = at_risk.select("entity", "as_of", "signed_up").to_pandas()
    table = table.assign(probability=model.probability(table) if len(table) else 0.0)
    rows = table[["entity", "as_of", "probability"]].merge(began, on=["entity", "as_of"])
    ages = history.cohorts.days + 2
    return [
        scored_by_age(at, part["signed_up"].to_numpy("int64"), part["probability"].to_numpy(float), ages, horizon_days)
        for at in instants
        for part in [rows[rows["as_of"] == at]]
    ]


def _notes(
    history: History,
    outlook: Outlook,
    registered: RegisteredModel | None,
    now: Scored | None,
    comparison: MethodComparison,
    weeks: int,
    missing: Finding | None,
) -> Iterator[str]:
    """Say what the forecast rests on, and what it lacks."""
    if missing is not None and missing.since is not None:
        yield (
            f"{missing.words} The forecast counts these days as days on which nobody converted: export the table again, or "
            f"forecast from the day on which it ends, `--as-of {time.iso(missing.since)}`."
        )
    if registered is None:
        yield "There is no champion: those at risk are forecast by their age alone."
    elif now is None:
        yield "The model has learnt from outcomes after this instant: those at risk are forecast by their age alone."
    elif comparison.method == "age" and comparison.dates:
        yield (
            f"At {comparison.dates} past dates the age alone was as near to what came as the model: those at risk are "
            "forecast by their age."
        )
    daily = history.cohorts.sign_ups
    if not daily[-7:].sum() and daily[-63:-7].sum() >= 5 * 8:
        newest = history.as_of - (int((daily[::-1] > 0).argmax()) + 1) * DAY
        yield (
            f"Nobody has signed up since {time.iso(newest)}. If the table of entities ends there, forecast from that day with "
            "`--as-of`."
        )
    if not outlook.checked:
        yield (
            f"The past is too short to check a forecast of {weeks} weeks: the intervals rest on what is usual elsewhere, "
            "not on this product."
        )
    if history.begun_by_event:
        yield f"{history.begun_by_event:,} entities have no sign-up date: their first event stands for it."
    if history.without_start:
        yield f"{history.without_start:,} entities have neither a sign-up date nor an event and are left out."
