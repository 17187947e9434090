"""Addresses and secrets of targets: read from the environment, checked, and masked wherever something is shown."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pql_model.config.sync_targets import (
    NotifyTarget,
    SlackTarget,
    SyncTarget,
    TableTarget,
    WebhookTarget,
    address_fault,
)
from pql_model.errors import ConfigError, Fault

MASK = "***"
_LEAST_MASKED = 8
"""Characters of a part of an address that is masked by itself; shorter ones would hide ordinary words."""
_SECRET_BYTES = range(24, 65)  # Standard Webhooks


@dataclass(frozen=True)
class Secrets:
    """Values of the environment variables that targets name; never part of a text that is shown, logged or stored."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def url(self, target: WebhookTarget | SlackTarget | NotifyTarget | TableTarget) -> str | None:
        """Get the address of a target; None if its variable is not set."""
        name = variable_of_url(target)
        literal = target.url if isinstance(target, WebhookTarget) else getattr(target, "connection", None)
        return self.values.get(name) if name is not None else literal

    def signing(self, target: WebhookTarget) -> list[str]:
        """List the signing secrets of a target that are set."""
        return [self.values[name] for name in target.secret_env if name in self.values]

    def mask(self, text: str) -> str:
        """Replace every secret in a text, such as an error of a library."""
        for value in sorted(self.values.values(), key=len, reverse=True):
            text = mask_address(text, value)
        return text


def variable_of_url(target: SyncTarget) -> str | None:
    """Name the variable of a target's address, if it is in the environment."""
    return getattr(target, "connection_env" if isinstance(target, TableTarget) else "url_env", None)


def variables_of(target: SyncTarget) -> list[str]:
    """List the environment variables that a target needs."""
    signing = target.secret_env if isinstance(target, WebhookTarget) else []
    return [*filter(None, [variable_of_url(target)]), *signing]


def read_secrets(
    targets: Iterable[SyncTarget], *, required: bool, environment: Mapping[str, str] | None = None
) -> Secrets:
    """Read and check the variables of targets.

    Parameters
    ----------
    required
        Whether a variable that is not set is an error. One that is set and unusable always is.

    Raises
    ------
    ConfigError
        With every fault, each naming the target and the variable, never its value.
    """
    values = os.environ if environment is None else environment
    found: dict[str, str] = {}
    faults = []
    for target in targets:
        for name in variables_of(target):
            value = values.get(name, "").strip()
            if value:
                found[name] = value
            fault = _fault(target, name, value) if value else "is not set" if required else None
            if fault is not None:
                faults.append(Fault(f"sync target `{target.name}`", f"the environment variable {name} {fault}"))
    if faults:
        raise ConfigError("The environment", faults)
    return Secrets(found)


def _fault(target: SyncTarget, name: str, value: str) -> str | None:
    if isinstance(target, WebhookTarget) and name in target.secret_env:
        return _secret_fault(value)
    if isinstance(target, WebhookTarget | SlackTarget):
        return address_fault(value)
    return None


def _secret_fault(value: str) -> str | None:
    try:
        size = len(base64.b64decode(value.removeprefix("whsec_"), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if size in _SECRET_BYTES:
        return None
    return "is not a signing secret of Standard Webhooks: `whsec_` and the base64 of 24 to 64 random bytes"


def mask_address(text: str, secret: str) -> str:
    """Replace a secret in a text, and of an address also its parts: libraries repeat a path or a password alone.

    >>> mask_address('Cannot open file "/srv/key-7/w.duckdb"', "duckdb:///srv/key-7/w.duckdb")
    'Cannot open file "***"'
    """
    pieces = {secret, *(piece for url in secret.split() for piece in _parts(url) if len(piece) >= _LEAST_MASKED)}
    for piece in sorted(filter(None, pieces), key=len, reverse=True):
        text = text.replace(piece, MASK)
    return text


def _parts(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
    except ValueError:  # not an address
        return [url]
    location = url.partition("://")[2].partition("?")[0]
    return [url, location, parts.path, parts.path.lstrip("/"), parts.query, parts.password or ""]


def masked_address(url: str | None, is_secret: bool, variable: str | None) -> str:
    """Show where a message goes: the whole address without its query, or only its host where the address is a secret.

    >>> masked_address("https://example.com/hooks/a?token=1", False, None)
    'https://example.com/hooks/a?***'
    >>> masked_address("https://hooks.slack.com/services/T0/B0/x", True, "SLACK_URL")
    'https://hooks.slack.com/***'
    >>> masked_address(None, True, "SLACK_URL")
    'the address in SLACK_URL, which is not set'
    """
    if url is None:
        return f"the address in {variable}, which is not set"
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    if is_secret:
        return f"{origin}/{MASK}"
    return origin + parts.path + (f"?{MASK}" if parts.query else "")


def missing_variables(targets: Sequence[SyncTarget], secrets: Secrets) -> list[str]:
    """List the variables that `--send` would need and that are not set."""
    names = dict.fromkeys(name for target in targets for name in variables_of(target))
    return [name for name in names if name not in secrets.values]
