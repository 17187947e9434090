"""Prometheus metrics with labels from closed lists: no request can make a new series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from pql_model.features.incoming import SET_ASIDE
from pql_model.serve.engine import Answer, ScoringEngine

TYPE = CONTENT_TYPE_LATEST
OTHER = "other"
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS")


def method_label(method: str) -> str:
    """A method of HTTP; whatever else a caller has put there is `other`.

    >>> method_label("PUT"), method_label("JANE-DOE")
    ('PUT', 'other')
    """
    return method if method in _METHODS else OTHER


class _InForce(Collector):
    """The model in force, said anew at every reading: a label that was given cannot be taken back under Bento."""

    about: Mapping[str, str] | None = None

    def collect(self) -> Iterator[Metric]:
        if self.about is not None:
            yield InfoMetricFamily("pql_model", "The model in force.", value=dict(self.about))


class Metrics:
    """What the service counts.

    Parameters
    ----------
    endpoints
        The paths that are known; every other one is `other`.
    """

    def __init__(self, endpoints: tuple[str, ...]) -> None:
        self.registry = CollectorRegistry()
        self._endpoints = frozenset(endpoints)
        self._requests = Counter("pql_requests", "Requests.", ["endpoint", "method", "status"], registry=self.registry)
        self._seconds = Histogram(
            "pql_request_seconds", "Time to answer.", ["endpoint"], buckets=_SECONDS, registry=self.registry
        )
        self.in_flight = Gauge("pql_requests_in_flight", "Requests being answered.", registry=self.registry)
        self._scores = Counter("pql_scores", "Scores served, by band.", ["band"], registry=self.registry)
        self._unknown = Counter(
            "pql_unknown_events", "Events whose name the model does not know.", registry=self.registry
        )
        self._aside = Counter("pql_set_aside_events", "Events set aside.", ["reason"], registry=self.registry)
        self._model = _InForce()
        self.registry.register(self._model)
        self._reloads = Counter("pql_bundle_reloads", "Exchanges of the bundle.", ["result"], registry=self.registry)
        self._logged = Counter("pql_score_log_rows", "Rows of the score log.", ["result"], registry=self.registry)

    def answered(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        endpoint = endpoint if endpoint in self._endpoints else OTHER
        self._requests.labels(endpoint, method_label(method), str(status)).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def scored(self, answer: Answer) -> None:
        self._scores.labels(answer.row["band"]).inc()  # the bands are those of the policy
        self._unknown.inc(sum(answer.unknown_events.values()))
        self._count_aside(answer.set_aside)

    def _count_aside(self, set_aside: Mapping[str, int]) -> None:
        for reason, count in set_aside.items():
            self._aside.labels(reason if reason in SET_ASIDE else OTHER).inc(count)

    def model(self, engine: ScoringEngine) -> None:
        """The one model in force: the one before is gone."""
        self._model.about = {name: str(engine.bundle.about[name]) for name in ("name", "version", "feature_set")}

    def reloaded(self, result: str) -> None:
        self._reloads.labels(result).inc()

    def logged(self, result: str, rows: int) -> None:
        """Rows of the score log that were `written` or `lost`."""
        self._logged.labels(result).inc(rows)

    def text(self) -> bytes:
        return bytes(generate_latest(self.registry))
