"""Declarations of features.

A feature is an event, a measure and a window. Its column name, its English text and its declaration are three
views of one frozen object: ``parse_feature(feature.name) == feature``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import quote_plus, unquote_plus

from pql_model.config.definition import Criterion, check_measure, check_share, check_subject
from pql_model.config.own_features import OwnFeature
from pql_model.errors import FeatureMismatchError, listed
from pql_model.measures import ANY, MEASURES, Measure
from pql_model.time import EVER, Duration, Window

_SEPARATOR = "."


@dataclass(frozen=True)
class Subject:
    """The events that a feature measures: of one name, of several that count as one, or those that follow another event.

    Attributes
    ----------
    events : tuple of str
        Names; `any` alone stands for all.
    after : str or None
        Only events count before which, at most `gap` earlier and not at the same instant, this event happened.
    gap : Duration or None
    """

    events: tuple[str, ...]
    after: str | None = None
    gap: Duration | None = None

    @property
    def plain(self) -> bool:
        """Whether it is one event, or all of them."""
        return len(self.events) == 1 and self.after is None

    @property
    def text(self) -> str:
        """The events between backticks, without the outer ones."""
        order = f"` within {self.gap.text} after `{self.after}" if self.gap is not None else ""
        return "` or `".join(self.events) + order

    @property
    def family(self) -> str:
        """The name without backticks."""
        return self.text.replace("`", "")


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
    also : tuple of str, optional
        More events that count as the same one, sorted after the first.
    after, gap : str and Duration, optional
        Only events that follow `after`, at most `gap` later, count.
    share_of : str, optional
        The numeric trait that divides the measure.

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
    also: tuple[str, ...] = ()
    after: str | None = None
    gap: Duration | None = None
    share_of: str | None = None

    def __post_init__(self) -> None:
        check_measure(self.event, self.measure, self.value, self.window)
        check_subject(self.subject.events, self.after, self.gap)
        check_share(self.measure, self.share_of)

    @property
    def subject(self) -> Subject:
        """The events that it measures."""
        return Subject((self.event, *self.also), self.after, self.gap)

    @property
    def reads(self) -> tuple[str, ...]:
        """Every event that it depends on."""
        return (*self.subject.events, *([self.after] if self.after is not None else []))

    @property
    def label(self) -> str:
        """Its events as they stand between backticks."""
        return self.subject.text

    @property
    def amount(self) -> Feature:
        """The measure before it is divided by a trait."""
        return replace(self, share_of=None)

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
        parts += [f"or {event}" for event in self.also]
        parts += [f"after {self.after}", f"gap {self.gap}"] if self.after is not None else []
        parts += [f"of {self.share_of}"] if self.share_of is not None else []
        return _SEPARATOR.join(_encode(part) for part in parts)

    @property
    def family(self) -> str:
        """The behaviour it measures: the event, or the measure of all events together.

        Features of one event say nearly the same; those of all events together do not.
        """
        return f"{ANY}: {self.measure}" if self.event == ANY else self.subject.family

    @property
    def text(self) -> str:
        """The feature in English."""
        if self.event == ANY:
            what = self.rule.noun
        else:
            what = self.rule.event_phrase.format(event=self.subject.text, value=self.value)
        share = f" as a share of `{self.share_of}`" if self.share_of is not None else ""
        return what + self.when + share

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
    width = 4 if len(parts) > 3 and parts[1] in MEASURES and MEASURES[parts[1]].needs_value else 3
    if len(parts) < width:
        raise ValueError(f"`{name}` is not a feature name. Allowed: event.measure.window or event.measure.value.window")
    more: dict[str, list[str]] = {"or": [], "after": [], "gap": [], "of": []}
    for part in parts[width:]:
        kind, _, what = part.partition(" ")
        if kind not in more or not what:
            raise ValueError(f"`{name}` is not a feature name. Allowed after the window: {', '.join(more)}")
        more[kind].append(what)
    after, gap, share_of = (next(iter(more[kind]), None) for kind in ("after", "gap", "of"))
    return Feature(
        parts[0],
        parts[1],
        Window.parse(parts[width - 1]),
        parts[2] if width == 4 else None,
        tuple(more["or"]),
        after,
        Duration.parse(gap) if gap is not None else None,
        share_of,
    )


def declared_feature(declared: Criterion | OwnFeature) -> Feature:
    """Return the feature that a criterion about an event reads, or that the config declares."""
    first, *also = sorted((str(declared.event), *declared.also))
    return Feature(
        first,
        declared.measure,
        declared.window,
        declared.value,
        tuple(also),
        declared.after,
        declared.gap,
        declared.share_of,
    )


def _encode(text: str) -> str:
    return quote_plus(text).replace(_SEPARATOR, "%2E").replace("~", "%7E")


def feature_criterion(feature: Feature, operator: str, threshold: float) -> Criterion:
    """Return the criterion that compares a feature with a threshold.

    >>> criterion = feature_criterion(parse_feature("Teammate+Invited.count.first_7d"), ">=", 2)
    >>> declared_feature(criterion).name, criterion.threshold
    ('Teammate+Invited.count.first_7d', 2.0)
    """
    return Criterion(
        event=feature.event,
        also=feature.also,
        after=feature.after,
        gap=feature.gap,
        measure=feature.measure,
        value=feature.value,
        share_of=feature.share_of,
        window=feature.window,
        operator=operator,
        threshold=threshold,
    )


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
