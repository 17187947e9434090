"""Where the time of a score goes, without HTTP: one entity, a whole table, and what smaller trees would save and cost."""

from __future__ import annotations

import gc
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from serving_models import Product
from threadpoolctl import threadpool_limits

from pql_model.config.load import load_config
from pql_model.decide import rows as batch_rows
from pql_model.decide.decider import Decider
from pql_model.decide.nearest import NearestMissing
from pql_model.decide.rows import decided_rows
from pql_model.explain import scored
from pql_model.explain.row import Explainer
from pql_model.features.online import OnlineFeatures
from pql_model.model.booster import Ensemble, Params
from pql_model.model.calibrate import fit_calibration
from pql_model.model.columns import Manifest
from pql_model.model.learner import TrainingRows
from pql_model.model.lightgbm_learner import LightGBM
from pql_model.model.split import tuning_folds
from pql_model.model.train import out_of_fold
from pql_model.serve import engine as engine_module
from pql_model.serve.bundle import load_bundle
from pql_model.serve.engine import ScoringEngine
from pql_model.serve.strict_json import parse
from pql_model.statistics.metrics import evaluate, paired_difference
from pql_model.time import now
from pql_model.workflows.prepare import TrainingData

ONE = {
    "reading": (engine_module, "read_entity"),
    "features": (OnlineFeatures, "compute"),
    "pred_contrib": (Ensemble, "contributions"),
    "explanation": (Explainer, "explain"),
    "decision": (engine_module, "decide"),
    "nearest missing": (NearestMissing, "find"),
}
"""Part of a score -> the function that does it."""
MANY = {
    "matrix": (Manifest, "matrix"),
    "pred_contrib": (Ensemble, "contributions"),
    "explanation": (scored, "explain"),
    "decision": (batch_rows, "decide"),
    "nearest missing": (NearestMissing, "find"),
}
"""The same of a table."""


@contextmanager
def timed(parts: Mapping[str, tuple[Any, str]]) -> Iterator[dict[str, float]]:
    """Seconds spent in each part since it was last set to 0."""
    seconds = dict.fromkeys(parts, 0.0)
    with ExitStack() as stack:
        for name, (owner, attribute) in parts.items():
            stack.enter_context(patch.object(owner, attribute, _timed(getattr(owner, attribute), name, seconds)))
        yield seconds


def _timed(work: Callable[..., Any], name: str, seconds: dict[str, float]) -> Callable[..., Any]:
    def timed_work(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return work(*args, **kwargs)
        finally:
            seconds[name] += time.perf_counter() - began

    return timed_work


def _seconds(work: Callable[[Any], Any], inputs: Sequence[Any]) -> np.ndarray:
    return _seconds_of_fresh(work, inputs, lambda raw: raw)


def _seconds_of_fresh(work: Callable[[Any], Any], inputs: Sequence[Any], prepare: Callable[[Any], Any]) -> np.ndarray:
    """What is worked on is made just before, outside the time: as in a service, which has only just parsed it."""
    seconds = np.empty(len(inputs))
    for k, raw in enumerate(inputs):
        prepared = prepare(raw)
        began = time.perf_counter()
        work(prepared)
        seconds[k] = time.perf_counter() - began
    return seconds


def _ms(seconds: np.ndarray | float) -> float:
    return round(1000 * float(np.median(seconds)), 4)


# ---------------------------------------------------------------- one entity


def one_entity(product: Product, events: int | None, repetitions: int) -> dict[str, Any]:
    """From the request's dict to a scored row, in milliseconds.

    Parameters
    ----------
    events
        In each request; None: real entities with what they have.
    """
    engine, instant = ScoringEngine(load_bundle(product.path)), now()
    distinct = product.pool if events is None else product.requests(events, min(100, repetitions))
    bodies = [json.dumps(raw).encode() for raw in distinct]
    requests = list(itertools.islice(itertools.cycle(bodies), repetitions))
    gc.collect()
    gc.freeze()  # as the service does
    with threadpool_limits(1):
        _seconds_of_fresh(lambda raw: engine.score(raw, instant), requests[:20], json.loads)
        totals = _seconds_of_fresh(lambda raw: engine.score(raw, instant), requests, json.loads)
        parts = _parts(engine, instant, requests)
        rows = [engine.score(raw, instant).row for raw in distinct]
    gc.unfreeze()
    p50, p90, p99 = np.percentile(totals, [50, 90, 99]) * 1000
    return {
        "events": events
        if events is not None
        else f"real ({int(np.median([len(raw['events']) for raw in distinct]))})",
        "repetitions": repetitions,
        "p50_ms": round(p50, 3),
        "p50_quickest_ms": round(min(_by_block(totals)), 3),
        "p90_ms": round(p90, 3),
        "p99_ms": round(p99, 3),
        "parts_ms": parts,
        "beside": {
            "body_kb": round(float(np.median([len(body) for body in bodies])) / 1024, 1),
            "strict parse": _ms(_seconds(parse, bodies)),
            "json.loads": _ms(_seconds(json.loads, bodies)),
            "json.dumps": _ms(_seconds(json.dumps, rows)),
        },
    }


def _by_block(seconds: np.ndarray) -> list[float]:
    """Median of each twentieth of the run, in order: a shared machine has slower and quicker times."""
    return [_ms(block) for block in np.array_split(seconds, min(20, len(seconds)))]


def _parts(engine: ScoringEngine, instant: int, requests: Sequence[bytes]) -> dict[str, float]:
    """Median of each part, and of what is left of the whole."""
    times: dict[str, list[float]] = {name: [] for name in [*ONE, "rest"]}
    with timed(ONE) as spent:
        for raw in map(json.loads, requests):
            spent.update(dict.fromkeys(spent, 0.0))
            began = time.perf_counter()
            engine.score(raw, instant)
            total = time.perf_counter() - began
            for name, seconds in spent.items():
                times[name].append(seconds)
            times["rest"].append(total - sum(spent.values()))
    return {name: _ms(np.array(seconds)) for name, seconds in times.items()}


# ---------------------------------------------------------------- a table


def batch(product: Product, rows: int, repetitions: int) -> dict[str, Any]:
    """Rows a second of a whole table, decided and explained, beside the boosters alone on the same matrix."""
    model = product.bundle.model
    decider = Decider.of_facts(model.facts)
    data = product.prepared()
    test = np.flatnonzero(data.split.test)
    table = data.table.iloc[np.resize(test, rows)].reset_index(drop=True)
    X = model.manifest.matrix(table)
    works = {
        "decided_rows": lambda: decided_rows(model, table, decider),
        "predict": lambda: model.predictor.margin(X),
        "pred_contrib": lambda: model.predictor.contributions(X),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repetitions):  # in turn, so that what else the machine does hits all alike
        for name, work in works.items():
            began = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - began)
    with timed(MANY) as spent:
        began = time.perf_counter()
        decided_rows(model, table, decider)
        total = time.perf_counter() - began
    parts = {**spent, "rest": total - sum(spent.values())}
    return {
        "rows": rows,
        "columns": X.shape[1],
        "repetitions": repetitions,
        "rows_per_second": {name: round(rows / float(np.median(seconds))) for name, seconds in times.items()},
        "parts_us_a_row": {name: round(1e6 * seconds / rows, 2) for name, seconds in parts.items()},
    }


# ---------------------------------------------------------------- smaller trees


@dataclass(frozen=True)
class Smaller:
    """A change of the settings that a model averages.

    Attributes
    ----------
    leaves
        At most so many a tree; None: as tuned.
    boosters
        At most so many are averaged: of each setting in turn one seed, found ones and priors alternating; None: as tuned.
    """

    leaves: int | None
    boosters: int | None

    def of(self, settings: Sequence[Params]) -> list[Params]:
        """The settings, with as many seeds of each as are left."""
        capped = [replace(s, num_leaves=min(s.num_leaves, self.leaves or s.num_leaves)) for s in settings]
        if self.boosters is None or self.boosters >= sum(s.averaged for s in capped):
            return capped
        order = _alternating(capped)
        counts = [len(range(k, self.boosters, len(order))) for k in range(len(order))]
        return [replace(s, averaged=n) for s, n in zip(order, counts, strict=True) if n]


def _alternating(settings: Sequence[Params]) -> list[Params]:
    """The best that was found, a prior, the next that was found... Priors have more seeds."""
    largest = max(s.averaged for s in settings)
    priors = [s for s in settings if s.averaged == largest]
    smaller = [s for s in settings if s.averaged != largest]
    pairs = itertools.zip_longest(smaller, priors)
    return [s for pair in pairs for s in pair if s is not None]


def smaller_trees(product: Product, changes: Sequence[Smaller], repetitions: int) -> list[dict[str, Any]]:
    """Each change fitted anew on the training rows: what it ranks like later, and what its reasons cost.

    Tuning is not repeated: settings found for large trees are the worst case of small ones.
    """
    data, settings = (
        product.prepared(),
        [Params(**s) for s in product.bundle.model.facts["learner"]["params"]["settings"]],
    )
    X, test = data.manifest.matrix(data.table), data.split.test
    y, entities = data.converted[test], data.snapshots.frame["entity"][test]
    usual: np.ndarray | None = None
    payload = []
    variants: list[list[Params]] = []
    for change in [Smaller(None, None), *changes]:
        variant = change.of(settings)
        if variant in variants:  # the tuned trees are as small
            continue
        variants.append(variant)
        ensemble, probability = _fitted(product, data, X, variant)
        usual = probability if usual is None else usual
        metrics = evaluate(y, probability, entities, names=["roc_auc", "log_loss"])
        leads = {name: paired_difference(y, probability, usual, entities, name) for name in metrics}
        payload.append(
            {
                "leaves_at_most": change.leaves,
                "boosters_at_most": change.boosters,
                **_size(ensemble),
                **_cost(ensemble, X[test], repetitions),
                **{name: estimate.to_dict() for name, estimate in metrics.items()},
                "minus_as_tuned": {name: estimate.to_dict() for name, estimate in leads.items()},
            }
        )
    return payload


def _fitted(
    product: Product, data: TrainingData, X: np.ndarray, settings: Sequence[Params]
) -> tuple[Ensemble, np.ndarray]:
    """As `fit_model` fits once it has its settings; the test rows' probabilities."""
    config = load_config(product.config)
    train, test, manifest = data.split.train, data.split.test, data.manifest
    frame, y = data.snapshots.frame[train], data.converted[train].astype(float)
    folds = tuning_folds(frame, config.horizon, config.motion, config.seed)
    learner = LightGBM(settings=tuple(settings))
    rows = TrainingRows(X[train], y, manifest, config.seed, frame["entity"].to_numpy())
    checked, margins = out_of_fold(learner, rows, folds)
    calibration = fit_calibration(margins, y[checked])
    ensemble = learner.fit(rows)
    return ensemble, calibration.apply(ensemble.margin(X[test]))


def _size(ensemble: Ensemble) -> dict[str, Any]:
    trees = pd.concat([booster.trees_to_dataframe() for booster in ensemble.boosters], ignore_index=True)
    leaves = trees["left_child"].isna()
    return {
        "averaged": len(ensemble.boosters),
        "trees": sum(b.num_trees() for b in ensemble.boosters),
        "leaves": int(leaves.sum()),
        "depth": round(float(trees["node_depth"][leaves].mean() - 1), 2),
    }


def _cost(ensemble: Ensemble, X: np.ndarray, repetitions: int) -> dict[str, float]:
    """Milliseconds of one row as the service asks, and of a row among many; one thread."""
    rows = [X[k : k + 1] for k in range(min(len(X), 50))]
    singles = list(itertools.islice(itertools.cycle(rows), repetitions))
    with threadpool_limits(1):
        per_row = _ms(_seconds(ensemble.contributions, singles))
        alone = _ms(_seconds(ensemble.margin, singles))
        batch_ms = _ms(_seconds(ensemble.contributions, [X[:1000]] * 3)) / min(1000, len(X))
    return {"pred_contrib_ms": per_row, "predict_ms": alone, "pred_contrib_among_many_ms": round(batch_ms, 4)}
