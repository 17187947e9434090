"""The column names of common exports, as data: what `pql init` recognises a table by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pql_model.discovery.vocabulary import slug

EntityKind = Literal["account", "user"]
Family = Literal["subscription", "payment", "deal", "person"]


@dataclass(frozen=True)
class Export:
    """The table of one vendor.

    Attributes
    ----------
    needs
        Groups of columns. A table is this export if it has at least one column of every group.
    roles
        Role -> columns that can hold it, best first. `account` and `user` are both candidates for the entity.
    technical
        Beginnings of columns about the machine or the tracker rather than about the event.
    advice
        Column -> what users of this vendor should know.
    family
        What the rows of a table of conversions are, which decides the states that count: see `conditions`.
    minor_units
        Whether amounts are in the smallest unit of the currency.
    """

    name: str
    needs: tuple[tuple[str, ...], ...]
    roles: Mapping[str, tuple[str, ...]]
    technical: tuple[str, ...] = ()
    advice: Mapping[str, str] = field(default_factory=dict)
    family: Family | None = None
    minor_units: bool = False

    def rank(self, role: str, column: str) -> int | None:
        """Rank a column for a role: 0 for the best, None if it cannot hold the role."""
        names = self.roles.get(role, ())
        return next((i for i, name in enumerate(names) if column in _spellings(name)), None)

    def likeness(self, role: str, column: str) -> str:
        """Name the vendor's own spelling of a column that can hold the role."""
        spelling = self.roles[role][self.rank(role, column) or 0]
        return (
            f"named like `{spelling}` of {self.name}" if " " in self.name else f"named like {self.name}'s `{spelling}`"
        )

    def is_technical(self, column: str) -> bool:
        """Whether a column is about the machine or the tracker."""
        return any(column == start or column.startswith(f"{start}_") for start in self.technical)


def _spellings(name: str) -> tuple[str, str]:
    return slug(name), f"properties_{slug(name)}"


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _groups(text: str) -> tuple[tuple[str, ...], ...]:
    """Parse groups of columns: `a|b c` needs a or b, and c."""
    return tuple(tuple(group.split("|")) for group in text.split())


def _roles(**columns: str) -> dict[str, tuple[str, ...]]:
    return {role: _names(names) for role, names in columns.items()}


EVENT_EXPORTS = (
    Export(
        "Segment",
        _groups("received_at event|event_text original_timestamp|sent_at|message_id|anonymous_id"),
        _roles(
            account="group_id context_group_id account_id",
            user="user_id anonymous_id",
            event="event_text event",
            time="timestamp original_timestamp sent_at",
            known_at="received_at",
            id="message_id id",
            user_agent="context_user_agent user_agent",
        ),
        _names("context integrations uuid"),
        {"event_text": "the name as sent"},
    ),
    Export(
        "PostHog",
        _groups("distinct_id event timestamp uuid|person_id|elements_chain|properties|inserted_at"),
        _roles(
            account="$group_0 $group_1",
            user="person_id distinct_id",
            event="event",
            time="timestamp",
            known_at="inserted_at _inserted_at created_at bq_ingested_timestamp",
            id="uuid",
            user_agent="$raw_user_agent $user_agent",
        ),
        _names(
            "team_id elements screen viewport group person lib properties_screen properties_viewport properties_sent "
            "properties_time"
        ),
    ),
    Export(
        "Mixpanel",
        _groups("distinct_id event|event_name time"),
        _roles(
            user="$user_id distinct_id",
            event="event event_name",
            time="time",
            known_at="mp_processing_time_ms $mp_api_timestamp_ms",
            id="$insert_id",
            user_agent="$user_agent",
        ),
        _names("mp properties_mp screen properties_screen browser properties_browser radio"),
    ),
    Export(
        "Amplitude",
        _groups("event_type event_time|client_event_time amplitude_id|insert_id|server_upload_time|device_id"),
        _roles(
            account="groups_account groups_company groups_organization groups_workspace group_id",
            user="amplitude_id user_id device_id",
            event="event_type",
            time="event_time client_event_time",
            known_at="server_upload_time server_received_time client_upload_time",
            id="$insert_id uuid",
            user_agent="user_agent",
        ),
        _names("location schema sample_rate session version event_id data library app"),
    ),
    Export(
        "Snowplow",
        _groups("collector_tstamp event_name|event"),
        _roles(
            user="user_id domain_userid network_userid",
            event="event_name event",
            time="derived_tstamp dvce_created_tstamp collector_tstamp",
            known_at="load_tstamp collector_tstamp etl_tstamp",
            id="event_id",
            user_agent="useragent",
        ),
        _names("br dvce doc geo page refr pp ti os mkt v txn user domain network base"),
    ),
    Export(
        "GA4",
        _groups("event_name event_timestamp user_pseudo_id|event_bundle_sequence_id|event_date"),
        _roles(user="user_id user_pseudo_id", event="event_name", time="event_timestamp"),
        _names(
            "event_previous event_bundle event_server event_dimensions user stream device geo app traffic batch privacy is"
        ),
    ),
)


def match_export(names: Iterable[str], exports: Iterable[Export]) -> Export | None:
    """Find the export that a table's columns belong to.

    >>> match_export(["event", "distinct_id", "time", "$insert_id"], EVENT_EXPORTS).name
    'Mixpanel'
    """
    columns = {slug(name) for name in names}
    for export in exports:
        if all(any(columns.intersection(_spellings(name)) for name in group) for group in export.needs):
            return export
    return None
