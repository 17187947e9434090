"""`pql.yaml` as types: one file describes a product."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from pql_model.config.definition import Definition, unreadable
from pql_model.config.model_settings import ModelSettings
from pql_model.config.outcome_tables import FeedbackTable, StageTable
from pql_model.config.own_features import OwnFeature
from pql_model.config.people_tables import AliasTable, HistoryTable, MemberTable
from pql_model.config.policy_settings import Policy
from pql_model.config.source_tables import ConversionTable, EntityTable, EventTable
from pql_model.config.sync_targets import SyncTarget, TableTarget
from pql_model.config.text_format import IdForm
from pql_model.config.types import DurationField, InstantField, Strict, TextsField
from pql_model.time import DAY, WEEK, Duration

SCORE_LOG = "score_log/"
"""The folder of the score log, where the config names no other."""
EMBEDDED = ("duckdb://", "duckdb:")
"""URLs of the embedded DuckDB."""


class Snapshots(Strict):
    """The instants at which an entity is observed. Trial: `at_days`. Freemium: `every`, `on` and `active_within`."""

    at_days: list[int] | None = Field(None, min_length=1, description="Trial: days since sign-up.")
    every: DurationField | None = Field(None, description="Freemium: the time from one snapshot to the next.")
    on: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] | None = Field(
        None, description="Freemium: the weekday of the snapshots, where `every` is a whole number of weeks."
    )
    active_within: DurationField | None = Field(
        None, description="Freemium: only entities with an event within this time before the snapshot."
    )

    @field_validator("at_days")
    @classmethod
    def _sorted_days(cls, days: list[int] | None) -> list[int] | None:
        if days is not None and min(days) < 0:
            raise ValueError(f"days since sign-up cannot be negative. Received: {days}")
        return sorted(set(days)) if days is not None else None


class Windows(Strict):
    """The windows of features; `ever` is always included."""

    first: list[DurationField] = Field(
        default_factory=lambda: _days(1, 7, 14), description="Lengths of windows from sign-up; default: 1d, 7d, 14d."
    )
    last: list[DurationField] = Field(
        default_factory=lambda: _days(1, 7, 14, 28),
        description="Lengths of windows before the snapshot; default: 1d, 7d, 14d, 28d.",
    )


class Exclude(Strict):
    """The entities and events to leave out."""

    entities: dict[str, TextsField] = Field(default_factory=dict, description="Column of the entities table -> values.")
    users: TextsField = Field(default_factory=list, description="Users whose events are set aside.")
    bots: bool = Field(True, description="Set aside events of bots, by user name, user agent or an `is_bot` column.")


class Offer(Strict):
    """The events offered to the model, chosen by how many entities did them and never by the outcome."""

    events: int = Field(60, ge=1, description="Maximum number of event names, those of most entities first.")
    min_entities: int = Field(20, ge=1, description="Least number of entities that did an event.")


def _or_short(schema: dict[str, Any]) -> None:
    """Let editors accept the short forms."""
    schema["anyOf"] = [{"type": "string"}, {"enum": [False]}, {"$ref": schema.pop("$ref")}]


class ScoreLogTarget(Strict):
    """Where `pql score` logs every score. `score_log: score_log/` is short for `{folder: score_log/}`, and `score_log: false` for
    `{enabled: false}`.
    """

    folder: str | None = Field(None, description="A folder of Parquet files, one per run.")
    table: str | None = Field(None, description="A table of the connection, created if it is missing.")
    enabled: bool = Field(True, description="Whether scores are logged.")

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, raw: Any) -> Any:
        if raw is False:
            return {"enabled": False}
        return {"folder": raw} if isinstance(raw, str) else raw

    @model_validator(mode="after")
    def _one(self) -> ScoreLogTarget:
        if self.enabled and bool(self.folder) == bool(self.table):
            raise ValueError("needs a folder, `score_log: score_log/`, or a table, `score_log: {table: pql_scores}`")
        return self


class Config(Strict):
    """The description of a product. Paths are relative to the file it was read from.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=100)
    >>> config = pql_model.load_config(folder / "pql.yaml")
    >>> config.name, config.motion, config.horizon.text
    ('nimbus-boards', 'trial', '30 days')
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="Names the experiment and the model.")
    entity: Literal["account", "user"] = Field("account", description="The kind of entity that converts.")
    connection: str | None = Field(None, description="Any Ibis URL; default: the embedded DuckDB.")
    events: list[EventTable] = Field(min_length=1, description="One or more event tables.")
    entities: EntityTable = Field(description="The entities that can convert.")
    conversions: ConversionTable = Field(description="The conversions.")
    members: MemberTable | None = Field(
        None, description="The accounts that users belong to, for events that name only the user."
    )
    aliases: AliasTable | None = Field(None, description="Users with several ids, and the id that counts.")
    history: HistoryTable | None = Field(
        None, description="Traits that change: known from their time on, at every snapshot."
    )
    feedback: FeedbackTable | None = Field(
        None, description="What sales did and found: for the ledger of outcomes, never part of the label."
    )
    stages: StageTable | None = Field(None, description="Stages that each entity reached, such as MQL and SQL.")
    motion: Literal["trial", "freemium"] = Field(description="A trial with an end, or an unlimited free plan.")
    snapshots: Snapshots | None = Field(
        None, description="Default: days 3, 7 and 14 of a trial; every 7d within 28d of the last event in freemium."
    )
    horizon: DurationField = Field(
        "30d", validate_default=True, description="A conversion counts in [as_of, as_of + horizon)."
    )
    windows: Windows = Field(default_factory=Windows, description="The windows of features.")
    observed_until: InstantField | None = Field(
        None,
        description="Default: the newest event that is not in the future, or later while payments keep coming after it.",
    )
    exclude: Exclude = Field(default_factory=Exclude, description="The entities and events to leave out.")
    definition: Definition | None = Field(None, description="The PQL rule in force today, if there is one.")
    owner: str | None = Field(None, min_length=1, description="Who decides about the rule: a person or a team.")
    policy: Policy | None = Field(None, description="When an entity is a PQL.")
    score_log: ScoreLogTarget = Field(
        default_factory=lambda: ScoreLogTarget(folder=SCORE_LOG),
        description=f"Where every score is logged: a folder (default: `{SCORE_LOG}` beside this file) or "
        "`{table: pql_scores}`; `false` logs nothing.",
        json_schema_extra=_or_short,
    )
    sync: list[SyncTarget] = Field(
        default_factory=list, description="Where `pql sync` sends lists; nothing is sent without `--send`."
    )
    features: list[OwnFeature] = Field(
        default_factory=list, description="Features of your own: events with a measure and a window, or dated columns."
    )
    model: ModelSettings = Field(
        default_factory=ModelSettings, description="Which learner is trained, and with which hyperparameters."
    )
    seed: int = Field(7, ge=0, lt=2**31, description="Seed of everything random.")
    allow: list[str] = Field(
        default_factory=list, description="Columns, traits or events that the leakage audit must not quarantine."
    )
    monotone: dict[str, Literal["increasing", "decreasing"]] = Field(
        default_factory=dict,
        description="What may only raise, or only lower, the probability: an event, `any`, a numeric trait, or a column. An event "
        "constrains its measures that are 0 when it never happened; constrain others, such as `days_since_last`, by column.",
    )
    normalise: list[IdForm] = Field(
        default_factory=list,
        description="Spellings of entity ids to bring together in every table: case, leading_zeros, spaces, brackets, "
        "salesforce (15 and 18 characters).",
    )
    resolution: Literal["instant", "day"] = Field(
        "instant",
        description="`day` cuts every time to its UTC date, for products with a table that has only dates.",
    )
    offer: Offer = Field(default_factory=Offer, description="The events offered to the model.")
    max_set_aside: float = Field(0.5, gt=0, le=1, description="Largest share of a table that may be unusable.")

    _home: Path = PrivateAttr(default_factory=Path.cwd)

    @property
    def home(self) -> Path:
        """The folder that relative paths start from and that results are written to."""
        return self._home

    def at(self, home: Path) -> Config:
        """Copy the config with another home folder."""
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
            if snapshots.at_days is None or snapshots.every or snapshots.active_within or snapshots.on:
                yield "a trial has snapshots `at_days: [3, 7, 14]`; `every`, `on` and `active_within` are for freemium"
            if self.entities.columns.signed_up is None:
                yield "a trial needs its start, `entities.columns.signed_up`; without it use `motion: freemium`"
        elif snapshots.every is None or snapshots.at_days is not None:
            yield "freemium has snapshots `{every: 7d, active_within: 28d}`; `at_days` is for a trial"
        elif snapshots.on is not None and snapshots.every.us % WEEK:
            yield f"`snapshots: {{on: {snapshots.on}}}` needs `every` in whole weeks, such as 7d. Received: {snapshots.every}"

    def _table_faults(self) -> Iterator[str]:
        spelled: dict[str, str] = {}
        for name in (name for table in self.events for name in table.values):
            if (other := spelled.setdefault(name.lower(), name)) != name:
                yield f"`values` has both `{other}` and `{name}`: names must differ in more than case"
        for table in self.events:
            if self.resolution == "day" and table.covers is not None and table.covers.us % DAY:
                yield f"`resolution: day` cuts times to days, but `covers: {table.covers}` is not a whole number of days"
        yield from self._people_faults()
        yield from self._sync_faults()
        if self.score_log.enabled and self.score_log.table and self.connection in (None, *EMBEDDED):
            yield "`score_log: {table: ...}` needs a `connection`; without one use a folder, `score_log: score_log/`"
        if self.definition is not None:
            yield from unreadable(self.definition, spelled.values(), self.entities.columns.signed_up is not None)
        elif self.policy is not None and self.policy.definition == "in_force":
            yield "`policy: {definition: in_force}` needs the rule in force under `definition:`"
        if self.policy is not None and self.policy.hand_raise:
            raised = Definition.model_validate({"any": self.policy.hand_raise})
            for fault in unreadable(raised, spelled.values(), self.entities.columns.signed_up is not None):
                yield fault.replace("the definition", "`policy: {hand_raise: ...}`", 1)

    def _people_faults(self) -> Iterator[str]:
        for place, table in enumerate(self.events):
            if table.columns.entity is None and self.members is None:
                yield (
                    f"`events[{place}].columns` needs `entity`; it may be left out only with `members`, the accounts that "
                    "users belong to"
                )
            elif table.columns.entity is None and table.columns.user is None:
                yield f"`events[{place}].columns` needs `user`, whose accounts are looked up in `members`, or `entity`"
        if self.members is not None and self.entity == "user":
            yield "`members` says which accounts users belong to: it needs `entity: account`"

    def _sync_faults(self) -> Iterator[str]:
        names = [target.name for target in self.sync]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"`sync` has several targets named `{name}`; a name is part of what makes a message unique"
        paths = [path for target in self.sync if (path := getattr(target, "path", None)) is not None]
        for path in sorted({path for path in paths if paths.count(path) > 1}):
            yield f"`sync` has several targets that write {path}: give each its own `path`"
        tables = [target for target in self.sync if isinstance(target, TableTarget) and target.connection_env is None]
        for table in tables:
            if (table.connection or self.connection) in (None, *EMBEDDED):
                yield f"`sync` target `{table.name}` needs a `connection`: the embedded DuckDB keeps no tables"

    @property
    def dated_names(self) -> list[str]:
        """The names of the traits that change: the dated columns under `features:` and the traits under `history:`."""
        changing = self.history.traits if self.history is not None else []
        return [*(name for spec in self.features for name in spec.values), *changing]

    @property
    def schedule(self) -> Snapshots:
        """The snapshots of the config, or the default."""
        return self.snapshots or Snapshots()


_DEFAULT_SNAPSHOTS: dict[str, dict[str, Any]] = {
    "trial": {"at_days": [3, 7, 14]},
    "freemium": {"every": "7d", "active_within": "28d"},
}


def _days(*counts: int) -> list[Duration]:
    return [Duration.parse(f"{count}d") for count in counts]
