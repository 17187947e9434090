"""Seconds and peak memory of building the ledger from a synthetic score log.

python benchmarks/ledger.py --entities 2000 --days 60       # quick
python benchmarks/ledger.py                                 # a year of daily scores of 100,000 entities
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import ibis

from pql_model.atomic import atomic_write
from pql_model.ledger.build import LedgerParts, assemble
from pql_model.ledger.log import read_log_files
from pql_model.memory import peak_memory_mb
from pql_model.sources.duckdb_session import open_session
from pql_model.time import DAY

START = 20_000 * DAY
HORIZON = 30 * DAY

_DAY_OF_SCORES = """
select 'acc-' || lpad(cast(i as varchar), 7, '0') as entity,
  make_timestamp({at})::timestamptz as as_of, make_timestamp({at} + 1)::timestamptz as scored_at,
  'score' as source, 'shop' as model_name, '{version}' as model_version, 'f' as feature_set,
  random() as probability, round(random() * 100, 1) as score,
  case when random() < 0.1 then 'high' else 'low' end as band, random() < 0.02 as is_pql,
  random() as usage, random() as fit, random() < 0.001 as newly_qualified,
  case when random() < 0.01 then 'cool_down' end as suppressed,
  random() < 0.1 as meets_definition, random() < 0.1 as meets_in_force, random() * 100 as expected_value
from range({entities}) t(i)
"""


def write_log(con: ibis.BaseBackend, folder: Path, entities: int, days: int) -> list[Path]:
    """Write one file a day, as daily runs of a model that is replaced every four weeks would."""
    paths = []
    for day in range(days):
        query = _DAY_OF_SCORES.format(at=START + day * DAY, version=1 + day // 28, entities=entities)
        path = folder / f"{day:04}.parquet"
        atomic_write(
            path, lambda at, query=query: con.raw_sql(f"copy ({query}) to '{at}' (format parquet, compression zstd)")
        )
        paths.append(path)
    return paths


def acts(con: ibis.BaseBackend, name: str, columns: str, rows: int, entities: int, days: int) -> object:
    """A table of acts at random instants of random entities."""
    entity = f"'acc-' || lpad(cast(cast(floor(random() * {entities}) as bigint) as varchar), 7, '0')"
    at = f"{START} + cast(floor(random() * {days}) as bigint) * {DAY} + 7"
    con.raw_sql(f"create table {name} as select {entity} as entity, {at} as time{columns} from range({rows})")
    return con.table(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--memory", default="2GB", help="DuckDB's limit.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_session(given.memory) as con:
        started = time.perf_counter()
        files = write_log(con, Path(folder), given.entities, given.days)
        written = time.perf_counter()
        before = peak_memory_mb()
        con.raw_sql(
            f"create table e as select 'acc-' || lpad(cast(i as varchar), 7, '0') as entity, false as excluded from range({given.entities}) t(i)"
        )
        paid = acts(con, "p", ", 49.0 as value", given.entities // 10, given.entities, given.days)
        paid = paid.group_by("entity").agg(time=paid.time.min(), value=paid["value"].min())
        words = "['contacted', 'accepted', 'rejected', 'won'][1 + cast(floor(random() * 4) as bigint)]"
        columns = f", {words} as meaning, 'why' as reason, 'ann' as owner"
        parts = LedgerParts(
            product="shop",
            horizon=HORIZON,
            outcomes_until=START + given.days * DAY,
            said=read_log_files(con, files),
            entities=con.table("e"),
            conversions=paid,
            feedback=acts(con, "f", columns, given.entities // 5, given.entities, given.days),
            sent=acts(con, "s", "", given.entities // 20, given.entities, given.days),
            default_hold_out=0.1,
        )
        begun = time.perf_counter()
        ledger = assemble(con, parts)
        built = time.perf_counter()
        by_band = ledger.table.filter(ledger.table.final).group_by("band").agg(rate=lambda t: t.converted.mean())
        by_band.to_pyarrow()
        asked = time.perf_counter()
    print(
        json.dumps(
            {
                "rows": sum(ledger.counts["rows"].values()),
                "set_aside": ledger.counts["set_aside"],
                "seconds": {
                    "write the log": round(written - started, 1),
                    "build": round(built - begun, 1),
                    "one query": round(asked - built, 2),
                },
                "peak_mb": {"before": round(before), "after": round(peak_memory_mb())},
            }
        )
    )


if __name__ == "__main__":
    main()
