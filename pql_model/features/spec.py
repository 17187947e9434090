"""Declarations of features.

A feature is an event, a measure and a window. Its column name, its English text and its declaration are three
views of one frozen object: ``parse_feature(feature.name) == feature``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote_plus, unquote_plus

from pql_model.config.definition import Criterion, check_measure
from pql_model.errors import FeatureMismatchError, listed
from pql_model.measures import ANY, MEASURES, Measure
from pql_model.time import EVER, Window

_SEPARATOR = "."


@dataclass(frozen=True)
class Feature:
    """A feature: which event is measured, how, and in which window.

    Parameters
    ----------
    event : str
        The event's name, or `any` for the entity as a whole.
    measure : str
        One of `pql_model.measures.MEASURES`.
    window : Window
        The window that the events lie in.
    value : str, optional
        The numeric value that `sum`, `max`, `last` and `distinct_values` read.

    Raises
    ------
    ValueError
        If the measure does not exist, or not for this event, value or window.

    Examples
    --------
    >>> feature = Feature("Teammate Invited", "count", Window.parse("first 7d"))
    >>> feature.name
    'Teammate+Invited.count.first_7d'
    >>> feature.text
    'number of `Teammate Invited` in the first 7 days'
    >>> parse_feature(feature.name) == feature
    True
    """

    event: str
    measure: str
    window: Window = EVER
    value: str | None = None

    def __post_init__(self) -> None:
        check_measure(self.event, self.measure, self.value, self.window)

    @property
    def rule(self) -> Measure:
        """The declaration of the measure."""
        return MEASURES[self.measure]

    @property
    def needs_signup(self) -> bool:
        """Whether the feature is undefined without a sign-up time."""
        return self.window.kind == "first" or self.rule.needs_signup

    @property
    def name(self) -> str:
        """The column name: letters, digits and `_ - + % .` only, whatever the event is called."""
        parts = [self.event, self.measure, *([self.value] if self.value is not None else []), self.window.slug]
        return _SEPARATOR.join(_encode(part) for part in parts)

    @property
    def family(self) -> str:
        """The behaviour it measures: the event, or the measure of all events together.

        Features of one event say nearly the same; those of all events together do not.
        """
        return f"{ANY}: {self.measure}" if self.event == ANY else self.event

    @property
    def text(self) -> str:
        """The feature in English."""
        if self.event == ANY:
            what = self.rule.noun
        else:
            what = self.rule.event_phrase.format(event=self.event, value=self.value)
        return what + self.when

    @property
    def when(self) -> str:
        """The window in English after a space; empty where the measure's noun already says it."""
        self_explaining = ("days_since_last", "days_to_first", "current_streak_days")
        if self.rule.window == "ever" or (self.window == EVER and self.measure in self_explaining):
            return ""
        return f" {self.window.text}"


def parse_feature(name: str) -> Feature:
    """Read a feature back from its column name.

    Raises
    ------
    ValueError
        If the text is not a feature's name.

    Examples
    --------
    >>> parse_feature("Teammate+Invited.count.first_7d").text
    'number of `Teammate Invited` in the first 7 days'
    """
    parts = [unquote_plus(part, errors="strict") for part in name.split(_SEPARATOR)]
    if len(parts) not in (3, 4):
        raise ValueError(f"`{name}` is not a feature name. Allowed: event.measure.window or event.measure.value.window")
    return Feature(parts[0], parts[1], Window.parse(parts[-1]), parts[2] if len(parts) == 4 else None)


def criterion_feature(criterion: Criterion) -> Feature:
    """Return the feature that a criterion about an event reads."""
    return Feature(str(criterion.event), criterion.measure, criterion.window, criterion.value)


def _encode(text: str) -> str:
    return quote_plus(text).replace(_SEPARATOR, "%2E").replace("~", "%7E")


def feature_set_hash(names: Iterable[str]) -> str:
    """Hash the column names in their order: two models with the same hash read the same table."""
    return hashlib.sha256(json.dumps(list(names)).encode()).hexdigest()[:12]


def check_columns(received: Iterable[str], expected: Iterable[str]) -> None:
    """Refuse a feature table that lacks columns.

    Raises
    ------
    FeatureMismatchError
        Naming the missing columns.
    """
    columns, required = set(received), list(expected)
    missing = [name for name in required if name not in columns]
    if missing:
        raise FeatureMismatchError(
            f"The feature table lacks {len(missing)} of {len(required)} columns: {listed(missing)}",
            received=f"{len(columns)} columns",
            remedy="compute the features with the manifest of this model, and name dated columns under `features:` of the config",
        )
