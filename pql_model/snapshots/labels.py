"""Labels: a conversion in [as_of, as_of + horizon), used only once it is final."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis
import pandas as pd

from pql_model.config.schema import Config
from pql_model.errors import NotEnoughDataError
from pql_model.snapshots.grid import calendar_grid, landmark_grid
from pql_model.sources.duckdb_session import Connection, count_by, fetch_row
from pql_model.sources.read import Sources
from pql_model.time import iso

Table = Any

LEFT_OUT = {
    "not_reached": "as_of lies after the newest event",
    "excluded": "excluded by the config",
    "converted_before": "already converted, so no longer at risk",
    "immature": "as_of + horizon lies after the end of the data, so the outcome is not final",
}
"""Why a snapshot is not used, in the order of the checks."""


@dataclass(frozen=True)
class LabelledSnapshots:
    """Snapshots at risk whose outcome is final.

    Attributes
    ----------
    table
        entity, as_of, signed_up in the session.
    frame
        entity (str), as_of and signed_up (int64 microseconds, signed_up nullable), converted (bool),
        value (float64, NaN where not converted or unknown). Sorted by entity and as_of.
    left_out
        Snapshots not used, by reason.
    """

    table: Table
    frame: pd.DataFrame
    left_out: dict[str, int]


def label_snapshots(con: Connection, config: Config, sources: Sources) -> LabelledSnapshots:
    """Lay the grid, drop snapshots that are not at risk or not final, and label the rest.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    sources : Sources
        Its data.

    Raises
    ------
    NotEnoughDataError
        If no snapshot is left, or only one class.
    """
    grid = landmark_grid(config, sources) if config.motion == "trial" else calendar_grid(config, sources)
    conversions = sources.conversions.table.select("entity", "value", converted_at="time")
    t = grid.left_join(conversions, "entity").drop("entity_right")
    end = sources.observed_until
    reason = ibis.cases(
        (t.as_of > (end if sources.events_until is None else sources.events_until), "not_reached"),
        (t.excluded, "excluded"),
        (t.converted_at < t.as_of, "converted_before"),
        (t.as_of + config.horizon.us > end, "immature"),
        else_=ibis.null("string"),
    )
    checked = con.create_table("checked_snapshots", t.mutate(reason=reason))
    counts = count_by(checked)
    usable = checked.filter(checked.reason.isnull())
    converted = (usable.converted_at < usable.as_of + config.horizon.us).fill_null(False)
    snapshots = con.create_table(
        "snapshots",
        usable.select(
            "entity", "as_of", "signed_up", converted=converted, value=ibis.ifelse(converted, usable.value, None)
        ),
    )
    frame = snapshots.order_by("entity", "as_of").to_pandas()
    frame["signed_up"] = frame["signed_up"].astype("Int64")
    left_out = {name: counts[name] for name in LEFT_OUT if counts.get(name)}
    _refuse_useless(frame, left_out, config, sources)
    return LabelledSnapshots(snapshots.drop("converted", "value"), frame, left_out)


def _refuse_useless(frame: pd.DataFrame, left_out: dict[str, int], config: Config, sources: Sources) -> None:
    received = ", ".join(f"{n:,} left out as {r}" for r, n in left_out.items()) or "no snapshots"
    if frame.empty:
        raise NotEnoughDataError(
            "No snapshot is left to train on",
            received=received,
            allowed=f"at least one whose horizon of {config.horizon} ends before {iso(sources.observed_until)}",
            remedy="shorten `horizon`, correct `observed_until`, or wait for more data",
        )
    if frame["converted"].nunique() < 2:
        _refuse_early_conversions(sources, received)
        which = "all" if frame["converted"].iloc[0] else "none of the"
        raise NotEnoughDataError(
            f"There is only one class: {which} {len(frame):,} snapshots converted within {config.horizon}",
            received=received,
            remedy="check `conversions`, `horizon` and whether conversions precede the snapshots",
        )


def _refuse_early_conversions(sources: Sources, received: str) -> None:
    """Refuse data in which every conversion precedes the sign-up: two columns are probably swapped."""
    known = sources.entities.table.select("entity", "signed_up")
    paid = sources.conversions.table.join(known, "entity")
    counts = fetch_row(paid.aggregate(early=paid.count(where=paid.time < paid.signed_up), all=paid.count()))
    if counts["early"] == counts["all"]:
        raise NotEnoughDataError(
            f"All {counts['early']:,} conversions precede the sign-up of their entity, so no entity converted while at risk",
            received=received,
            allowed="conversions after sign-up; the few before it are left out",
            remedy="check that `conversions.columns.time` is the payment and `entities.columns.signed_up` the sign-up",
        )
