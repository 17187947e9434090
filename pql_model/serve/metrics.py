"""Prometheus metrics. Labels come from closed lists, so that no request can create a new time series."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from pql_model.features.incoming import SET_ASIDE
from pql_model.serve.engine import Answer, ScoringEngine
from pql_model.serve.worker_metrics import shared_registry

TYPE = CONTENT_TYPE_LATEST
OTHER = "other"
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS")


def method_label(method: str) -> str:
    """Label an HTTP method; anything else is `other`.

    >>> method_label("PUT"), method_label("JANE-DOE")
    ('PUT', 'other')
    """
    return method if method in _METHODS else OTHER


class _CurrentModel(Collector):
    """The model in service, collected afresh each time: under Bento, labels of an Info metric cannot be removed."""

    about: Mapping[str, str] | None = None

    def collect(self) -> Iterator[Metric]:
        if self.about is not None:
            yield InfoMetricFamily("pql_model", "The model in service.", value=dict(self.about))


class Metrics:
    """Metrics of the service.

    Parameters
    ----------
    endpoints
        Known paths; any other path is labelled `other`.
    """

    def __init__(self, endpoints: tuple[str, ...]) -> None:
        self.registry = CollectorRegistry()
        self._endpoints = frozenset(endpoints)
        self._requests = Counter("pql_requests", "Requests.", ["endpoint", "method", "status"], registry=self.registry)
        self._seconds = Histogram(
            "pql_request_seconds", "Time to answer.", ["endpoint"], buckets=_SECONDS, registry=self.registry
        )
        self.in_flight = Gauge(
            "pql_requests_in_flight", "Requests being answered.", registry=self.registry, multiprocess_mode="livesum"
        )
        self._scores = Counter("pql_scores", "Scores served, by band.", ["band"], registry=self.registry)
        self._unknown = Counter(
            "pql_unknown_events", "Events whose name the model does not know.", registry=self.registry
        )
        self._aside = Counter("pql_set_aside_events", "Events set aside.", ["reason"], registry=self.registry)
        self._model = _CurrentModel()
        self.registry.register(self._model)
        self._reloads = Counter("pql_bundle_reloads", "Reloads of the bundle.", ["result"], registry=self.registry)
        self._logged = Counter("pql_score_log_rows", "Rows of the score log.", ["result"], registry=self.registry)

    def answered(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        endpoint = endpoint if endpoint in self._endpoints else OTHER
        self._requests.labels(endpoint, method_label(method), str(status)).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def scored(self, answer: Answer) -> None:
        self._scores.labels(answer.row["band"]).inc()  # bands come from the policy, a closed list
        self._unknown.inc(sum(answer.unknown_events.values()))
        for reason, count in answer.set_aside.items():
            self._aside.labels(reason if reason in SET_ASIDE else OTHER).inc(count)

    def model(self, engine: ScoringEngine) -> None:
        """Show this model instead of the previous one."""
        self._model.about = {name: str(engine.bundle.about[name]) for name in ("name", "version", "feature_set")}

    def reloaded(self, result: str) -> None:
        self._reloads.labels(result).inc()

    def logged(self, result: str, rows: int) -> None:
        """Count rows of the score log that were `written` or `lost`."""
        self._logged.labels(result).inc(rows)

    def text(self) -> bytes:
        """Format the metrics of all workers. The model is that of the worker that answers."""
        shared = shared_registry(os.environ)
        if shared is None:
            return bytes(generate_latest(self.registry))
        shared.register(self._model)
        return bytes(generate_latest(shared))
