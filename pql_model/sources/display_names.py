"""What people call an entity: a column of the entities table that is obviously its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pql_model.config.schema import Config
from pql_model.sources.aliases import Aliases
from pql_model.sources.casts import text
from pql_model.sources.duckdb_session import Connection
from pql_model.sources.entities import with_own_id
from pql_model.sources.files import read_raw
from pql_model.sources.id_lists import ids

_OF_ACCOUNTS = [
    "name",
    "displayname",
    "accountname",
    "companyname",
    "company",
    "workspacename",
    "workspace",
    "organizationname",
    "organisationname",
    "organization",
    "organisation",
    "orgname",
    "teamname",
    "team",
    "customername",
    "customer",
    "clientname",
    "businessname",
    "tenantname",
    "portalname",
    "shopname",
    "storename",
    "sitename",
    "groupname",
    "schoolname",
]
_OF_USERS = ["name", "displayname", "fullname", "username", "contactname", "email", "emailaddress"]
_LEAST_DISTINCT = 0.8
"""A column in which many entities share a value is a trait and not a name."""


@dataclass(frozen=True)
class DisplayNames:
    """Names by entity, and the column they come from; None if no column is obviously a name."""

    column: str | None = None
    of: dict[str, str] = field(default_factory=dict)


def read_display_names(con: Connection, config: Config, aliases: Aliases | None = None) -> DisplayNames:
    """Read the names of the entities; those without one are left out.

    Parameters
    ----------
    con : Connection
        An open session.
    config : Config
        The product.
    aliases : Aliases, optional
        Merged users.
    """
    spec = config.entities
    raw = read_raw(con, spec.table, config.home, config.connection, name="raw_names", encoding=spec.encoding)
    column = name_column(
        [c for c in raw.columns if c not in (spec.columns.entity, spec.columns.signed_up)], config.entity
    )
    if column is None or not raw.column(column, "entities").type().is_string():
        return DisplayNames()
    rows = con.create_table(
        "display_names",
        raw.table.select(
            entity=ids(raw.column(spec.columns.entity, "entities.columns.entity")),
            name=text(raw.column(column, "entities")),
        ),
        overwrite=True,
    )
    rows = with_own_id(con, rows, "display_names", config, aliases)
    rows = rows.filter(rows.entity.notnull() & rows.name.notnull() & (rows.name != ""))
    found = rows.group_by("entity").agg(name=rows.name.min()).to_pandas()
    has_letters = found["name"].str.contains(r"[^\W\d_]")
    if found["name"].nunique() < _LEAST_DISTINCT * len(found) or has_letters.sum() < _LEAST_DISTINCT * len(found):
        return DisplayNames()
    return DisplayNames(column, dict(zip(found["entity"].astype(str), found["name"].astype(str), strict=True)))


def name_column(columns: Iterable[str], entity: str) -> str | None:
    """Find the column that is obviously the name of an account or a user.

    >>> name_column(["Region", "Company Name", "size"], "account"), name_column(["plan", "email"], "user")
    ('Company Name', 'email')
    >>> name_column(["plan_name", "email"], "account") is None
    True
    """
    known = _OF_USERS if entity == "user" else _OF_ACCOUNTS
    by_spelling = {"".join(filter(str.isalnum, column.lower())): column for column in columns}
    return next((by_spelling[spelling] for spelling in known if spelling in by_spelling), None)
