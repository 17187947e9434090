"""`pql rollback` makes the previous champion champion again; `pql models` lists what there is to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.errors import DataError, ModelNotFoundError, PqlError
from pql_model.progress import Listener, Silent
from pql_model.registry.history import Version
from pql_model.registry.tracking import CHAMPION, PREVIOUS, Tracking

_WAITING = "A training in this folder is at the registry; waiting for it."


@dataclass(frozen=True)
class Models:
    """The versions of a product's model, the newest first."""

    name: str
    versions: tuple[Version, ...]

    def named(self, alias: str) -> Version | None:
        """The version that an alias points to; `previous` is what a rollback would lead to."""
        return next((version for version in self.versions if alias in version.aliases), None)

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql models --json` prints."""
        return {"name": self.name, "models": [version.to_dict() for version in self.versions]}


@dataclass(frozen=True)
class RollbackResult:
    """Which version is champion now, and which was."""

    name: str
    now: Version
    before: Version | None
    was_champion: bool

    @property
    def text(self) -> str:
        instead = f" instead of version {self.before.version}" if self.before else ""
        first = "again" if self.was_champion else f"for the first time (verdict: {self.now.verdict or 'not recorded'})"
        return f"Version {self.now.version} of {self.name} is champion {first}{instead}."

    def to_dict(self) -> dict[str, Any]:
        """The object that `pql rollback --json` prints."""
        return {
            "name": self.name,
            "champion": self.now.to_dict(),
            "before": self.before.to_dict() if self.before else None,
            "was_champion": self.was_champion,
            "words": self.text,
        }


def models(config: Config | str | Path) -> Models:
    """List the registered versions with verdict, ROC-AUC, aliases, dates and what the gate decided.

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
    return Models(config.name, tuple(Tracking(config).versions()))


def rollback(
    config: Config | str | Path, *, to: str | int | None = None, listener: Listener | None = None
) -> RollbackResult:
    """Make the previous champion, or any version, the champion.

    Going back twice goes back two champions. The version that is left keeps its place in the registry, with a tag
    that says when it was left.

    Parameters
    ----------
    config
        A config or the path of a `pql.yaml`.
    to
        A version number; default: the champion before this one.
    listener
        Told if a training has to be waited for.

    Raises
    ------
    ModelNotFoundError
        If there is no earlier champion, or no such version.
    PqlError
        If that version is the champion already.
    DataError
        If its files cannot be read: then the champion stays.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=300)
    >>> pql_model.rollback(folder / "pql.yaml")
    Traceback (most recent call last):
    ...
    pql_model.errors.ModelNotFoundError: There is no earlier champion of the model `nimbus-boards`. Received: no version ...
    """
    config = config if isinstance(config, Config) else load_config(config)
    listener = listener or Silent()
    tracking = Tracking(config)
    with tracking.alone(lambda: listener.say(_WAITING)):
        found = Models(config.name, tuple(tracking.versions()))
        champion = found.named(CHAMPION)
        target = _previous(found, champion) if to is None else _asked(found, str(to))
        if target == champion:
            raise PqlError(
                f"Version {target.version} of the model `{config.name}` is the champion already",
                received=to,
                remedy="leave `--to` out to go back to the champion before it; `pql models` lists the versions",
            )
        try:
            tracking.get(target.version)
        except DataError as error:
            raise DataError(
                f"Version {target.version} cannot become champion, as it cannot be loaded. {error}",
                remedy="restore its files, or go back `--to` another version; the champion was not changed",
            ) from error
        tracking.promote(target.version, by="rollback")
        after = Models(config.name, tuple(tracking.versions()))
    now, before = after.named(CHAMPION), _asked(after, champion.version) if champion else None
    return RollbackResult(
        config.name, now or target, before, target.promoted_at is not None or PREVIOUS in target.aliases
    )


def _previous(found: Models, champion: Version | None) -> Version:
    target = found.named(PREVIOUS)
    if target is not None:
        return target
    is_now = f"version {champion.version} is the only one that ever was" if champion else "no version is champion"
    raise ModelNotFoundError(
        f"There is no earlier champion of the model `{found.name}`",
        received=is_now if found.versions else "no version at all",
        remedy="name a version with `--to`: `pql models` lists them"
        if len(found.versions) > 1
        else "train with `pql train`",
    )


def _asked(found: Models, version: str) -> Version:
    known = {one.version: one for one in found.versions}
    if version not in known:
        raise ModelNotFoundError(
            f"There is no such version of the model `{found.name}`",
            received=version,
            allowed=list(known),
            remedy="`pql models` lists the versions" if known else "train with `pql train`",
        )
    return known[version]
