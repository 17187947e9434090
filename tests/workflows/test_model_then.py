"""Which model was in force at an instant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
from small_model import small_model

from pql_model.registry.tracking import RegisteredModel
from pql_model.time import DAY, parse_instant
from pql_model.workflows.model_then import learnt_from_newest, model_then, seen_to

CONFIG = SimpleNamespace(horizon=SimpleNamespace(us=30 * DAY))
MODEL = small_model()


@dataclass
class Versions:
    """A registry: version -> the newest snapshot that it knows; the last is the champion unless another is."""

    newest: dict[str, str]
    in_force: str
    refused: tuple[str, ...] = ()

    def load(self, name: str) -> RegisteredModel:
        version = self.in_force if name == "champion" else name
        facts = {**MODEL.facts, "train": {"to": "2025-01-01"}, "test": {"to": self.newest[version]}}
        return RegisteredModel("boards", version, "run", replace(MODEL, facts=facts))

    def versions(self):
        return [
            SimpleNamespace(
                version=version,
                promoted_at=None if version in self.refused else "2026-01-01",
                promotion="not promoted: worse" if version in self.refused else "promoted",
            )
            for version in sorted(self.newest, key=int, reverse=True)
        ]


REGISTRY = Versions({"1": "2025-06-01", "2": "2025-09-01", "3": "2025-12-01"}, "3")


@pytest.mark.parametrize(
    ("as_of", "version", "says"),
    [
        ("2026-02-01", "3", None),
        ("2025-12-31", "3", None),
        ("2025-12-30", "2", "not version 3, the champion of today"),
        ("2025-08-01", "1", "newest champion that had learnt from nothing after 2025-08-01"),
        ("2025-01-01", "3", "nothing that is final by then can judge it"),
    ],
)
def test_it_is_the_newest_champion_that_had_learnt_from_nothing_later(as_of, version, says):
    then = model_then(REGISTRY, REGISTRY.load("champion"), CONFIG, parse_instant(as_of))  # type: ignore[arg-type]

    assert then.registered.version == version
    assert then.note is None if says is None else says in then.note
    assert then.new_from == then.seen_to + 30 * DAY


def test_a_version_that_was_not_promoted_was_never_in_force():
    registry = replace(REGISTRY, refused=("2",))
    then = model_then(registry, registry.load("champion"), CONFIG, parse_instant("2025-12-01"))  # type: ignore[arg-type]
    assert then.registered.version == "1"


def test_what_a_model_knows_ends_with_the_newest_of_its_parts():
    assert seen_to({"train": {"to": "2025-01-01"}, "test": {"to": "2025-03-01"}}) == parse_instant("2025-03-01")
    facts = {"train": {"to": "2025-01-01"}, "test": {"to": "2025-03-01"}, "refit": {"to": "2025-04-01"}}
    assert seen_to(facts) == parse_instant("2025-04-01")


def test_the_newest_version_counts_even_if_it_was_refused():
    newest = learnt_from_newest(replace(REGISTRY, refused=("3",), in_force="2"))  # type: ignore[arg-type]
    assert (newest.version, newest.to, newest.promotion) == ("3", parse_instant("2025-12-01"), "not promoted: worse")
