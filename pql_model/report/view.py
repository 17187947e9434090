"""What every section asks of the growth object: the rule to show, the nouns, and whether a rate may be said at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pql_model.criteria.definition_metrics import TOO_FEW
from pql_model.report import numbers
from pql_model.report.charts import Mark
from pql_model.report.markup import Facts, marked, tag


@dataclass(frozen=True)
class View:
    """The growth object, read once.

    Parameters
    ----------
    growth
        See `docs/report.md`.
    explorer
        What `explorer_data` made, or None.
    """

    growth: dict[str, Any]
    explorer: dict[str, Any] | None = None

    @cached_property
    def per(self) -> int:
        """100, or 1,000 where all rates are below 1 %: one denominator for the whole page."""
        return numbers.denominator(_rates(self.growth))

    @cached_property
    def facts(self) -> Facts:
        return Facts(self.growth, self.per)

    @property
    def one(self) -> str:
        return str(self.growth["entity"])

    @property
    def many(self) -> str:
        return f"{self.one}s"

    @property
    def base(self) -> float | None:
        """The rate of everyone in the later weeks."""
        rate: float | None = self.growth["base"]["later"]["value"]
        return rate

    @cached_property
    def best(self) -> str | None:
        """Where the rule to show stands: the recommended one, or the first."""
        found = self.growth["definitions"]
        at = next((at for at, rule in enumerate(found) if rule["recommended"]), 0)
        return f"definitions.{at}" if found else None

    @property
    def rule_in_force(self) -> bool:
        return self.growth["in_force"] is not None

    def says(self, key: str, qualified: int, conversions: int) -> bool:
        """Whether the rate at `key` may be printed."""
        value = self.facts.get(f"{key}.value")
        return value is not None and numbers.judgeable(qualified, conversions, self.base)

    def judged(self, tested: str) -> bool:
        """Whether the test at `tested` may be summed up as a rate."""
        found = self.facts.get(tested)
        return found["note"] != TOO_FEW and found["rate"]["value"] is not None

    def rate_of(self, tested: str) -> str:
        """`37 %` with the counts behind it, or only the counts."""
        found = self.facts.get(tested)
        behind = (
            f"{self.facts.say(f'{tested}.conversions', 'count')} of {self.facts.say(f'{tested}.qualified', 'count')}"
        )
        if not self.judged(tested):
            return f"{behind}: {TOO_FEW}" if found["qualified"] else "nobody meets it"
        return f"{self.facts.say(f'{tested}.rate.value', 'percent')}{tag('small', behind)}"

    def cell_rate(self, key: str) -> str:
        """The same of a cell with `entities`, `conversions` and `rate`."""
        cell = self.facts.get(key)
        behind = f"{self.facts.say(f'{key}.conversions', 'count')} of {self.facts.say(f'{key}.entities', 'count')}"
        if not self.says(f"{key}.rate", cell["entities"], cell["conversions"]):
            return f"{behind}: {TOO_FEW}" if cell["entities"] else "nobody"
        return f"{self.facts.say(f'{key}.rate.value', 'percent')}{tag('small', behind)}"

    def cell_range(self, key: str) -> str:
        """The range of a cell, or a dash where its rate is not said."""
        cell = self.facts.get(key)
        if not self.says(f"{key}.rate", cell["entities"], cell["conversions"]):
            return "–"
        return self.facts.say(f"{key}.rate", "percent_span")

    def mark(self, rate: dict[str, Any], qualified: int, conversions: int, kind: str, name: str = "") -> Mark:
        """A mark of a chart, with what stands beside it."""
        before = f"{name}: " if name else ""
        if rate["value"] is None or not numbers.judgeable(qualified, conversions, self.base):
            return Mark(
                rate, "few", before + (f"{numbers.counts(conversions, qualified)}, too few" if qualified else "nobody")
            )
        return Mark(rate, kind, f"{before}{numbers.of(rate['value'], self.per)} ({numbers.span(rate, self.per)})")

    def roughly(self, key: str) -> str:
        """`about 37`, of an estimate."""
        text = self.facts.say(f"{key}.value", "of")
        return text if "than" in text else f"about {text}"

    def everyone(self) -> str:
        """The rate of everyone, said with its number."""
        return self.facts.say("base.later.value", "of")


def rule_text(rule: dict[str, Any]) -> str:
    """A rule in words, its names set off: two criteria read better as `a and b` than as `all of: a; b`.

    >>> rule_text({"text": "all of: 1 `a`; 2 `b`", "conditions": [{}, {}], "join": "all", "k": None})
    '1 <b>a</b> and 2 <b>b</b>'
    """
    text, count = str(rule["text"]), len(rule.get("conditions", []))
    parts = text.partition(" of: ")[2].split("; ")
    if len(parts) == count > 1:  # else a name holds a `; `
        text = numbers.rule(parts, rule["join"], rule["k"])
    return marked(text)


def capital(text: str) -> str:
    """A sentence begins with a capital letter, also where its first letter stands inside an element.

    >>> capital("<b>at</b> least"), capital("at least")
    ('<b>At</b> least', 'At least')
    """
    inside = False
    for at, letter in enumerate(text):
        inside = letter == "<" or (inside and letter != ">")
        if not inside and letter != ">":
            return text[:at] + letter.upper() + text[at + 1 :]
    return text


def _rates(at: Any) -> Iterator[float | None]:
    """Every rate that the page prints as `of 100`, but for those of a few rows: 1 of 1 must not decide for the page."""
    if isinstance(at, dict):
        seen = at.get("qualified", at.get("entities"))
        few = seen is not None and "conversions" in at and not numbers.judgeable(seen, at["conversions"])
        for key, value in at.items():
            if key in ("rate", "base_rate", "observed") and isinstance(value, dict):
                yield None if few else value.get("value")
            elif key != "explorer":
                yield from _rates(value)
    elif isinstance(at, list):
        for item in at:
            yield from _rates(item)
