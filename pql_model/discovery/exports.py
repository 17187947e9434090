"""The column names of common exports, as data: what `pql init` recognises a table by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pql_model.discovery.sketch import words

EntityKind = Literal["account", "user"]


@dataclass(frozen=True)
class Export:
    """One vendor's table.

    Attributes
    ----------
    needs
        It is this export if of every group at least one column is there.
    roles
        Role -> columns that can hold it, best first. `account` and `user` are both offered for the entity.
    technical
        Columns that start so are about the machine or the tracker, not about what was done.
    advice
        What this vendor's users should know.
    """

    name: str
    needs: tuple[tuple[str, ...], ...]
    roles: Mapping[str, tuple[str, ...]]
    technical: tuple[str, ...] = ()
    advice: Mapping[str, str] = field(default_factory=dict)

    def original(self, role: str, plain: str) -> str | None:
        """The vendor's own spelling of a column if it can hold the role."""
        return next((name for name in self.roles.get(role, ()) if plain in _spellings(name)), None)

    def rank(self, role: str, plain: str) -> int | None:
        """0 for the best column of a role, None if it is none."""
        found = (i for i, name in enumerate(self.roles.get(role, ())) if plain in _spellings(name))
        return next(found, None)

    def is_technical(self, plain: str) -> bool:
        return any(plain == start or plain.startswith(f"{start}_") for start in self.technical)


def _spellings(name: str) -> tuple[str, ...]:
    plain = "_".join(words(name))
    return plain, f"properties_{plain}"


EVENT_EXPORTS = (
    Export(
        "Segment",
        (
            ("received_at",),
            ("event", "event_text"),
            ("original_timestamp", "sent_at", "message_id", "anonymous_id"),
        ),
        {
            "account": ("group_id", "context_group_id", "account_id"),
            "user": ("user_id", "anonymous_id"),
            "event": ("event_text", "event"),
            "time": ("timestamp", "original_timestamp", "sent_at"),
            "known_at": ("received_at",),
            "id": ("message_id", "id"),
            "user_agent": ("context_user_agent", "user_agent"),
        },
        technical=("context", "integrations", "uuid"),
        advice={"event_text": "the name as sent"},
    ),
    Export(
        "PostHog",
        (
            ("distinct_id",),
            ("event",),
            ("timestamp",),
            ("uuid", "person_id", "elements_chain", "properties", "inserted_at"),
        ),
        {
            "account": ("$group_0", "$group_1"),
            "user": ("distinct_id", "person_id"),
            "event": ("event",),
            "time": ("timestamp",),
            "known_at": ("inserted_at", "_inserted_at", "created_at", "bq_ingested_timestamp"),
            "id": ("uuid",),
            "user_agent": ("$raw_user_agent", "$user_agent"),
        },
        technical=(
            "team_id",
            "elements",
            "screen",
            "viewport",
            "group",
            "person",
            "lib",
            "properties_screen",
            "properties_viewport",
            "properties_sent",
            "properties_time",
        ),
    ),
    Export(
        "Mixpanel",
        (("distinct_id",), ("event", "event_name"), ("time",)),
        {
            "user": ("$user_id", "distinct_id"),
            "event": ("event", "event_name"),
            "time": ("time",),
            "known_at": ("mp_processing_time_ms", "$mp_api_timestamp_ms"),
            "id": ("$insert_id",),
            "user_agent": ("$user_agent",),
        },
        technical=("mp", "properties_mp", "screen", "properties_screen", "browser", "properties_browser", "radio"),
    ),
    Export(
        "Amplitude",
        (
            ("event_type",),
            ("event_time", "client_event_time"),
            ("amplitude_id", "insert_id", "server_upload_time", "device_id"),
        ),
        {
            "account": ("group_id",),
            "user": ("user_id", "amplitude_id", "device_id"),
            "event": ("event_type",),
            "time": ("event_time", "client_event_time"),
            "known_at": ("server_upload_time", "server_received_time", "client_upload_time"),
            "id": ("$insert_id", "uuid"),
            "user_agent": ("user_agent",),
        },
        technical=("location", "schema", "sample_rate", "session", "version", "event_id", "data", "library", "app"),
    ),
    Export(
        "Snowplow",
        (("collector_tstamp",), ("event_name", "event")),
        {
            "user": ("user_id", "domain_userid", "network_userid"),
            "event": ("event_name", "event"),
            "time": ("derived_tstamp", "dvce_created_tstamp", "collector_tstamp"),
            "known_at": ("load_tstamp", "collector_tstamp", "etl_tstamp"),
            "id": ("event_id",),
            "user_agent": ("useragent",),
        },
        technical=(
            "br",
            "dvce",
            "doc",
            "geo",
            "page",
            "refr",
            "pp",
            "ti",
            "os",
            "mkt",
            "v",
            "txn",
            "user",
            "domain",
            "network",
            "base",
        ),
    ),
    Export(
        "GA4",
        (("event_name",), ("event_timestamp",), ("user_pseudo_id", "event_bundle_sequence_id", "event_date")),
        {
            "user": ("user_id", "user_pseudo_id"),
            "event": ("event_name",),
            "time": ("event_timestamp",),
            "known_at": (),
            "id": (),
        },
        technical=(
            "event_previous",
            "event_bundle",
            "event_server",
            "event_dimensions",
            "user",
            "stream",
            "device",
            "geo",
            "app",
            "traffic",
            "batch",
            "privacy",
            "is",
        ),
    ),
)

_STRIPE_ENTITY = ("account_id (metadata)", "user_id (metadata)", "Customer ID", "customer")
CONVERSION_EXPORTS = (
    Export(
        "Stripe subscriptions",
        (
            ("Customer ID",),
            ("Start Date (UTC)", "Start (UTC)", "Current Period Start (UTC)"),
            ("Plan", "Status", "Interval"),
        ),
        {
            "account": _STRIPE_ENTITY,
            "time": ("Start Date (UTC)", "Start (UTC)", "Created (UTC)"),
            "value": ("Amount",),
        },
        advice={
            "trial_end_utc": "A Stripe subscription starts with its trial: where there is one, the first payment is "
            "at `Trial End (UTC)`; leave out trials that were cancelled, and map `time` to the first payment.",
        },
    ),
    Export(
        "Stripe charges",
        (("Customer ID",), ("Created (UTC)", "Created date (UTC)"), ("Amount", "Converted Amount")),
        {
            "account": _STRIPE_ENTITY,
            "time": ("Created date (UTC)", "Created (UTC)"),
            "value": ("Amount", "Converted Amount"),
        },
        advice={"status": "A list of Stripe charges also holds failed ones: leave only rows that were paid."},
    ),
)


def export_of(names: Iterable[str], exports: Iterable[Export]) -> Export | None:
    """Whose export has such columns.

    >>> found = export_of(["event", "distinct_id", "time", "$insert_id"], EVENT_EXPORTS)
    >>> found.name
    'Mixpanel'
    """
    plain = {"_".join(words(name)) for name in names}
    for export in exports:
        if all(any(plain.intersection(_spellings(name)) for name in group) for group in export.needs):
            return export
    return None
