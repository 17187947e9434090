"""Names of the numbers that a definition compares, as columns of a table or properties of a CRM."""

from __future__ import annotations

import re

from pql_model.config.definition import Criterion, Definition
from pql_model.features.spec import Feature, declared_feature
from pql_model.measures import ANY

_LONGEST_NAME = 55
"""PostgreSQL truncates names after 63 bytes."""


def criterion_subject(criterion: Criterion) -> Feature | str:
    """Return the feature or the trait that a condition reads."""
    return criterion.trait if criterion.trait is not None else declared_feature(criterion)


def column_names(definition: Definition) -> dict[Feature | str, str]:
    """Name a column for each feature or trait that a definition reads. No dialect needs quotes for it.

    >>> boards = {"event": "Board Created", "at_least": 5, "within": "first 7d"}
    >>> list(column_names(Definition.model_validate({"all": [boards]})).values())
    ['board_created_count_first_7d']
    """
    names: dict[Feature | str, str] = {}
    for criterion in definition.criteria:
        subject = criterion_subject(criterion)
        if subject not in names:
            names[subject] = _name(subject, set(names.values()))
    return names


def _name(subject: Feature | str, used_names: set[str]) -> str:
    if isinstance(subject, str):
        parts = ["trait", subject]
    else:
        event = [] if subject.event == ANY and subject.measure != "count" else ["_or_".join(subject.subject.events)]
        after = ["after", subject.after, str(subject.gap)] if subject.after is not None else []
        window = [subject.window.slug] if subject.when else []
        share = ["of", subject.share_of] if subject.share_of is not None else []
        parts = [*event, *after, subject.measure, *([subject.value] if subject.value else []), *window, *share]
    name = re.sub(r"[^a-z0-9]+", "_", "_".join(parts).lower()).strip("_")
    name = name if name[0].isalpha() else f"of_{name}"
    name = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME // 2]}_{name[-_LONGEST_NAME // 2 + 1 :]}"
    return next(n for n in (name, *(f"{name}_{k}" for k in range(2, len(used_names) + 3))) if n not in used_names)
