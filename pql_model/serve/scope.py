"""The scope of a model: how its product's raw data are read, and which entities it covers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pql_model.config.schema import Config
from pql_model.config.source_tables import EventTable
from pql_model.errors import InputError
from pql_model.features.event_reader import ReadingRules
from pql_model.features.incoming import Incoming
from pql_model.model.artifact import require_fact
from pql_model.serve.trait_encoding import text_of
from pql_model.sources.id_forms import read_entity_id
from pql_model.sources.scalars import canonical_value
from pql_model.time import DAY, iso

KEY = "scope"
"""Key among the facts of a model."""


def scope_facts(
    config: Config, known_events: Sequence[str], traits: Sequence[str], excluded_users: Sequence[str] | None = None
) -> dict[str, Any]:
    """Build the part of a model's facts that `Scope` reads.

    Parameters
    ----------
    known_events
        All event names of the training data.
    traits
        All traits of the product.
    excluded_users
        The users that the config excludes, with the ids that merged users have; default: those of the config.
    """
    users = config.exclude.users if excluded_users is None else excluded_users
    days, column = config.schedule.at_days or [], config.entities.columns.entity
    return {
        "known_events": list(known_events),
        "known_values": sorted({name for table in config.events for name in table.values}),
        "known_traits": list(traits),
        "dated_names": list(config.dated_names),
        "history_traits": list(config.history.traits) if config.history is not None else [],
        "needs_signup": config.entities.columns.signed_up is not None,
        "may_lack_signup": config.motion == "freemium",
        "entity_acts": config.entity == "user",
        "bots": config.exclude.bots,
        "excluded_users": list(users),
        "id_forms": list(config.normalise),
        "excluded_traits": {name: list(values) for name, values in config.exclude.entities.items() if name != column},
        "excluded_entities": list(config.exclude.entities.get(column, [])),
        "own_ids": sorted({name for table in config.events for name in _events_of(table)}),
        "by_day": config.resolution == "day",
        "active_within": config.schedule.active_within.us if config.schedule.active_within is not None else None,
        "ages": [days[0], days[-1] + 1] if config.motion == "trial" and days else None,
    }


@dataclass(frozen=True)
class Scope:
    """Rules for reading raw data, and the entities that the model covers.

    Attributes
    ----------
    ages
        Range of days since sign-up, both ends included; None for any age.
    active_within
        Microseconds before as_of with at least one event; None if inactive entities are covered too.
    excluded_traits
        Trait -> values of entities that are not covered.
    excluded_entities
        Ids of entities that are not covered.
    """

    rules: ReadingRules
    ages: tuple[float, float] | None
    active_within: int | None
    excluded_traits: Mapping[str, frozenset[str]] = field(default_factory=dict)
    excluded_entities: frozenset[str] = frozenset()

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Scope:
        """Read the scope of a `FittedModel` from its facts.

        Raises
        ------
        DataError
            If the facts hold none.
        """
        raw = require_fact(facts, KEY)
        rules = ReadingRules(
            known_events=frozenset(raw["known_events"]),
            needs_signup=raw["needs_signup"],
            may_lack_signup=raw["may_lack_signup"],
            known_values=frozenset(raw["known_values"]),
            known_traits=frozenset(raw["known_traits"]),
            dated_names=frozenset(raw["dated_names"]),
            history_traits=frozenset(raw["history_traits"]),
            entity_acts=raw["entity_acts"],
            bots=raw["bots"],
            excluded_users=frozenset(raw["excluded_users"]),
            id_forms=tuple(raw["id_forms"]),
            by_day=raw["by_day"],
            own_ids=frozenset(raw["own_ids"]),
        )
        ages = raw["ages"]
        excluded = {name: frozenset(map(canonical_value, values)) for name, values in raw["excluded_traits"].items()}
        age_range = (float(ages[0]), float(ages[1])) if ages is not None else None
        own = (read_entity_id(name, rules.id_forms) for name in raw.get("excluded_entities", ()))
        return cls(rules, age_range, raw["active_within"], excluded, frozenset(filter(None, own)))

    def refuse_excluded(self, incoming: Incoming) -> None:
        """Refuse entities that the config excludes, as the batch does.

        Raises
        ------
        InputError
            Naming the trait, or `entity`.
        """
        if incoming.entity in self.excluded_entities:
            raise InputError("entity", received=incoming.entity, allowed="an entity that the config does not exclude")
        for name, values in self.excluded_traits.items():
            text = text_of(incoming.traits.get(name))
            if text is not None and text in values:
                raise InputError(
                    f"traits.{name}", received=text, allowed="a value that the config does not exclude from the model"
                )

    def refuse_outside(self, incoming: Incoming) -> None:
        """Refuse entities unlike those of the training data: the model does not extrapolate.

        Raises
        ------
        InputError
            Naming the ages it covers, or how recent an event must be.
        """
        self.refuse_excluded(incoming)
        active_within = self.active_within
        if active_within is not None and not any(row.time >= incoming.as_of - active_within for row in incoming.events):
            raise InputError(
                "events",
                received=f"none that counts in the last {active_within / DAY:g} days before as_of",
                allowed="at least one: the model was trained on active entities only",
            )
        if incoming.signed_up is not None:
            self.refuse_age((incoming.as_of - incoming.signed_up) / DAY, "as_of", f"{iso(incoming.as_of)}, ")

    def refuse_age(self, age: float, field: str, prefix: str = "") -> None:
        """Refuse an age outside the range of the training data. NaN is an unknown age and is accepted.

        Parameters
        ----------
        age
            Days since sign-up.
        field, prefix
            Field that the error names, and what precedes the age in the message.

        Raises
        ------
        InputError
            Naming the ages that the model covers.
        """
        if self.ages is not None and (age < self.ages[0] or age > self.ages[1]):
            raise InputError(
                field,
                received=f"{prefix}{age:.6g} days after the sign-up",
                allowed=f"{self.ages[0]:g} to {self.ages[1]:g} days after the sign-up, the ages that the model covers",
            )


def _events_of(table: EventTable) -> Sequence[str]:
    """List the events of a table with one event, or of counts."""
    return [table.event] if table.event is not None else list(table.counts or ())
