"""Write a definition as a draft of a HubSpot list (segment): the request that creates it, and the properties it reads.

The shape is that of the Lists API (`POST /crm/v3/lists`): a root branch of type OR, in it branches of type AND, in these
filters on properties, each with an operation. HubSpot has none of the numbers that a definition compares, so each becomes a
custom property.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, combinations, product
from math import prod
from typing import Any

from pql_model.config.definition import Criterion, Definition
from pql_model.config.schema import Config
from pql_model.criteria.column_names import column_names, criterion_subject
from pql_model.criteria.definition_text import definition_text
from pql_model.errors import DataError
from pql_model.features.spec import Feature

_OPERATORS = {
    ">=": "IS_GREATER_THAN_OR_EQUAL_TO",
    ">": "IS_GREATER_THAN",
    "<=": "IS_LESS_THAN_OR_EQUAL_TO",
    "<": "IS_LESS_THAN",
    "==": "IS_EQUAL_TO",
    "!=": "IS_NOT_EQUAL_TO",
}
_OBJECTS = {"account": ("0-2", "companies", "companyinformation"), "user": ("0-1", "contacts", "contactinformation")}
"""Kind of entity -> object type of a list, path of the properties API, and the group of properties that every account has."""
_MOST_BRANCHES = 50
_LONGEST_LABEL = 250


def hubspot_list(config: Config, definition: Definition) -> dict[str, Any]:
    """Draft the list and its properties.

    Returns
    -------
    dict
        `list`: the body of `POST /crm/v3/lists`. `properties`: the body of
        `POST /crm/v3/properties/{object}/batch/create`. `feeds`: property -> the feature or trait it must hold.

    Raises
    ------
    DataError
        If the definition needs more branches than a list can be read with.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> config = pql_model.load_config(pql_model.make_demo(tempfile.mkdtemp(), accounts=100) / "pql.yaml")
    >>> draft = hubspot_list(config, config.definition)
    >>> draft["list"]["filterBranch"]["filterBranches"][0]["filters"][0]["operation"]["operator"]
    'IS_GREATER_THAN_OR_EQUAL_TO'
    """
    object_type, path, group = _OBJECTS[config.entity]
    names = {subject: f"pql_{name}" for subject, name in column_names(definition).items()}
    branches = [
        _branch("AND", filters=[_filter(criterion, names) for criterion in chosen]) for chosen in _ways(definition)
    ]
    return {
        "object": path,
        "list": {
            "name": f"{config.name}: {definition_text(definition)}"[:_LONGEST_LABEL],
            "objectTypeId": object_type,
            "processingType": "DYNAMIC",
            "filterBranch": _branch("OR", branches=branches),
        },
        "properties": {"inputs": [_property(subject, name, group, definition) for subject, name in names.items()]},
        "feeds": {
            name: {"feature": subject.name} if isinstance(subject, Feature) else {"trait": subject}
            for subject, name in names.items()
        },
    }


def _ways(definition: Definition) -> Iterator[tuple[Criterion, ...]]:
    """The smallest sets of conditions that meet the definition: a list has no `at least k of`."""
    branches = _branch_count(definition)
    if branches > _MOST_BRANCHES:
        raise DataError(
            f"A HubSpot list would need {branches:,} branches for this definition",
            received=definition_text(definition),
            allowed=f"up to {_MOST_BRANCHES} branches",
            remedy="write a definition with fewer conditions",
        )
    return _sets(definition)


def _branch_count(member: Criterion | Definition) -> int:
    if isinstance(member, Criterion):
        return 1
    counts = [_branch_count(each) for each in member.members]
    return sum(prod(chosen) for chosen in combinations(counts, member.least))


def _sets(member: Criterion | Definition) -> Iterator[tuple[Criterion, ...]]:
    if isinstance(member, Criterion):
        yield (member,)
        return
    for chosen in combinations(member.members, member.least):
        for parts in product(*map(_sets, chosen)):
            together = list(chain(*parts))
            yield tuple(each for place, each in enumerate(together) if each not in together[:place])


def _branch(
    kind: str, *, branches: list[dict[str, Any]] | None = None, filters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {
        "filterBranchType": kind,
        "filterBranchOperator": kind,
        "filterBranches": branches or [],
        "filters": filters or [],
    }


def _filter(criterion: Criterion, names: Mapping[Feature | str, str]) -> dict[str, Any]:
    """A condition as a filter. A record without a value does not pass, as in pql."""
    operation: dict[str, Any] = {"includeObjectsWithNoValueSet": False}
    if criterion.in_ is not None:
        operation |= {"operationType": "MULTISTRING", "operator": "IS_EQUAL_TO", "values": list(criterion.in_)}
    else:
        threshold = float(criterion.threshold or 0.0)
        number = int(threshold) if threshold.is_integer() else threshold
        operation |= {"operationType": "NUMBER", "operator": _OPERATORS[str(criterion.operator)], "value": number}
    return {"filterType": "PROPERTY", "property": names[criterion_subject(criterion)], "operation": operation}


def _property(subject: Feature | str, name: str, group: str, definition: Definition) -> dict[str, Any]:
    what = subject.text.replace("`", "") if isinstance(subject, Feature) else subject
    is_text = any(each.in_ is not None and each.trait == subject for each in definition.criteria)
    return {
        "name": name,
        "label": f"PQL: {what}"[:_LONGEST_LABEL],
        "description": f"{what[0].upper()}{what[1:]}, as pql computes it.",
        "groupName": group,
        "type": "string" if is_text else "number",
        "fieldType": "text" if is_text else "number",
    }
