"""What serving.py measured, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

Lines = Iterator[Sequence[Any]]


def of(part: str, found: dict[str, Any]) -> str:
    """The table of a part: model -> what was measured."""
    head, lines = _TABLES[part]
    models = {name: one for name, one in found.items() if name != "load_average_before"}
    rows = [[name, *line] for name, one in models.items() for line in lines(one)]
    return "\n".join(
        "| " + " | ".join(map(_cell, row)) + " |" for row in [["model", *head], ["---"] * (1 + len(head)), *rows]
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _prepare(one: dict[str, Any]) -> Lines:
    yield one["boosters"], one["trees"], one["columns"]


_PARTS = ("reading", "features", "pred_contrib", "explanation", "decision", "nearest missing", "rest")


def _inside(found: list[dict[str, Any]]) -> Lines:
    for one in found:
        whole = sum(one["parts_ms"].values())
        shares = [f"{one['parts_ms'][part]:.2f} ({one['parts_ms'][part] / whole:.0%})" for part in _PARTS]
        beside = one["beside"]
        yield (
            one["events"],
            one["p50_ms"],
            one["p50_quickest_ms"],
            one["p90_ms"],
            one["p99_ms"],
            *shares,
            beside["strict parse"],
            beside["json.loads"],
            beside["json.dumps"],
        )


def _http(found: list[dict[str, Any]]) -> Lines:
    for one in found:
        to = one["ratio_to"]
        ratios = [
            f"{to[name][0]:.2f} ({to[name][1]:.2f}-{to[name][2]:.2f})"
            for name in ("bare Starlette", "mlflow models serve")
        ]
        yield (
            one["server"],
            one["clients"],
            f"{one['per_second']:,.0f} ({one['lowest_per_second']:,.0f}-{one['highest_per_second']:,.0f})",
            one["p50_ms"],
            one["p99_ms"],
            one["max_ms"],
            one["errors"],
            *ratios,
            one["server_cpu"],
            one["client_cpu"],
            one["rss_mb"]["all"],
        )


def _collector(one: dict[str, Any]) -> Lines:
    full = [line["ms"] for line in one["under_load"] if line["generation"] == 2]
    seen = max((line["seen"] for line in one["under_load"]), default=0)
    yield one["requests"], one["seconds"], len(full), sum(full) / 1000, max(full, default=0.0), seen


def _soak(one: dict[str, Any]) -> Lines:
    sizes = [size["worker"] for size in one["rss"]]
    yield (
        one["minutes"],
        one["fastest"]["per_second"],
        one["per_second"],
        one["requests"],
        one["errors_5xx"],
        one["errors"],
        one["p50_ms"],
        one["p99_ms"],
        one["max_ms"],
        f"{sizes[0]:.0f}, {sizes[len(sizes) // 2]:.0f}, {sizes[-1]:.0f}",
        one["rss_slope"]["before"],
        one["rss_slope"]["after"],
        one["reloaded_to"],
    )


def _overload(found: list[dict[str, Any]]) -> Lines:
    for one in found:
        yield (
            one["limit"] or "none",
            one["clients"],
            one["scored_per_second"],
            one["per_second"] - one["scored_per_second"],
            one["p50_ms"],
            one["p99_ms"],
            one["max_ms"],
            one["errors"],
        )


def _batch(one: dict[str, Any]) -> Lines:
    rates = one["rows_per_second"]
    parts = ", ".join(f"{name} {us:.0f}" for name, us in one["parts_us_a_row"].items())
    yield (
        one["rows"],
        one["columns"],
        rates["decided_rows"],
        rates["pred_contrib"],
        rates["predict"],
        rates["decided_rows"] / rates["pred_contrib"],
        parts,
    )


def _start(one: dict[str, Any]) -> Lines:
    ready, sizes = sorted(one["ready_seconds"]), one["rss_mb"][-1]
    yield (
        f"{ready[len(ready) // 2]:.1f} ({ready[0]:.1f}-{ready[-1]:.1f})",
        sizes["worker"],
        f"{sizes['all']:.0f} in {sizes['processes']}",
        one["bundle_kb"],
        one["bundle_files"],
        one["load_seconds"],
    )


def _trees(found: list[dict[str, Any]]) -> Lines:
    for one in found:
        ahead = [_ahead(one["minus_as_tuned"][name]) for name in ("roc_auc", "log_loss")]
        yield (
            one["leaves_at_most"] or "as tuned",
            one["boosters_at_most"] or "as tuned",
            one["averaged"],
            one["trees"],
            one["depth"],
            one["pred_contrib_ms"],
            one["predict_ms"],
            1000 * one["pred_contrib_among_many_ms"],
            f"{one['roc_auc']['value']:.4f}",
            ahead[0],
            f"{one['log_loss']['value']:.5f}",
            ahead[1],
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
