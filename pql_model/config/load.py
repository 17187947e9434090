"""Reader for `pql.yaml` that reports all errors at once, each with its line and the nearest valid name."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, Tag, ValidationError

from pql_model.config.definition import Definition
from pql_model.config.nesting import refuse_depth
from pql_model.config.policy_settings import Policy
from pql_model.config.schema import Config
from pql_model.errors import ConfigError, DataError, Fault, did_you_mean, nearest

Location = tuple[int | str, ...]
Model = TypeVar("Model", bound=BaseModel)
_NOWHERE: Location = ("",)


class _TextKeys(yaml.SafeLoader):
    """A safe loader that reads the key `on` as a text, where YAML sees the boolean true."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:bool":
                key.tag = "tag:yaml.org,2002:str"
        return dict(super().construct_mapping(node, deep))


def load_config(path: str | Path) -> Config:
    """Read and validate a `pql.yaml`.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Config
        Frozen; relative paths in it start from the file's folder (`config.home`).

    Raises
    ------
    ConfigError
        With every error in the file, each with its line.
    DataError
        If there is no such file.

    Examples
    --------
    >>> load_config("no-such.yaml")
    Traceback (most recent call last):
    ...
    pql_model.errors.DataError: There is no config file. Received: no-such.yaml. Fix: write one with `pql init ...
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(
            "There is no config file",
            received=path,
            remedy="write one with `pql init --events FILE`, or name it with `--config`",
        )
    return parse_config(_text_of(path), source=path.name).at(path.resolve().parent)


def parse_config(text: str, source: str = "pql.yaml") -> Config:
    """Validate the text of a `pql.yaml`; `source` names it in errors."""
    return _parse(text, source, Config)


def load_definition(path: str | Path) -> Definition:
    """Read a definition from a YAML file, either at the top or under the key `definition:`, which may have siblings.

    Raises
    ------
    ConfigError
        With every error in the definition, each with its line.
    DataError
        If there is no such file.
    """
    return _load_part(Path(path), Definition, "definition", "`all:`, `any:` or `at_least_k:`")


def parse_definition(raw: Mapping[str, Any], source: str) -> Definition:
    """Read a definition from values, as JSON has them; `source` names them in errors.

    Raises
    ------
    ConfigError
        With every error in the definition.
    """
    return _parse(json.dumps(dict(raw), ensure_ascii=False), source, Definition, key="definition")


def load_policy(path: str | Path) -> Policy:
    """Read a policy from a YAML file, either at the top or under the key `policy:`, which may have siblings.

    Raises
    ------
    ConfigError
        With every error in the policy, each with its line.
    DataError
        If there is no such file.
    """
    return _load_part(Path(path), Policy, "policy", "`capacity:`, `probability:`, `precision:` or `definition:`")


def _load_part(path: Path, model: type[Model], key: str, keys: str) -> Model:
    if not path.is_file():
        raise DataError(
            f"There is no {key} file",
            received=f"{path}, which is a folder" if path.is_dir() else path,
            remedy=f"name a YAML file with {keys}",
        )
    return _parse(_text_of(path), path.name, model, key=key)


def config_json_schema() -> dict[str, Any]:
    """Build the JSON schema of `pql.yaml`, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(by_alias=True),
    }


def dump_config(config: Config) -> str:
    """Format a config as YAML that reads back as the same config."""
    plain = json.loads(config.model_dump_json(by_alias=True, exclude_none=True))
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(path.name, [Fault("", f"not UTF-8 text: {error.reason} at byte {error.start}")]) from error


def _parse(text: str, source: str, model: type[Model], key: str | None = None) -> Model:
    try:
        refuse_depth(text, source)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.load(text, Loader=_TextKeys)  # noqa: S506  # a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "cannot be read"
        line = mark.line + 1 if mark else None
        raise ConfigError(source, [Fault("", f"not valid YAML: {problem}", line)]) from error
    _refuse_other_than_mapping(raw, source, model)
    lines: dict[Location, int] = {(): node.start_mark.line + 1} if node is not None else {}
    faults = []
    try:
        for at, line in _lines(node, ()):
            if at in lines:
                faults.append(Fault(".".join(map(str, at)), "given twice; keep one", line))
            lines[at] = line
    except RecursionError as error:
        raise ConfigError(source, [Fault("", "an alias refers to itself; write the part out")]) from error
    if key is not None and key in raw and not set(raw) & set(_keys_at(model, ())):
        raw = raw[key]
        lines = {at[1:]: line for at, line in lines.items() if at[:1] == (key,)}
        _refuse_other_than_mapping(raw, source, model, key)
    return parse_part(raw, model, source, lines, faults)


def parse_part(
    raw: dict[str, Any],
    model: type[Model],
    source: str,
    lines: dict[Location, int] | None = None,
    faults: Sequence[Fault] = (),
) -> Model:
    """Validate keys and values as a part of the config; `source` names them in errors.

    Raises
    ------
    ConfigError
        With every error, including the earlier `faults`.
    """
    entries = _all_errors(model, raw)
    all_faults = [*faults, *(fault for entry in entries for fault in _faults(entry, lines or {}, model))]
    if all_faults:
        raise ConfigError(source, all_faults)
    return model.model_validate(raw)


def _refuse_other_than_mapping(raw: Any, source: str, model: type[BaseModel], at: str = "") -> None:
    if not isinstance(raw, dict):
        example = "all: [{event: login, at_least: 3}]" if model is Definition else "name: my-product"
        received = "nothing" if raw is None else type(raw).__name__
        raise ConfigError(source, [Fault(at, f"needs keys and values such as `{example}`. Received: {received}")])


def _all_errors(model: type[BaseModel], raw: dict[str, Any]) -> list[Any]:
    """Collect all errors, including those that pydantic hides because it validates a model after its fields.

    Invalid values are removed or replaced by valid ones and the rest is validated again. Errors that only a removal
    causes are not reported.
    """
    collected: list[Any] = []
    removed: list[Location] = []
    raw = copy.deepcopy(raw)
    for _ in range(8):
        try:
            model.model_validate(raw)
            break
        except ValidationError as error:
            errors = error.errors()
        collected += [entry for entry in errors if not _caused_by(entry["loc"], removed)]
        repaired = [_repair(raw, entry, errors, model, removed) for entry in errors]
        removed += [at for at in repaired if at is not None]
        if not any(at is not None for at in repaired):
            break
    return collected


def _caused_by(at: Location, removed: list[Location]) -> bool:
    if at == ():  # the validator of the whole file reads these keys
        return any(gone == () or gone[0] in ("motion", "snapshots", "entities") for gone in removed)
    return any(gone[: len(at)] == at or at[: len(gone)] == gone for gone in removed)


def _repair(
    raw: Any, entry: Any, errors: list[Any], model: type[BaseModel], removed: list[Location]
) -> Location | None:
    """Remove the cause of one error; return its location, or None if nothing was changed.

    A model waits until its fields are valid. Removing an unknown key that resembles no other causes no error.
    """
    at: Location = tuple(entry["loc"])
    if not at or any(other["loc"] != at and other["loc"][: len(at)] == at for other in errors):
        return None
    if at[-1] in _kinds_at(model, at[:-1]) and hasattr(_model_at(model, at), "stub"):
        at = at[:-1]
    while isinstance(at[-1], int) and _stub_at(model, at) is None and len(at) > 1:
        at = at[:-1]  # an item of a plain list: remove the list
    while removed.count(at) > 1 and len(at) > 1:
        at = at[:-1]  # removing this did not help: remove what contains it
    holder = raw
    for part in _in_the_file(model, at)[:-1]:
        if isinstance(holder, dict) and part not in holder:
            return None
        holder = holder[part]
    key, stub = at[-1], _stub_at(model, at)
    unknown = entry["type"] == "extra_forbidden"
    if not unknown and (stub is not None or entry["type"] == "missing"):
        holder[key] = copy.deepcopy(stub) if stub is not None else "x"
    elif isinstance(holder, dict) and key in holder:
        del holder[key]
    else:
        return None
    if unknown and nearest(str(key), _keys_at(model, at[:-1])) is None:
        return _NOWHERE
    return at


def _stub_at(model: type[BaseModel], at: Location) -> Any:
    """A valid replacement for an invalid value, where the model declares one."""
    stub = getattr(_model_at(model, at), "stub", None)
    if stub is None or isinstance(at[-1], int):
        return stub
    annotation = _field_at(_model_at(model, at[:-1]), at[-1]).annotation
    return [stub] if list in (get_origin(annotation), *map(get_origin, get_args(annotation))) else stub


def _lines(node: yaml.Node | None, at: Location) -> Iterator[tuple[Location, int]]:
    """Yield the location and line of every key and item; a repeated key comes twice, what it contains once."""
    if isinstance(node, yaml.MappingNode):
        last = {key.value: value for key, value in node.value}
        for key, value in node.value:
            yield (*at, key.value), key.start_mark.line + 1
            if value is last[key.value]:
                yield from _lines(value, (*at, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*at, index), value.start_mark.line + 1
            yield from _lines(value, (*at, index))


def _faults(entry: Any, lines: dict[Location, int], model: type[BaseModel]) -> Iterator[Fault]:
    """Turn an error of pydantic into faults; the validator of the whole file reports one per line."""
    if entry["type"] == "value_error" and not entry["loc"]:
        for message in str(entry["ctx"]["error"]).split("\n"):
            words = re.findall(r"\w+", message)  # the first word that is a key of the file gives the line
            yield Fault("", message, next((lines[(word,)] for word in words if (word,) in lines), None))
    else:
        yield _fault(entry, lines, model)


def _fault(entry: Any, lines: dict[Location, int], model: type[BaseModel]) -> Fault:
    at: Location = tuple(entry["loc"])
    place = _in_the_file(model, at)
    path = ".".join(map(str, place))
    line = next((lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in lines), None)
    kind, received = entry["type"], entry.get("input")
    if kind == "union_tag_not_found":
        return Fault(f"{path}.kind", f"missing; this key is required. Allowed: {', '.join(_kinds_at(model, at))}", line)
    if kind == "union_tag_invalid":
        tag, kinds = str(entry["ctx"]["tag"]).strip("'"), _kinds_at(model, at)
        hint = did_you_mean(nearest(tag, kinds)) or "."
        return Fault(f"{path}.kind", f"unknown kind `{tag}`{hint} Allowed: {', '.join(kinds)}", line)
    if kind == "extra_forbidden":
        names = _keys_at(model, at[:-1])
        close = nearest(str(at[-1]), names)
        hint = did_you_mean(close) or "."
        return Fault(path, f"unknown key `{at[-1]}`{hint} Allowed: {', '.join(names)}", line)
    if kind == "missing":
        return Fault(path, "missing; this key is required", line)
    if kind == "value_error":
        return Fault(path, str(entry["ctx"]["error"]), line)
    message = re.sub(r" or instance of \w+", "", entry["msg"][0].lower() + entry["msg"][1:])
    if kind == "string_type" and isinstance(received, bool):
        message += "; YAML reads on, off, yes and no as true or false: quote it"
    return Fault(path, f"{message}. Received: {received!r}" if not isinstance(received, dict | list) else message, line)


def _keys_at(model: type[BaseModel], at: Location) -> list[str]:
    """The keys allowed at a location."""
    here = _model_at(model, at)
    if here is None:
        return []
    return [field.alias or name for name, field in here.model_fields.items()] + list(getattr(here, "shorthands", ()))


def _model_at(model: type[BaseModel], at: Location) -> Any:
    """The model at a location, if there is one."""
    here: Any = model
    kinds: dict[str, Any] = {}  # of a list whose items are of several kinds, the model of each
    by_name = False  # whether the next part is a name that the file chooses, such as a column under `where`
    for part in at:
        if isinstance(part, int):
            continue
        if part in kinds:
            here, kinds = kinds[str(part)], {}
            continue
        if by_name:
            by_name = False
            continue
        field = _field_at(here, part)
        here = _model_in(field.annotation) if field is not None else None
        if field is None or here is None:
            return None
        kinds = _models_by_kind(field.annotation)
        by_name = dict in (get_origin(field.annotation), *map(get_origin, get_args(field.annotation)))
    return here


def _in_the_file(model: type[BaseModel], at: Location) -> Location:
    """Leave out the kind that pydantic adds to the location of an item of several kinds: the file does not nest it."""
    return tuple(part for end, part in enumerate(at) if part not in _kinds_at(model, at[:end]))


def _kinds_at(model: type[BaseModel], at: Location) -> dict[str, Any]:
    """The kinds that an item of a list may have, with the model of each; empty at any other location."""
    if len(at) < 2 or not isinstance(at[-1], int):
        return {}
    holder = _model_at(model, at[:-2])
    field = _field_at(holder, str(at[-2])) if holder is not None else None
    return _models_by_kind(field.annotation) if field is not None else {}


def _models_by_kind(annotation: Any) -> dict[str, Any]:
    for item in get_args(annotation):
        by = next((about.discriminator for about in _about(item) if hasattr(about, "discriminator")), None)
        if by == "kind":
            return {
                kind: m for m in get_args(get_args(item)[0]) for kind in get_args(m.model_fields["kind"].annotation)
            }
        if by is not None:
            return {
                about.tag: _model_in(choice)
                for choice in get_args(get_args(item)[0])
                for about in _about(choice)
                if isinstance(about, Tag)
            }
        if kinds := _models_by_kind(item):
            return kinds
    return {}


def _about(annotation: Any) -> tuple[Any, ...]:
    """What `Annotated` says beside the type."""
    return getattr(annotation, "__metadata__", ())


def _field_at(model: Any, key: str) -> Any:
    return next((field for name, field in model.model_fields.items() if key in (name, field.alias)), None)


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg)) is not None), None)
