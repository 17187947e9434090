"""`sync:` of `pql.yaml`: where lists of scored rows go."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from pql_model.config.types import DurationField, Strict

FILE_KINDS = (".csv", ".parquet", ".jsonl")
Rows = Literal["newly_qualified", "pql", "all"]
_VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"
_ROWS = "Which rows: each lead once when it qualifies, all PQLs of the last run, or all rows of the last run."


def address_fault(url: str) -> str | None:
    """Say what is wrong with an address to post to, without repeating it; None if it can be used.

    >>> address_fault("http://example.com/hook")
    'needs https; plain http is only for this machine, such as http://127.0.0.1:8000'
    >>> address_fault("https://example.com/hook"), address_fault("http://localhost:8000/hook")
    (None, None)
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("http", "https") or not parts.hostname or url != url.strip():
        return "needs a URL such as https://example.com/hook"
    if parts.username is not None or parts.password is not None:
        return "holds a user or a password; keep the whole URL in the environment and name the variable with `url_env`"
    if parts.scheme == "http" and not _is_loopback(parts):
        return "needs https; plain http is only for this machine, such as http://127.0.0.1:8000"
    return None


def _is_loopback(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _names(raw: Any) -> Any:
    return [raw] if isinstance(raw, str) else raw


def _safe_address(url: str) -> str:
    if fault := address_fault(url):
        raise ValueError(fault)
    return url


def _variable(name: str) -> str:
    if re.fullmatch(_VARIABLE, name) is None:  # not repeated: it may be the secret itself
        raise ValueError("needs the name of an environment variable, such as HOOK_SECRET, and not its value")
    return name


VariableField = Annotated[
    str, AfterValidator(_variable), WithJsonSchema({"type": "string", "pattern": f"^{_VARIABLE}$"})
]
VariablesField = Annotated[
    list[VariableField],
    Field(min_length=1),
    BeforeValidator(_names),
    PlainSerializer(lambda names: names[0] if len(names) == 1 else names, return_type=Any),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


class SyncTargetBase(Strict):
    """What every target has."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="Its name, for `pql sync --target`. It is part of every idempotency key: renamed, it is another target.",
    )


class WebhookTarget(SyncTargetBase):
    """One signed message per lead, by the Standard Webhooks specification."""

    kind: Literal["webhook"] = Field(description="`webhook`.")
    url: Annotated[str, AfterValidator(_safe_address)] | None = Field(
        None, description="The address; https, or this machine."
    )
    url_env: VariableField | None = Field(
        None, description="Environment variable of the address, where the address itself is a secret."
    )
    secret_env: VariablesField = Field(
        description="Environment variable of the signing secret (`whsec_` and base64); several while secrets are rotated."
    )
    rows: Literal["newly_qualified"] = Field("newly_qualified", description="Each lead once, when it qualifies.")
    timeout: DurationField = Field("15s", validate_default=True, description="Longest time for one attempt.")

    @model_validator(mode="after")
    def _one_address(self) -> WebhookTarget:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("needs `url`, or `url_env` where the address is a secret, and not both")
        return self


class SlackTarget(SyncTargetBase):
    """One message per run to an incoming webhook of Slack, the best leads first."""

    kind: Literal["slack"] = Field(description="`slack`.")
    url_env: VariableField = Field(description="Environment variable of the webhook's address, which is a secret.")
    rows: Literal["newly_qualified"] = Field("newly_qualified", description="Each lead once, when it qualifies.")
    at_most: int = Field(10, ge=1, le=40, description="Number of leads described; the others are counted.")
    timeout: DurationField = Field("15s", validate_default=True, description="Longest time for one attempt.")


class NotifyTarget(SyncTargetBase):
    """One message per run through Apprise: e-mail, Teams, Discord and many others. Needs `pip install pql-model[notify]`."""

    kind: Literal["notify"] = Field(description="`notify`.")
    url_env: VariableField = Field(description="Environment variable of one or more Apprise URLs, separated by spaces.")
    rows: Literal["newly_qualified"] = Field("newly_qualified", description="Each lead once, when it qualifies.")
    at_most: int = Field(10, ge=1, le=40, description="Number of leads described; the others are counted.")


class TableTarget(SyncTargetBase):
    """A table with one row per entity, written by the engine's own MERGE; it is created if needed."""

    kind: Literal["table"] = Field(description="`table`.")
    connection: str | None = Field(None, description="Any Ibis URL; default: the `connection` of the product.")
    connection_env: VariableField | None = Field(
        None, description="Environment variable of the URL, where it holds a password."
    )
    table: str = Field(min_length=1, description="`name`, or `schema.name`.")
    rows: Rows = Field("all", description=_ROWS + " With `pql` and `all`, rows no longer on the list are removed.")

    @model_validator(mode="after")
    def _one_connection(self) -> TableTarget:
        if self.connection is not None and self.connection_env is not None:
            raise ValueError("has both `connection` and `connection_env`; keep one")
        return self


class _PathTarget(SyncTargetBase):
    path: str = Field(
        min_length=1,
        description="The file, relative to the config. `{as_of}` in it stands for the instant of the last run.",
    )
    rows: Rows = Field("newly_qualified", description=_ROWS)

    @model_validator(mode="after")
    def _readable_path(self) -> _PathTarget:
        rest = self.path.replace("{as_of}", "")
        if "{" in rest or "}" in rest:
            raise ValueError(f"the only placeholder in `path` is {{as_of}}. Received: {self.path}")
        allowed = FILE_KINDS if isinstance(self, FileTarget) else (".csv",)
        if not self.path.endswith(allowed):
            raise ValueError(f"`path` ends in {', '.join(allowed)}. Received: {self.path}")
        return self


class FileTarget(_PathTarget):
    """A file: csv with flat columns, parquet, or JSON lines."""

    kind: Literal["file"] = Field(description="`file`.")


class HubSpotTarget(_PathTarget):
    """A csv in the shape of HubSpot's import of contacts. Every row has the e-mail address of a contact."""

    kind: Literal["hubspot"] = Field(description="`hubspot`.")


class SalesforceTarget(_PathTarget):
    """A csv in the shape of Salesforce's importers."""

    kind: Literal["salesforce"] = Field(description="`salesforce`.")
    object: Literal["lead", "account"] = Field(
        "lead",
        description="`lead`: one Lead per row, which needs a contact. `account`: an update of Accounts, for products whose "
        "entity ids are Salesforce's; ids of 15 characters are written in their form of 18.",
    )


SyncTarget = Annotated[
    WebhookTarget | SlackTarget | NotifyTarget | TableTarget | FileTarget | HubSpotTarget | SalesforceTarget,
    Field(discriminator="kind"),
]
