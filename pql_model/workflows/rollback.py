"""`pql rollback` restores the previous champion; `pql models` lists the versions to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.errors import DataError, ModelNotFoundError, PqlError
from pql_model.payload import select_attributes
from pql_model.progress import Listener, Silent
from pql_model.registry.history import ModelVersion
from pql_model.registry.tracking import CHAMPION, PREVIOUS, Tracking

_WAITING = "A training in this folder is using the registry. Waiting for it to finish."


@dataclass(frozen=True)
class ModelVersions:
    """The versions of a product's model, newest first."""

    name: str
    versions: tuple[ModelVersion, ...]

    def with_alias(self, alias: str) -> ModelVersion | None:
        """Find the version that an alias points to; `previous` is the one that a rollback restores."""
        return next((version for version in self.versions if alias in version.aliases), None)

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql models --json` prints."""
        return select_attributes(self, "name", models="versions")


@dataclass(frozen=True)
class RollbackResult:
    """The new champion and the one before it."""

    name: str
    champion: ModelVersion
    before: ModelVersion | None
    was_champion: bool

    @property
    def text(self) -> str:
        instead = f" instead of version {self.before.version}" if self.before else ""
        first = (
            "again" if self.was_champion else f"for the first time (verdict: {self.champion.verdict or 'not recorded'})"
        )
        return f"Version {self.champion.version} of {self.name} is champion {first}{instead}."

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql rollback --json` prints."""
        return select_attributes(self, "name", "champion", "before", "was_champion", words="text")


def models(config: Config | str | Path) -> ModelVersions:
    """List the registered versions with verdict, ROC-AUC, aliases, dates and the decision of the promotion gate.

    Parameters
    ----------
    config
        A config or the path of a `pql.yaml`.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=300)
    >>> pql_model.models(folder / "pql.yaml").versions  # nothing is trained yet
    ()
    """
    config = config if isinstance(config, Config) else load_config(config)
    return ModelVersions(config.name, tuple(Tracking(config).versions()))


def rollback(
    config: Config | str | Path, *, to: str | int | None = None, listener: Listener | None = None
) -> RollbackResult:
    """Make the previous champion, or any version, the champion.

    Rolling back twice goes back two champions. The version that is replaced stays in the registry, with a tag that says
    when it was replaced.

    Parameters
    ----------
    config
        A config or the path of a `pql.yaml`.
    to
        A version number; default: the champion before this one.
    listener
        Notified if a training has to finish first.

    Raises
    ------
    ModelNotFoundError
        If there is no earlier champion, or no such version.
    PqlError
        If that version is the champion already.
    DataError
        If its files cannot be read. The champion is then unchanged.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=300)
    >>> pql_model.rollback(folder / "pql.yaml")
    Traceback (most recent call last):
    ...
    pql_model.errors.ModelNotFoundError: There is no earlier champion of the model `nimbus-boards`. Received: no versions...
    """
    config = config if isinstance(config, Config) else load_config(config)
    listener = listener or Silent()
    tracking = Tracking(config)
    with tracking.exclusive(lambda: listener.say(_WAITING)):
        versions = ModelVersions(config.name, tuple(tracking.versions()))
        champion = versions.with_alias(CHAMPION)
        target = _previous(versions, champion) if to is None else _version(versions, str(to))
        if target == champion:
            raise PqlError(
                f"Version {target.version} of the model `{config.name}` is already the champion",
                received=to,
                remedy="leave `--to` out to go back to the champion before it; `pql models` lists the versions",
            )
        try:
            tracking.load(target.version)
        except DataError as error:
            raise DataError(
                f"Version {target.version} cannot become champion because it cannot be loaded. {error}",
                remedy="restore its files, or name another version with `--to`; the champion was not changed",
            ) from error
        tracking.promote(target.version, by="rollback")
        after = ModelVersions(config.name, tuple(tracking.versions()))
    current, before = after.with_alias(CHAMPION), _version(after, champion.version) if champion else None
    return RollbackResult(
        config.name, current or target, before, target.promoted_at is not None or PREVIOUS in target.aliases
    )


def _previous(versions: ModelVersions, champion: ModelVersion | None) -> ModelVersion:
    target = versions.with_alias(PREVIOUS)
    if target is not None:
        return target
    state = f"version {champion.version} is the only champion so far" if champion else "no version is champion"
    raise ModelNotFoundError(
        f"There is no earlier champion of the model `{versions.name}`",
        received=state if versions.versions else "no versions",
        remedy="name a version with `--to`: `pql models` lists them"
        if len(versions.versions) > 1
        else "train with `pql train`",
    )


def _version(versions: ModelVersions, version: str) -> ModelVersion:
    by_version = {entry.version: entry for entry in versions.versions}
    if version not in by_version:
        raise ModelNotFoundError(
            f"There is no such version of the model `{versions.name}`",
            received=version,
            allowed=list(by_version),
            remedy="`pql models` lists the versions" if by_version else "train with `pql train`",
        )
    return by_version[version]
