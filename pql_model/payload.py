"""Results as the JSON objects that commands, files and endpoints emit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def to_payload(value: Any, digits: int | None = None) -> Any:
    """Turn a value into one that `json.dumps` accepts.

    An object with a `to_dict` gives that; any other dataclass gives its fields. Tuples become lists and NaN becomes None.

    Parameters
    ----------
    value : object
        A dataclass, or plain values, mappings and sequences of them.
    digits : int, optional
        Round every float to this many decimals.

    Returns
    -------
    object
        Made of dict, list, str, int, float, bool and None only.

    Examples
    --------
    >>> to_payload({"rates": (0.25, float("nan")), "rows": 3})
    {'rates': [0.25, None], 'rows': 3}
    >>> to_payload([1 / 3], digits=4)
    [0.3333]
    """
    if value is None or isinstance(value, str):  # most values, and the look for a `to_dict` is slow
        return value
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    elif is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: to_payload(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_payload(item, digits) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(float(value), digits) if digits is not None else float(value)
    return value


def select_attributes(source: object, *names: str, digits: int | None = None, **renamed: str) -> dict[str, Any]:
    """Select attributes of an object as a JSON object, for a `to_dict` that merely lists them.

    Parameters
    ----------
    source : object
        Attributes and properties are read from it.
    *names : str
        Attributes whose key is their name. Without any, all fields of the dataclass that are not renamed.
    digits : int, optional
        Round every float to this many decimals.
    **renamed : str
        Key -> attribute, where they differ.

    Returns
    -------
    dict
        Key -> what `to_payload` makes of the attribute.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Step:
    ...     part: str
    ...     effect: float
    ...     text: str
    >>> select_attributes(Step("fit", 0.123456, "fits well"), digits=4, words="text")
    {'part': 'fit', 'effect': 0.1235, 'words': 'fits well'}
    >>> select_attributes(Step("fit", 0.5, ""), "part")
    {'part': 'fit'}
    """
    if not names and is_dataclass(source):
        names = tuple(field.name for field in fields(source) if field.name not in renamed.values())
    keys = {name: name for name in names} | renamed
    return {key: to_payload(getattr(source, attribute), digits) for key, attribute in keys.items()}
