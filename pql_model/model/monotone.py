"""`monotone:` of the config as a direction per column: more of this never lowers (or raises) the probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import unquote_plus

from pql_model.errors import DataError, did_you_mean, nearest
from pql_model.features.spec import Feature, parse_feature
from pql_model.features.trait_columns import trait_name
from pql_model.measures import ANY
from pql_model.model.columns import Manifest, ModelColumn

_SIGN = {"increasing": 1, "decreasing": -1}


def monotone_directions(monotone: Mapping[str, str], manifest: Manifest) -> tuple[int, ...]:
    """Return the direction of each column of a manifest: 1, -1, or 0 where there is no constraint.

    The name of an event constrains its measures that are 0 where nothing happened (counts, days, users, sums, streaks,
    sessions), because only of these is more plainly more. Other columns, such as `days_since_last`, are constrained by
    their own name, which takes precedence over the name of the event.

    Parameters
    ----------
    monotone
        Event, `any`, trait or column -> `increasing` or `decreasing`.

    Raises
    ------
    DataError
        If a category is among them: it has no order, and LightGBM would end the process.

    Examples
    --------
    >>> names = ["Upload.count.ever", "Upload.days_since_last.ever", "trait.seats"]
    >>> manifest = Manifest(tuple(ModelColumn(name, "number" if "trait" in name else "feature") for name in names))
    >>> monotone_directions({"Upload": "increasing", "seats": "decreasing"}, manifest)
    (1, 0, -1)
    """
    for name in monotone:
        for column in manifest.columns:
            if column.kind == "category" and _speaks_of(name, column):
                raise DataError(
                    f"`monotone` names the trait `{column.text}`, whose values are categories: these have no order",
                    received=f"{name}: {monotone[name]}",
                    allowed="events, traits that are numbers, columns of features",
                    remedy="take it out of `monotone:`, or write its values as numbers",
                )
    return tuple(_direction(monotone, column) for column in manifest.columns)


def idle_names(monotone: Mapping[str, str], manifest: Manifest) -> list[str]:
    """Return the names that constrain no column: not offered, uninformative or quarantined."""
    return [name for name in monotone if not any(_speaks_of(name, column) for column in manifest.columns)]


def check_monotone(monotone: Mapping[str, str], events: Sequence[str], traits: Sequence[str]) -> None:
    """Refuse names that the data do not have, and ambiguous ones.

    Raises
    ------
    DataError
        With the nearest name.
    """
    for name in monotone:
        if name in (ANY, *events) and name in traits:
            raise DataError(
                f"`monotone` names `{name}`, which is an event and a trait",
                received=name,
                allowed=f"`{trait_name(name)}` for the trait, `{Feature(name, 'count').name}` and the like for the event",
                remedy="name the column",
            )
        if name not in (ANY, *events, *traits) and not _is_column(name, events, traits):
            close = nearest(name, [ANY, *events, *traits])
            raise DataError(
                f"`monotone` names `{name}`, which the data do not have" + did_you_mean(close),
                received=name,
                allowed=list(dict.fromkeys([ANY, *events, *traits])),
                remedy="correct `monotone:` in the config",
            )


def _is_column(name: str, events: Sequence[str], traits: Sequence[str]) -> bool:
    if name in map(trait_name, traits):
        return True
    try:
        return {*parse_feature(name).reads} <= {ANY, *events}
    except ValueError:
        return False


def _direction(monotone: Mapping[str, str], column: ModelColumn) -> int:
    names = sorted((name for name in monotone if _speaks_of(name, column)), key=lambda name: name != column.name)
    return _SIGN[monotone[names[0]]] if names else 0


def _speaks_of(name: str, column: ModelColumn) -> bool:
    if name == column.name:
        return True
    if column.kind != "feature":
        return name == unquote_plus(column.name.removeprefix(trait_name("")))
    feature = parse_feature(column.name)
    return name == feature.event and feature.rule.empty == 0
