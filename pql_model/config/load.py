"""Reading `pql.yaml`: all faults at once, each with its line and the nearest valid name."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from pql_model.config.definition import Definition
from pql_model.config.schema import Config
from pql_model.errors import ConfigError, DataError, Fault, nearest

Location = tuple[int | str, ...]
Model = TypeVar("Model", bound=BaseModel)


def load_config(path: str | Path) -> Config:
    """Read and check a `pql.yaml`.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Config
        Frozen; relative paths in it start from the file's folder (`config.home`).

    Raises
    ------
    ConfigError
        With every fault of the file, each with its line.
    DataError
        If there is no such file.

    Examples
    --------
    >>> load_config("no-such.yaml")
    Traceback (most recent call last):
    ...
    pql_model.errors.DataError: There is no config file. Received: no-such.yaml. Do: write one with `pql init --events FILE` or name it with `--config`.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(
            "There is no config file",
            received=path,
            remedy="write one with `pql init --events FILE` or name it with `--config`",
        )
    return parse_config(path.read_text(encoding="utf-8-sig"), source=path.name).at(path.resolve().parent)


def parse_config(text: str, source: str = "pql.yaml") -> Config:
    """Check the text of a `pql.yaml`; `source` names it in errors."""
    return _parse(text, source, Config)


def load_definition(path: str | Path) -> Definition:
    """Read a definition from a YAML file, either bare or under the key `definition:`."""
    path = Path(path)
    if not path.is_file():
        raise DataError(
            "There is no definition file",
            received=path,
            remedy="name a YAML file with `all:`, `any:` or `at_least_k:`",
        )
    return _parse(path.read_text(encoding="utf-8-sig"), path.name, Definition, key="definition")


def config_json_schema() -> dict[str, Any]:
    """The JSON schema of `pql.yaml`, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(by_alias=True),
    }


def dump_config(config: Config) -> str:
    """The config as YAML that reads back as the same config."""
    plain = json.loads(config.model_dump_json(by_alias=True, exclude_none=True))
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


def _parse(text: str, source: str, model: type[Model], key: str | None = None) -> Model:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "cannot be read"
        line = mark.line + 1 if mark else None
        raise ConfigError(source, [Fault("", f"not valid YAML: {problem}", line)]) from error
    if not isinstance(raw, dict):
        raise ConfigError(
            source,
            [Fault("", f"needs keys and values such as `name: my-product`. Received: {type(raw).__name__}")],
        )
    lines = dict(_lines(node, ()))
    faults = [Fault(".".join(map(str, at)), "given twice; keep one", line) for at, line in _repeats(node, ())]
    if key is not None and set(raw) == {key}:
        raw = raw[key]
        lines = {at[1:]: line for at, line in lines.items() if at[:1] == (key,)}
    entries = _all_errors(model, raw)
    faults += [_fault(entry, lines, model) for entry in entries]
    if faults:
        raise ConfigError(source, faults)
    return model.model_validate(raw)


def _all_errors(model: type[BaseModel], raw: dict[str, Any]) -> list[Any]:
    """All errors, also those that pydantic hides because it checks a whole only when its parts are right.

    What is wrong is taken out and the rest is checked again; an error of a whole that misses what was
    taken out would be our own doing and is not reported.
    """
    found: list[Any] = []
    removed: list[Location] = []
    raw = copy.deepcopy(raw)
    for _ in range(5):
        try:
            model.model_validate(raw)
            break
        except ValidationError as error:
            fresh = [entry for entry in error.errors() if not _caused_by(entry["loc"], removed)]
        found += fresh
        removed += [entry["loc"] for entry in fresh]
        if not any([_take_out(raw, entry["loc"]) for entry in fresh]):
            break
    return found


def _caused_by(at: Location, removed: list[Location]) -> bool:
    if at == ():  # the file as a whole: its check reads these keys
        return any(gone == () or gone[0] in ("motion", "snapshots", "entities") for gone in removed)
    return any(gone[: len(at)] == at for gone in removed)


def _take_out(raw: Any, at: Location) -> bool:
    if not at:
        return False
    for part in at[:-1]:
        if not isinstance(raw, dict | list) or (isinstance(raw, dict) and part not in raw):
            return False
        raw = raw[part]  # type: ignore[index]
    if isinstance(raw, dict) and at[-1] in raw:
        del raw[at[-1]]
        return True
    return False


def _lines(node: yaml.Node | None, at: Location) -> Iterator[tuple[Location, int]]:
    if node is not None:
        yield at, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*at, key.value), key.start_mark.line + 1
            yield from (
                (deeper, line) for deeper, line in _lines(value, (*at, key.value)) if deeper != (*at, key.value)
            )
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*at, index))


def _repeats(node: yaml.Node | None, at: Location) -> Iterator[tuple[Location, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield (*at, key.value), key.start_mark.line + 1
            seen.add(key.value)
            yield from _repeats(value, (*at, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _repeats(value, (*at, index))


def _fault(entry: Any, lines: dict[Location, int], model: type[BaseModel]) -> Fault:
    at: Location = tuple(entry["loc"])
    path = ".".join(map(str, at))
    line = next((lines[at[:end]] for end in range(len(at), -1, -1) if at[:end] in lines), None)
    kind, received = entry["type"], entry.get("input")
    if kind == "extra_forbidden":
        names = _keys_at(model, at[:-1])
        close = nearest(str(at[-1]), names)
        hint = f", did you mean `{close}`?" if close else "."
        return Fault(path, f"unknown key `{at[-1]}`{hint} Allowed: {', '.join(names)}", line)
    if kind == "missing":
        return Fault(path, "missing; this key is needed", line)
    if kind == "value_error":
        return Fault(path, str(entry["ctx"]["error"]), line)
    message = entry["msg"][0].lower() + entry["msg"][1:]
    return Fault(path, f"{message}. Received: {received!r}" if not isinstance(received, dict | list) else message, line)


def _keys_at(model: type[BaseModel], at: Location) -> list[str]:
    """The keys allowed at a place in the file."""
    here: Any = model
    for part in at:
        if isinstance(part, int):
            continue
        field = next((f for name, f in here.model_fields.items() if part in (name, f.alias)), None)
        here = _model_in(field.annotation) if field is not None else None
        if here is None:
            return []
    return [field.alias or name for name, field in here.model_fields.items()] + list(getattr(here, "shorthands", ()))


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg)) is not None), None)
