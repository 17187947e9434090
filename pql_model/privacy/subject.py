"""Whom to forget: the ids of an entity and of its users, and how a text that names a user is cleared of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CONTACT, CONTACTS, OTHER_CONTACTS = "contact", "contacts", "other_contacts"
PERSON_COLUMNS = (CONTACT, CONTACTS, "brought_in_by", OTHER_CONTACTS, "PQL_Contact__c")
"""Columns of scored rows that name users: ids, a list of ids, or JSON."""
ABOUT_CONTACT = ("contact_share", "contact_last_seen", "brought_in_by")
"""Columns of a flat list that tell something about the user in its column `contact`."""
_USER = "user"
_SEPARATOR = "; "
"""Between the ids of a list in a cell."""


@dataclass(frozen=True)
class Subject:
    """Ids to forget.

    Attributes
    ----------
    entities : frozenset of str
        Ids of the entity. Its rows are removed.
    users : frozenset of str
        Ids of its users. They are cleared from the rows of other entities.
    """

    entities: frozenset[str]
    users: frozenset[str] = frozenset()

    def cleared(self, text: str | None) -> str | None:
        """Clear a cell that names users; None if nothing is left.

        >>> subject = Subject(frozenset(), frozenset({"u1"}))
        >>> subject.cleared('[{"user": "u1"}, {"user": "u2"}]'), subject.cleared("u3; u1"), subject.cleared("u1")
        ('[{"user": "u2"}]', 'u3', None)
        """
        if text is None or self.users.isdisjoint(users_in(text)):
            return text
        content = _parsed(text)
        if content is None:
            return _SEPARATOR.join(part for part in text.split(_SEPARATOR) if part not in self.users) or None
        cleared = self.without_users(content)
        if cleared == content:
            return text
        return json.dumps(cleared, ensure_ascii=False) if cleared else None

    def cleared_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Clear the cells of a row that name users. The next contact takes the place of a `contact` who is forgotten.

        >>> subject = Subject(frozenset(), frozenset({"u1"}))
        >>> subject.cleared_row({"contact": "u1", "contact_share": 0.7, "other_contacts": "u2; u3"})
        {'contact': 'u2', 'contact_share': None, 'other_contacts': 'u3'}
        """
        new = {name: self._cleared_cell(name, value) for name, value in row.items()}
        if not new.get(CONTACT) and row.get(CONTACT):
            new |= dict.fromkeys(name for name in ABOUT_CONTACT if name in new)
            new |= _promoted(new)
        return new

    def _cleared_cell(self, name: str, value: Any) -> Any:
        if name not in PERSON_COLUMNS:
            return value
        return self.cleared(value) if isinstance(value, str) else self.without_users(value)

    def without_users(self, content: Any) -> Any:
        """Return JSON without the objects and values that name the users."""
        if isinstance(content, list):
            return [part for part in map(self.without_users, content) if part is not None] or None
        if not isinstance(content, dict):
            return content
        if content.get(_USER) in self.users:
            return None
        new = {
            key: None
            if key in PERSON_COLUMNS and isinstance(value, str) and value in self.users
            # nothing in an empty list names anybody: it stays as it was written
            else value
            if value == []
            else self.without_users(value)
            for key, value in content.items()
        }
        return new | _promoted(new) if content.get(CONTACT) and not new[CONTACT] else new


def _promoted(row: Mapping[str, Any]) -> dict[str, Any]:
    """The cells that change where the next of a row's contacts takes the place of the first, in the form of the row."""
    contacts, others = row.get(CONTACTS), row.get(OTHER_CONTACTS)
    if isinstance(contacts, str) and (known := _parsed(contacts)):
        return {CONTACT: json.dumps(known[0], ensure_ascii=False)}
    if isinstance(contacts, list) and contacts:
        return {CONTACT: contacts[0]}
    if isinstance(others, str) and others:
        first, _, rest = others.partition(_SEPARATOR)
        return {CONTACT: first, OTHER_CONTACTS: rest or None}
    return {}


def users_in(text: str | None) -> Iterator[str]:
    """List the users that a cell of `PERSON_COLUMNS` names.

    >>> list(users_in('{"user": "u1", "share": 0.4, "brought_in_by": "u2"}')), list(users_in("u1; u2"))
    (['u1', 'u2'], ['u1', 'u2'])
    """
    if not text:
        return
    content = _parsed(text)
    yield from _named(content) if content is not None else text.split(_SEPARATOR)


def _named(content: Any) -> Iterator[str]:
    if isinstance(content, list):
        for part in content:
            yield from _named(part)
    elif isinstance(content, dict):
        for key, value in content.items():
            if isinstance(value, str) and key in (_USER, *PERSON_COLUMNS):
                yield value
            elif isinstance(value, dict | list):
                yield from _named(value)


def _parsed(text: str) -> Any:
    """The JSON object or list in a text; None if it is neither."""
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None
