"""`pql.yaml` as types: one file describes a product."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from pql_model.config.definition import Criterion, Definition, unreadable
from pql_model.config.model_settings import ModelSettings
from pql_model.config.types import DurationField, InstantField, Strict, TextsField
from pql_model.measures import ANY
from pql_model.time import DAY, Duration


class EventColumns(Strict):
    """Which column holds what, in a table of events."""

    entity: str = Field(description="Who the event belongs to: the account, or the user where users convert.")
    time: str = Field(description="When it happened.")
    event: str | None = Field(None, description="Its name (shape 1, a log).")
    user: str | None = Field(None, description="Which user inside the account did it.")
    id: str | None = Field(None, description="Unique id of the row; a second row with the same id is set aside.")
    known_at: str | None = Field(None, description="When the row arrived: it is invisible before.")
    user_agent: str | None = Field(None, description="The browser's name, for recognising bots.")


class EventTable(Strict):
    """A table of events, in one of three shapes."""

    stub: ClassVar[dict[str, Any]] = {"table": "x", "columns": {"entity": "x", "time": "x"}, "event": "x"}

    table: str = Field(description="A file, a glob, or a table of the connection.")
    columns: EventColumns
    event: str | None = Field(None, description="Shape 2: every row is this event.")
    counts: dict[str, str] | None = Field(None, description="Shape 3: event name -> column of counts.", min_length=1)
    users: dict[str, str] = Field(default_factory=dict, description="Shape 3: event name -> column of distinct users.")
    covers: DurationField | None = Field(None, description="Shape 3: a row sums [time, time + covers).")
    values: dict[str, str] = Field(default_factory=dict, description="Value name -> numeric column.")

    @model_validator(mode="after")
    def _one_shape(self) -> EventTable:
        given = [
            n
            for n, v in (
                ("columns.event", self.columns.event),
                ("event", self.event),
                ("counts", self.counts),
            )
            if v
        ]
        if len(given) != 1:
            raise ValueError(
                f"a table of events has exactly one of `columns.event` (a log), `event` (every row is that event), "
                f"`counts` (already counted). Received: {', '.join(given) or 'none'}"
            )
        if ANY in (self.event, *(self.counts or {})):
            raise ValueError(f"`{ANY}` is the word for all events together, not the name of one")
        if self.counts is None and (self.users or self.covers):
            raise ValueError("`users` and `covers` belong to a table with `counts`")
        if self.counts is not None:
            if self.covers is None:
                raise ValueError("a table with `counts` needs `covers`, the time one row sums up, such as `covers: 7d`")
            if self.values:
                raise ValueError(
                    "`values` belong to a log, not to a table with `counts`: name the column under `counts`"
                )
            if stray := sorted(set(self.users) - set(self.counts)):
                raise ValueError(f"`users` names events that `counts` does not: {', '.join(stray)}")
        return self


class EntityColumns(Strict):
    entity: str
    signed_up: str | None = Field(None, description="When the trial or free plan began.")


class EarlierTable(Strict):
    """An earlier extract of the entities, with the same columns."""

    table: str = Field(description="A file, a glob, or a table of the connection.")


class EntityTable(Strict):
    """Who can convert, and what is known of them."""

    stub: ClassVar[dict[str, Any]] = {"table": "x", "columns": {"entity": "x", "signed_up": "x"}}

    table: str
    columns: EntityColumns
    traits: list[str] | None = Field(None, description="Columns to use as traits; default: every other column.")
    earlier: EarlierTable | None = Field(
        None,
        description="The same table extracted earlier: traits that have changed since, more for who converted, are leaks.",
    )


class ConversionColumns(Strict):
    entity: str
    time: str
    value: str | None = Field(None, description="What was paid.")


class ConversionTable(Strict):
    """Who paid, and when. The first row of an entity counts."""

    stub: ClassVar[dict[str, Any]] = {"table": "x", "columns": {"entity": "x", "time": "x"}}

    table: str
    columns: ConversionColumns


class Snapshots(Strict):
    """When an entity is looked at. Trial: `at_days`. Freemium: `every`, `active_within`."""

    at_days: list[int] | None = Field(None, min_length=1, description="Trial: days since sign-up.")
    every: DurationField | None = Field(None, description="Freemium: one snapshot each such stretch of time.")
    active_within: DurationField | None = Field(
        None, description="Freemium: only while there was an event in this time."
    )

    @field_validator("at_days")
    @classmethod
    def _sorted_days(cls, days: list[int] | None) -> list[int] | None:
        if days is not None and min(days) < 0:
            raise ValueError(f"days since sign-up cannot be negative. Received: {days}")
        return sorted(set(days)) if days is not None else None


class Windows(Strict):
    """The windows features are counted in; `ever` is always among them."""

    first: list[DurationField] = Field(default_factory=lambda: _days(1, 7, 14))
    last: list[DurationField] = Field(default_factory=lambda: _days(1, 7, 14, 28))


class Exclude(Strict):
    """Who is left out."""

    entities: dict[str, TextsField] = Field(default_factory=dict, description="Column of the entities table -> values.")
    users: TextsField = Field(default_factory=list, description="Users whose events are set aside.")
    bots: bool = Field(True, description="Set aside events of bots, by user name, user agent or an `is_bot` column.")


class Capacity(Strict):
    leads: int = Field(ge=1)
    per: DurationField


EMBEDDED = ("duckdb://", "duckdb:")
"""Connections to no database but the workbench."""
LOWEST_BAND = "very_low"
"""The name of what lies below the last of `policy.bands`."""


class Policy(Strict):
    """Who qualifies, by exactly one of `capacity`, `probability`, `precision` and `definition`; the other keys refine it."""

    capacity: Capacity | None = Field(None, description="As many as can be worked: the best `leads` in each `per`.")
    probability: float | None = Field(None, gt=0, lt=1, description="Everybody from this probability on.")
    precision: float | None = Field(
        None, gt=0, lt=1, description="As many as kept this rate of conversions in the test period."
    )
    definition: Literal["recommended", "in_force"] | None = Field(
        None, description="Who meets the model's recommended definition, or the one under `definition:`."
    )
    bands: dict[str, float] = Field(
        default_factory=lambda: {"high": 0.25, "medium": 0.1, "low": 0.03},
        min_length=1,
        description=f"Names of probabilities, falling: from this one on. Below the last it is `{LOWEST_BAND}`.",
    )
    exclude: dict[str, TextsField] = Field(
        default_factory=dict, description="Trait -> values: scored, and never a PQL."
    )
    hand_raise: list[Criterion] = Field(
        default_factory=list, description="Who meets any of these conditions qualifies, whatever the probability."
    )
    cool_down: DurationField = Field(
        "14d", validate_default=True, description="No second alert of the same entity within this time."
    )
    stay: float = Field(
        0.8,
        gt=0,
        le=1,
        description="Who is a PQL stays one until the probability falls below this part of the threshold.",
    )
    hold_out: float = Field(
        0.0, ge=0, le=0.5, description="A permanent random share that qualifies and is never a PQL, to compare with."
    )

    @field_validator("bands")
    @classmethod
    def _falling(cls, bands: dict[str, float]) -> dict[str, float]:
        edges = list(bands.values())
        if not all(0 < edge < 1 for edge in edges) or any(a <= b for a, b in pairwise(edges)):
            raise ValueError(f"bands are probabilities between 0 and 1, falling: the highest first. Received: {bands}")
        if LOWEST_BAND in bands:
            raise ValueError(f"`{LOWEST_BAND}` is the name of what lies below the last band: leave it out")
        return bands

    @model_validator(mode="after")
    def _one(self) -> Policy:
        given = [name for name in WAYS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a policy has exactly one of {', '.join(WAYS)}. Received: {given or 'none'}")
        return self


WAYS = ("capacity", "probability", "precision", "definition")
"""The ways to say who qualifies."""


class Offer(Strict):
    """Which events are offered to the model, by how many entities did them, never by the outcome."""

    events: int = Field(60, ge=1, description="At most so many event names, those done by most entities first.")
    min_entities: int = Field(20, ge=1, description="Only events that at least so many entities did.")


def _or_a_folder(schema: dict[str, Any]) -> None:
    """An editor must not underline the short form."""
    schema["anyOf"].insert(0, {"type": "string"})


class ScoreLogTarget(Strict):
    """Where `pql score` writes every score down. `score_log: score_log/` is short for `{folder: score_log/}`."""

    folder: str | None = Field(None, description="Of parquet files; one more each run.")
    table: str | None = Field(None, description="A table of the connection, made if it is not there.")

    @model_validator(mode="before")
    @classmethod
    def _expand_folder(cls, raw: Any) -> Any:
        return {"folder": raw} if isinstance(raw, str) else raw

    @model_validator(mode="after")
    def _one(self) -> ScoreLogTarget:
        if bool(self.folder) == bool(self.table):
            raise ValueError("needs a folder, `score_log: score_log/`, or a table, `score_log: {table: pql_scores}`")
        return self


class Config(Strict):
    """Everything the tool needs to know about a product. Paths are relative to the file it was read from.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=100)
    >>> config = pql_model.load_config(folder / "pql.yaml")
    >>> config.name, config.motion, config.horizon.text
    ('nimbus-boards', 'trial', '30 days')
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="Names the experiment and the model.")
    entity: Literal["account", "user"] = Field("account", description="What converts.")
    connection: str | None = Field(None, description="Any Ibis URL; default: the embedded DuckDB.")
    events: list[EventTable] = Field(min_length=1)
    entities: EntityTable
    conversions: ConversionTable
    motion: Literal["trial", "freemium"]
    snapshots: Snapshots | None = Field(None, description="Default: days 3, 7 and 14, or every 7d while active in 28d.")
    horizon: DurationField = Field(
        "30d", validate_default=True, description="A conversion counts in [as_of, as_of + horizon)."
    )
    windows: Windows = Field(default_factory=Windows)
    observed_until: InstantField | None = Field(
        None, description="Default: the newest instant that is not in the future."
    )
    exclude: Exclude = Field(default_factory=Exclude)
    definition: Definition | None = Field(None, description="The rule in force today, if there is one.")
    policy: Policy | None = None
    score_log: ScoreLogTarget | None = Field(
        None,
        description="Write every score down: a folder, or `{table: pql_scores}`.",
        json_schema_extra=_or_a_folder,
    )
    model: ModelSettings = Field(
        default_factory=ModelSettings, description="Which learner is trained, and with which hyperparameters."
    )
    seed: int = Field(7, ge=0, lt=2**31)
    allow: list[str] = Field(
        default_factory=list, description="Columns, traits or events the leakage audit must let through."
    )
    monotone: dict[str, Literal["increasing", "decreasing"]] = Field(
        default_factory=dict,
        description="What may only raise, or only lower, the probability: an event, `any`, a trait that is a number, or a column. "
        "Of an event, the measures that are 0 where it never happened are held; `days_since_last` and the like by their column.",
    )
    resolution: Literal["instant", "day"] = Field(
        "instant",
        description="`day`: cut every time to its UTC date. For products where a table has dates only.",
    )
    offer: Offer = Field(default_factory=Offer)
    max_set_aside: float = Field(0.5, gt=0, le=1, description="Stop when a larger share of a table is unusable.")

    _home: Path = PrivateAttr(default_factory=Path.cwd)

    @property
    def home(self) -> Path:
        """The folder that relative paths start from and results are written to."""
        return self._home

    def at(self, home: Path) -> Config:
        """The same config with another home folder."""
        copy = self.model_copy()
        copy._home = home
        return copy

    @model_validator(mode="before")
    @classmethod
    def _fill_snapshots(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and raw.get("snapshots") is None and raw.get("motion") in _DEFAULT_SNAPSHOTS:
            return {**raw, "snapshots": _DEFAULT_SNAPSHOTS[raw["motion"]]}
        return raw

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        faults = [*self._schedule_faults(), *self._table_faults()]
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _schedule_faults(self) -> Iterator[str]:
        snapshots = self.schedule
        if self.motion == "trial":
            if snapshots.at_days is None or snapshots.every or snapshots.active_within:
                yield "a trial has snapshots at `at_days: [3, 7, 14]`; `every` and `active_within` are for freemium"
            if self.entities.columns.signed_up is None:
                yield "a trial needs `entities.columns.signed_up`, when it began; without it use `motion: freemium`"
        elif snapshots.every is None or snapshots.at_days is not None:
            yield "freemium has snapshots `{every: 7d, active_within: 28d}`; `at_days` is for a trial"

    def _table_faults(self) -> Iterator[str]:
        spelled: dict[str, str] = {}
        for name in (name for table in self.events for name in table.values):
            if (other := spelled.setdefault(name.lower(), name)) != name:
                yield f"`values` has both `{other}` and `{name}`: names must differ in more than case"
        for table in self.events:
            if self.resolution == "day" and table.covers is not None and table.covers.us % DAY:
                yield f"`resolution: day` cuts times to days: `covers: {table.covers}` is no whole number of them"
        if self.score_log is not None and self.score_log.table and self.connection in (None, *EMBEDDED):
            yield "`score_log: {table: ...}` needs a `connection` to write it to; without one give a folder, `score_log: score_log/`"
        if self.definition is not None:
            yield from unreadable(self.definition, spelled.values(), self.entities.columns.signed_up is not None)
        elif self.policy is not None and self.policy.definition == "in_force":
            yield "`policy: {definition: in_force}` needs the rule in force under `definition:`"
        if self.policy is not None and self.policy.hand_raise:
            raised = Definition.model_validate({"any": self.policy.hand_raise})
            for fault in unreadable(raised, spelled.values(), self.entities.columns.signed_up is not None):
                yield fault.replace("the definition", "`policy: {hand_raise: ...}`", 1)

    @property
    def schedule(self) -> Snapshots:
        """The snapshots, given or by default."""
        return self.snapshots or Snapshots()


_DEFAULT_SNAPSHOTS: dict[str, dict[str, Any]] = {
    "trial": {"at_days": [3, 7, 14]},
    "freemium": {"every": "7d", "active_within": "28d"},
}


def _days(*counts: int) -> list[Duration]:
    return [Duration.parse(f"{count}d") for count in counts]
