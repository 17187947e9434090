"""Does the service give the number of the batch? Real entities as raw events through the service, compared with `pql score`."""

from __future__ import annotations

import json
import math
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pql_model import windows
from pql_model.config.load import load_config
from pql_model.config.schema import Config
from pql_model.decide.decider import Decider
from pql_model.decide.rows import decided_rows
from pql_model.errors import DataError, NotEnoughDataError, PqlError
from pql_model.explain.words import AGE
from pql_model.features.table import feature_table, trait_table
from pql_model.pipelines.prepare import features_of, trait_names
from pql_model.pipelines.score import instant_of
from pql_model.progress import Listener, Stages
from pql_model.registry.tracking import Tracking
from pql_model.serve.bundle import Bundle
from pql_model.serve.engine import Engine
from pql_model.snapshots.grid import scoring_grid
from pql_model.sources.coverage import newest_event
from pql_model.sources.read import Sources, read_sources
from pql_model.sources.workbench import open_workbench

NUMBERS = ("probability", "score", "usage", "fit", "timing")
SAME = ("band", "reasons", "criteria_met", "meets_definition", "nearest_missing")
TOLERANCE = 1e-9
_AT_ONCE = 100

Ask = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Verified:
    """How far the service and the batch are apart.

    Attributes
    ----------
    largest
        By number of a scored row: the largest difference.
    different
        By other part of a scored row: how many rows differ.
    refused
        Rows that the service answered with an error, with the first one's message.
    """

    path: str
    rows: int
    largest: dict[str, float]
    different: dict[str, int]
    refused: tuple[int, str | None]

    @property
    def same(self) -> bool:
        return (
            not self.refused[0]
            and not any(self.different.values())
            and max(self.largest.values(), default=0.0) <= TOLERANCE
        )

    def as_json(self) -> dict[str, Any]:
        """The object that `pql verify --json` prints."""
        return {"path": self.path, "rows": self.rows, "same": self.same, "largest_difference": self.largest,
                "different_rows": self.different, "refused": {"rows": self.refused[0], "first": self.refused[1]}}  # fmt: skip


def verify(
    config: Config | str | Path, *, url: str | None = None, key: str | None = None, rows: int = 200, as_of: str | None = None,
    model: str = "champion", listener: Listener | None = None,
) -> Verified:  # fmt: skip
    """Send real entities through the service and compare every number with the batch.

    Parameters
    ----------
    url
        Of a running service, such as `http://127.0.0.1:3000`; without it the same engine is asked in this process.
    key
        Its API key.
    rows
        So many of those at risk, spread over all of them.
    as_of
        A date or time; default: the newest event of the data.
    model
        The version that the service serves.

    Raises
    ------
    NotEnoughDataError
        If nobody is at risk then.
    DataError
        If the service does not answer, or serves another version.

    Examples
    --------
    >>> import pql_model, tempfile
    >>> folder = pql_model.make_demo(tempfile.mkdtemp(), accounts=800)
    >>> _ = pql_model.train(folder / "pql.yaml", trials=2, promote="force")
    >>> pql_model.verify(folder / "pql.yaml", as_of="2025-11-20").same
    True
    """
    config = config if isinstance(config, Config) else load_config(config)
    stages = Stages(listener)
    registered = Tracking(config).get(model)
    fitted = registered.model
    decider = Decider.of_facts(fitted.facts, fitted.reference)
    ask = _over_http(url, key, registered.version) if url is not None else _in_process(registered.version, fitted)
    with open_workbench() as con:
        with stages("read"):
            sources = read_sources(con, config)
            instant = instant_of(as_of) if as_of is not None else newest_event(sources.events.table)
            grid = con.create_table("scoring_grid", scoring_grid(config, sources, instant))
            at_risk = _some(con, grid.filter(grid.reason.isnull()), rows)
        with stages("batch"):
            features = list(dict.fromkeys([*features_of(fitted.manifest), *decider.features, AGE]))
            table = feature_table(
                sources, at_risk, features, trait_names(sources.entities.traits), stages.listener.share
            )
            if not len(table):
                raise NotEnoughDataError("Nobody is at risk at this instant", received=windows.iso(instant),
                                         remedy="name another with `--as-of`")  # fmt: skip
            batch = decided_rows(fitted, table, decider).rows
            requests = list(entity_requests(sources, at_risk))
    with stages("service"):
        answers = []
        for start in range(0, len(requests), _AT_ONCE):
            answers += ask(requests[start : start + _AT_ONCE])
            stages.listener.share(len(answers) / len(requests))
    return _compared(url or "in process", batch, answers)


def entity_requests(sources: Sources, at_risk: Any) -> Iterator[dict[str, Any]]:
    """What a caller would send of each entity, in the order of the feature table.

    Parameters
    ----------
    at_risk
        entity, as_of, signed_up in the workbench.
    """
    traits = {f"trait_{k}": trait for k, trait in enumerate(sources.entities.traits)}
    own = _traits(sources, at_risk, traits)
    events = sources.events.table.semi_join(at_risk, "entity").to_pyarrow().to_pylist()
    by_entity: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        by_entity.setdefault(event["entity"], []).append(_event(event))
    for row in at_risk.order_by(["entity", "as_of"]).to_pyarrow().to_pylist():
        told = {"entity": row["entity"], "as_of": windows.iso(row["as_of"]), "events": by_entity.get(row["entity"], []),
                "traits": own[row["entity"]]}  # fmt: skip
        yield {**told, "signed_up": windows.iso(row["signed_up"])} if row["signed_up"] is not None else told


def _traits(sources: Sources, at_risk: Any, names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    wanted = trait_table(sources, {trait: name for name, trait in names.items()})
    rows = wanted.loc[at_risk.entity.to_pandas().unique()]
    return {
        str(entity): {names[name]: _scalar(value) for name, value in row.items()}
        for entity, row in zip(rows.index, rows.to_dict("records"), strict=True)
    }


def _scalar(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool) else str(value)


def _event(row: dict[str, Any]) -> dict[str, Any]:
    values = {name.removeprefix("value_"): v for name, v in row.items() if name.startswith("value_") and v is not None}
    told = {"event": row["event"], "time": windows.iso(row["time"]), "user": row["user"], "values": values or None,
            "known_at": windows.iso(row["known_at"]) if row["known_at"] is not None else None,
            "n": row["n"] if row["n"] != 1 else None, "users": row["users"]}  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


def _some(con: Any, at_risk: Any, rows: int) -> Any:
    """Spread over all of them by name."""
    names = sorted(at_risk.entity.to_pandas())
    step = max(1, len(names) // max(1, rows))
    return con.create_table("verified_entities", at_risk.filter(at_risk.entity.isin(names[::step][:rows] or [""])))


def _in_process(version: str, fitted: Any) -> Ask:
    bundle = Bundle(Path(), {"name": fitted.facts.get("name"), "version": version}, fitted, {}, {}, "", "")
    engine = Engine(bundle)

    def ask(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        for request in requests:
            try:
                answers.append(engine.score(json.loads(json.dumps(request)), windows.now()).row)
            except PqlError as error:
                answers.append({"error": {"message": str(error)}})
        return answers

    return ask


def _over_http(url: str, key: str | None, version: str) -> Ask:
    if not url.startswith(("http://", "https://")):
        raise DataError("This is no address of a service", received=url, allowed="http://HOST:PORT or https://...")
    headers = {"content-type": "application/json", **({"x-api-key": key} if key is not None else {})}

    def ask(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        body = json.dumps({"entities": requests}).encode()
        request = urllib.request.Request(f"{url.rstrip('/')}/score_batch", body, headers)  # noqa: S310 (checked above)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                rows: list[dict[str, Any]] = json.loads(answer.read())["rows"]
        except urllib.error.HTTPError as error:
            raise DataError("The service refuses", received=error.read()[:500].decode("utf-8", "replace")) from error
        except (OSError, ValueError, LookupError) as error:
            raise DataError(
                f"The service does not answer: {error}", received=url, remedy="start it with `pql serve`"
            ) from error
        other = {row["model_version"] for row in rows if "error" not in row} - {version}
        if other:
            raise DataError("The service serves another version", received=", ".join(sorted(other)), allowed=version,
                            remedy="name it with `--model`, or export again")  # fmt: skip
        return rows

    return ask


def _compared(path: str, batch: pd.DataFrame, answers: Sequence[dict[str, Any]]) -> Verified:
    largest = dict.fromkeys(NUMBERS, 0.0)
    different = dict.fromkeys(SAME, 0)
    refused: list[str] = []
    for row, answer in zip(batch.to_dict("records"), answers, strict=True):
        if "error" in answer:
            refused.append(f"{row['entity']}: {answer['error']['message']}")
            continue
        for name in NUMBERS:
            largest[name] = max(largest[name], abs(row[name] - answer[name]))
        for name in SAME:
            different[name] += _plain(row.get(name)) != answer[name]
    return Verified(path, len(batch), largest, different, (len(refused), refused[0] if refused else None))


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in "[{":
        return json.loads(value)
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


if __name__ == "__main__":
    from pql_model.cli.app import main

    main(["verify", *sys.argv[1:]])
