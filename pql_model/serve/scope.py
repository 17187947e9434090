"""What a model must know of its product to judge one entity's raw data as the training judged its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pql_model.config.schema import Config, EventTable
from pql_model.errors import InputError
from pql_model.features.event_reader import ReadingRules
from pql_model.features.incoming import Incoming
from pql_model.serve.trait_encoding import text_of
from pql_model.sources.scalars import canonical_value
from pql_model.time import DAY, iso

KEY = "intake"
"""Where it stands among the facts of a model."""


def scope_facts(config: Config, known_events: Sequence[str], traits: Sequence[str]) -> dict[str, Any]:
    """The part of a model's facts that `Intake` reads.

    Parameters
    ----------
    known_events
        Every event name of the training log.
    traits
        Every trait the product has.
    """
    days = config.schedule.at_days or []
    return {
        "known_events": list(known_events),
        "known_values": sorted({name for table in config.events for name in table.values}),
        "known_traits": list(traits),
        "needs_signup": config.entities.columns.signed_up is not None,
        "may_lack_signup": config.motion == "freemium",
        "entity_acts": config.entity == "user",
        "bots": config.exclude.bots,
        "excluded_users": list(config.exclude.users),
        "excluded_traits": {name: list(values) for name, values in config.exclude.entities.items()},
        "own_ids": sorted({name for table in config.events for name in _events_of(table)}),
        "by_day": config.resolution == "day",
        "active_within": config.schedule.active_within.us if config.schedule.active_within is not None else None,
        "ages": [days[0], days[-1] + 1] if config.motion == "trial" and days else None,
    }


@dataclass(frozen=True)
class Scope:
    """ReadingRules for reading, and of whom the model speaks.

    Attributes
    ----------
    ages
        Days since sign-up, both ends included; None: any.
    active_within
        Microseconds before as_of in which something was done; None: nobody need have done anything.
    excluded_traits
        Of whom it does not speak, by trait.
    """

    rules: ReadingRules
    ages: tuple[float, float] | None
    active_within: int | None
    excluded_traits: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Scope:
        raw = facts[KEY]
        rules = ReadingRules(
            known_events=frozenset(raw["known_events"]),
            needs_signup=raw["needs_signup"],
            may_lack_signup=raw.get("may_lack_signup", False),  # models of before do not say
            known_values=frozenset(raw["known_values"]),
            known_traits=frozenset(raw["known_traits"]),
            entity_acts=raw["entity_acts"],
            bots=raw["bots"],
            excluded_users=frozenset(raw["excluded_users"]),
            by_day=raw["by_day"],
            own_ids=frozenset(raw.get("own_ids", ())),
        )
        ages = raw["ages"]
        excluded = {name: frozenset(map(canonical_value, values)) for name, values in raw["excluded_traits"].items()}
        known = (float(ages[0]), float(ages[1])) if ages is not None else None
        return cls(rules, known, raw["active_within"], excluded)

    def refuse_excluded(self, incoming: Incoming) -> None:
        """Who the config excludes is not scored, neither in batch nor here.

        Raises
        ------
        InputError
            With the trait.
        """
        for name, values in self.excluded_traits.items():
            text = text_of(incoming.traits.get(name))
            if text is not None and text in values:
                raise InputError(
                    f"traits.{name}", received=text, allowed="another one: the config excludes these from the model"
                )

    def refuse_outside(self, incoming: Incoming) -> None:
        """The model speaks of those it has learnt from; nothing is extrapolated to others.

        Raises
        ------
        InputError
            With the ages it knows, or how lately something must have been done.
        """
        self.refuse_excluded(incoming)
        within = self.active_within
        if within is not None and not any(row.time >= incoming.as_of - within for row in incoming.events):
            raise InputError(
                "events",
                received=f"none that counts in the last {within / DAY:g} days before as_of",
                allowed="at least one: the model has learnt from active ones only",
            )
        if incoming.signed_up is not None:
            self.refuse_age((incoming.as_of - incoming.signed_up) / DAY, "as_of", f"{iso(incoming.as_of)}, ")

    def refuse_age(self, age: float, field: str, said: str = "") -> None:
        """Refuse an age in days that the model has not learnt; NaN is an age that nobody knows.

        Parameters
        ----------
        field, said
            What the error names, and what stood there.

        Raises
        ------
        InputError
            With the ages it knows.
        """
        if self.ages is not None and (age < self.ages[0] or age > self.ages[1]):
            raise InputError(
                field,
                received=f"{said}{age:.6g} days after the sign-up",
                allowed=f"{self.ages[0]:g} to {self.ages[1]:g} days after the sign-up, which is what the model has learnt",
            )


def _events_of(table: EventTable) -> Sequence[str]:
    """The events of a table that holds no others."""
    return [table.event] if table.event is not None else list(table.counts or ())
