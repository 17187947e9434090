"""The growth object as the sections of the report read it: its nodes, the rules to show, and which rates can be judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from markupsafe import Markup

from pql_model.criteria.definition_metrics import TOO_FEW
from pql_model.criteria.export import condition_yaml
from pql_model.page import numbers
from pql_model.page.markup import names, without_controls
from pql_model.report.charts import Mark

Shown = TypeVar("Shown", bound=Any)


@dataclass(frozen=True, eq=False)
class GrowthNode:
    """A value of the growth object and its path there, so that a number is printed with its path.

    >>> root = GrowthNode({"base": {"later": {"value": 0.061}}})
    >>> root["base"]["later"]["value"].path, root["base"]["later"]["value"].raw
    ('base.later.value', 0.061)
    """

    raw: Any
    path: str = ""

    def __getitem__(self, key: str | int) -> GrowthNode:
        return GrowthNode(self.raw[key], f"{self.path}.{key}".lstrip("."))

    def __iter__(self) -> Iterator[GrowthNode]:
        return (self[at] for at in range(len(self.raw)))

    def __len__(self) -> int:
        return len(self.raw)

    def __bool__(self) -> bool:
        return bool(self.raw)

    def __contains__(self, key: object) -> bool:
        return key in self.raw

    def __str__(self) -> str:
        return str(self.raw)

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return self.raw is not None


@dataclass(frozen=True)
class View:
    """The growth object and the data of the explorer.

    Parameters
    ----------
    data
        The growth object: see `docs/report.md`.
    explorer
        Data from `explorer_data`, or None.
    """

    data: dict[str, Any]
    explorer: dict[str, Any] | None = None

    @cached_property
    def growth(self) -> GrowthNode:
        return GrowthNode(self.data)

    @cached_property
    def per(self) -> int:
        """100, or 1,000 where all rates are below 1 %: one denominator for the whole page."""
        return numbers.denominator(_rates(self.data))

    @property
    def entity(self) -> str:
        return str(self.data["entity"])

    @property
    def entities(self) -> str:
        return f"{self.entity}s"

    @property
    def mode(self) -> str:
        """Mode of the explorer: counts, rows or off."""
        return str(self.explorer["mode"]) if self.explorer else "off"

    @cached_property
    def best(self) -> GrowthNode | None:
        """The definition to show: the recommended one, or the first."""
        return shown_definition(list(self.growth["definitions"]))

    @property
    def in_force(self) -> GrowthNode | None:
        """The rule in force, or None."""
        return self.growth["in_force"] if self.data["in_force"] is not None else None

    def can_judge(self, cell: GrowthNode) -> bool:
        """Whether the rate of a cell with `entities`, `conversions` and `rate` may be printed."""
        base = self.data["base"]["later"]["value"]
        counts = cell["entities"].raw, cell["conversions"].raw
        return cell["rate"]["value"].known and numbers.judgeable(*counts, base)

    def is_judged(self, tested: GrowthNode) -> bool:
        """Whether the test of a rule may be summed up as a rate."""
        return tested["note"].raw != TOO_FEW and tested["rate"]["value"].known

    def print_number(self, node: GrowthNode, style: str) -> Markup:
        """Print a number in one of `numbers.STYLES`, in a `<span>` that names its path in the growth object.

        >>> data = {"base": {"later": {"value": 0.061}}}
        >>> view = View(data)
        >>> view.print_number(view.growth["base"]["later"]["value"], "percent")
        Markup('<span data-key="base.later.value" data-as="percent">6.1 %</span>')
        """
        text = without_controls(numbers.STYLES[style](node.raw, self.per))
        return Markup('<span data-key="{}" data-as="{}">{}</span>').format(node.path, style, text)

    def mark(self, cell: GrowthNode, kind: str) -> Mark:
        """A mark of a chart, with the text beside it."""
        rate, qualified, conversions = (cell[key].raw for key in ("rate", "entities", "conversions"))
        if not self.can_judge(cell):
            text = f"{numbers.counts(conversions, qualified)}, too few" if qualified else "nobody"
            return Mark(rate, "few", text)
        return Mark(rate, kind, f"{numbers.frequency(rate['value'], self.per)} ({numbers.interval(rate, self.per)})")


def shown_definition(definitions: Sequence[Shown]) -> Shown | None:
    """The definition to show: the recommended one, or the first."""
    return next((each for each in definitions if each["recommended"]), definitions[0] if definitions else None)


def rule_meaning(rule: Mapping[str, Any]) -> tuple[list[str], int]:
    """A key that is equal for equivalent rules: the conditions, and how many of them must hold.

    >>> seats = {"trait": "seats", "operator": ">=", "threshold": 5}
    >>> one = {"conditions": [seats], "join": "any", "k": None}
    >>> rule_meaning(one) == rule_meaning({**one, "join": "all"})
    True
    """
    lines = sorted(condition_yaml(condition) for condition in rule["conditions"])
    join = rule.get("join", "all")
    return lines, len(lines) if join == "all" else rule["k"] if join == "at_least_k" else 1


def rule_text(rule: GrowthNode) -> Markup:
    """A rule in words, its names set off: two criteria read better as `a and b` than as `all of: a; b`.

    >>> rule_text(GrowthNode({"text": "all of: 1 `a`; 2 `b`", "parts": ["1 `a`", "2 `b`"], "join": "all", "k": None}))
    Markup('1 <b>a</b> and 2 <b>b</b>')
    """
    parts = _criteria(rule)
    if parts is None:
        return names(str(rule["text"]))
    return names(numbers.join_criteria(parts, rule["join"].raw, rule["k"].raw))


@dataclass(frozen=True)
class RuleLines:
    """A rule as a list to tick: how its criteria are joined (empty for a single one), and each criterion."""

    join: str
    lines: tuple[Markup, ...]


def rule_lines(rule: GrowthNode) -> RuleLines:
    """Split a rule into its criteria.

    >>> rule_lines(GrowthNode({"text": "any of: 1 `a`; 2 `b`", "parts": ["1 `a`", "2 `b`"], "join": "any", "k": None}))
    RuleLines(join='Any of these 2', lines=(Markup('1 <b>a</b>'), Markup('2 <b>b</b>')))
    """
    parts = _criteria(rule)
    if parts is None:
        return RuleLines("", (names(str(rule["text"])),))
    least = {"all": "All", "any": "Any"}.get(rule["join"].raw, f"At least {rule['k'].raw or 1}")
    return RuleLines(
        f"{least} of these {len(parts)}",
        tuple(names(part.removeprefix("(").removesuffix(")") if part.startswith("(") else part) for part in parts),
    )


def _criteria(rule: GrowthNode) -> list[str] | None:
    """The texts of the criteria of a rule of several."""
    parts = [str(part) for part in rule["parts"].raw]
    return parts if len(parts) > 1 else None


def _rates(at: Any) -> Iterator[float | None]:
    """Every rate that the page prints as `of 100`, except those of a few rows: 1 of 1 must not decide for the page."""
    if isinstance(at, dict):
        count = at.get("qualified", at.get("entities"))
        unjudgeable = count is not None and "conversions" in at and not numbers.judgeable(count, at["conversions"])
        for key, value in at.items():
            if key in ("rate", "base_rate", "observed") and isinstance(value, dict):
                yield None if unjudgeable else value.get("value")
            elif key != "explorer":
                yield from _rates(value)
    elif isinstance(at, list):
        for item in at:
            yield from _rates(item)
