"""What serving.py measured, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

Lines = Iterator[Sequence[Any]]


def of(part: str, results: dict[str, Any]) -> str:
    """The table of a part: model -> what was measured."""
    head, lines = _TABLES[part]
    models = {name: result for name, result in results.items() if name != "load_average_before"}
    rows = [[name, *line] for name, result in models.items() for line in lines(result)]
    return "\n".join(
        "| " + " | ".join(map(_cell, row)) + " |" for row in [["model", *head], ["---"] * (1 + len(head)), *rows]
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _prepare(result: dict[str, Any]) -> Lines:
    yield result["boosters"], result["trees"], result["columns"]


_PARTS = ("reading", "features", "pred_contrib", "explanation", "decision", "nearest missing", "rest")


def _inside(results: list[dict[str, Any]]) -> Lines:
    for result in results:
        total = sum(result["parts_ms"].values())
        shares = [f"{result['parts_ms'][part]:.2f} ({result['parts_ms'][part] / total:.0%})" for part in _PARTS]
        separate = result["beside"]
        yield (
            result["events"],
            result["p50_ms"],
            result["p50_quickest_ms"],
            result["p90_ms"],
            result["p99_ms"],
            *shares,
            separate["strict parse"],
            separate["json.loads"],
            separate["json.dumps"],
        )


def _http(results: list[dict[str, Any]]) -> Lines:
    for result in results:
        to = result["ratio_to"]
        ratios = [
            f"{to[name][0]:.2f} ({to[name][1]:.2f}-{to[name][2]:.2f})"
            for name in ("bare Starlette", "mlflow models serve")
        ]
        yield (
            result["server"],
            result["clients"],
            f"{result['per_second']:,.0f} ({result['lowest_per_second']:,.0f}-{result['highest_per_second']:,.0f})",
            result["p50_ms"],
            result["p99_ms"],
            result["max_ms"],
            result["errors"],
            *ratios,
            result["server_cpu"],
            result["client_cpu"],
            result["rss_mb"]["all"],
        )


def _collector(result: dict[str, Any]) -> Lines:
    full = [line["ms"] for line in result["under_load"] if line["generation"] == 2]
    collections = max((line["seen"] for line in result["under_load"]), default=0)
    yield result["requests"], result["seconds"], len(full), sum(full) / 1000, max(full, default=0.0), collections


def _soak(result: dict[str, Any]) -> Lines:
    sizes = [size["worker"] for size in result["rss"]]
    yield (
        result["minutes"],
        result["fastest"]["per_second"],
        result["per_second"],
        result["requests"],
        result["errors_5xx"],
        result["errors"],
        result["p50_ms"],
        result["p99_ms"],
        result["max_ms"],
        f"{sizes[0]:.0f}, {sizes[len(sizes) // 2]:.0f}, {sizes[-1]:.0f}",
        result["rss_slope"]["before"],
        result["rss_slope"]["after"],
        result["reloaded_to"],
    )


def _overload(results: list[dict[str, Any]]) -> Lines:
    for result in results:
        yield (
            result["limit"] or "none",
            result["clients"],
            result["scored_per_second"],
            result["per_second"] - result["scored_per_second"],
            result["p50_ms"],
            result["p99_ms"],
            result["max_ms"],
            result["errors"],
        )


def _attack(results: list[dict[str, Any]]) -> Lines:
    for result in results:
        statuses = ", ".join(f"{status}: {count}" for status, count in result["statuses"].items())
        ms = (result["small_p50_ms"], result["small_p95_ms"], result["small_max_ms"])
        yield (
            result["attack"],
            *ms,
            result["small_not_200"],
            result["peak_mb"],
            result["peak_mb_before"],
            statuses,
            result["attack_longest_s"],
        )


def _batch(result: dict[str, Any]) -> Lines:
    rates = result["rows_per_second"]
    parts = ", ".join(f"{name} {us:.0f}" for name, us in result["parts_us_a_row"].items())
    yield (
        result["rows"],
        result["columns"],
        rates["decided_rows"],
        rates["pred_contrib"],
        rates["predict"],
        rates["decided_rows"] / rates["pred_contrib"],
        parts,
    )


def _start(result: dict[str, Any]) -> Lines:
    ready_seconds, sizes = sorted(result["ready_seconds"]), result["rss_mb"][-1]
    yield (
        f"{ready_seconds[len(ready_seconds) // 2]:.1f} ({ready_seconds[0]:.1f}-{ready_seconds[-1]:.1f})",
        sizes["worker"],
        f"{sizes['all']:.0f} in {sizes['processes']}",
        result["bundle_kb"],
        result["bundle_files"],
        result["load_seconds"],
    )


def _trees(results: list[dict[str, Any]]) -> Lines:
    for result in results:
        leads = [_ahead(result["minus_as_tuned"][name]) for name in ("roc_auc", "log_loss")]
        yield (
            result["leaves_at_most"] or "as tuned",
            result["boosters_at_most"] or "as tuned",
            result["averaged"],
            result["trees"],
            result["depth"],
            result["pred_contrib_ms"],
            result["predict_ms"],
            1000 * result["pred_contrib_among_many_ms"],
            f"{result['roc_auc']['value']:.4f}",
            leads[0],
            f"{result['log_loss']['value']:.5f}",
            leads[1],
        )


def _ahead(difference: dict[str, float]) -> str:
    return f"{difference['value']:+.4f} ({difference['low']:+.4f} to {difference['high']:+.4f})"


_TABLES: dict[str, tuple[Sequence[str], Callable[[Any], Lines]]] = {
    "prepare": (("boosters", "trees", "columns"), _prepare),
    "inside": (
        (
            "events",
            "p50 ms",
            "in its quickest twentieth",
            "p90",
            "p99",
            *_PARTS,
            "beside: strict parse",
            "json.loads",
            "json.dumps",
        ),
        _inside,
    ),
    "http": (
        (
            "server",
            "clients",
            "requests a second",
            "p50 ms",
            "p99",
            "max",
            "errors",
            "to bare Starlette",
            "to mlflow",
            "server cores",
            "client",
            "MB",
        ),
        _http,
    ),
    "collector": (
        ("requests", "seconds", "full collections", "seconds in them", "longest ms", "objects seen, most"),
        _collector,
    ),
    "soak": (
        (
            "minutes",
            "fastest a second",
            "sent a second",
            "requests",
            "5xx or broken",
            "other than right",
            "p50 ms",
            "p99",
            "max",
            "MB at start, middle, end",
            "MB an hour before",
            "after the exchange",
            "version at the end",
        ),
        _soak,
    ),
    "overload": (
        (
            "in flight at most",
            "clients",
            "scored a second",
            "refused a second",
            "p50 ms",
            "p99",
            "max",
            "neither 200 nor 429",
        ),
        _overload,
    ),
    "attack": (
        (
            "attack",
            "small request p50 ms",
            "p95",
            "max",
            "not 200",
            "peak MB",
            "before the attack",
            "answers to the attack",
            "slowest s",
        ),
        _attack,
    ),
    "batch": (
        (
            "rows",
            "columns",
            "decided rows a second",
            "pred_contrib alone",
            "predict alone",
            "share of pred_contrib alone",
            "µs a row, taken apart",
        ),
        _batch,
    ),
    "start": (
        ("seconds to the first /readyz", "worker MB", "all MB", "bundle KB", "files", "load_bundle and Engine, s"),
        _start,
    ),
    "trees": (
        (
            "leaves at most",
            "boosters at most",
            "boosters",
            "trees",
            "mean depth",
            "pred_contrib ms",
            "predict ms",
            "among many, µs a row",
            "ROC-AUC",
            "minus as tuned",
            "log loss",
            "minus as tuned",
        ),
        _trees,
    ),
}
