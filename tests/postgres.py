"""A PostgreSQL server of the tests' own: made in a temporary folder, reached by a socket there, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NEEDED = "PQL_POSTGRES"
"""Set to `required`, it makes a missing PostgreSQL a failure instead of a skip."""
_TYPES = {"VARCHAR": "text", "DOUBLE": "double precision", "TIMESTAMP_NS": "timestamp"}


def _binaries() -> Path | None:
    """The folder of `initdb` and `pg_ctl`: Debian keeps them off the PATH."""
    result = shutil.which("initdb")
    folders = [Path(result).resolve().parent] if result else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


def _owner() -> str | None:
    """Who runs the server: it refuses to be root."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@contextmanager
def server() -> Iterator[Any]:
    """A connection to an empty cluster in UTC; skips, or fails if it is required, where there is no PostgreSQL."""
    binaries = _binaries()
    if binaries is None:
        say = pytest.fail if os.environ.get(NEEDED) == "required" else pytest.skip
        say("there is no PostgreSQL here: install it (Debian: apt-get install postgresql)")
    owner = _owner()
    folder = Path(tempfile.mkdtemp(prefix="pql-pg-"))
    try:
        if owner is not None:
            shutil.chown(folder, owner)

        def run(*command: str) -> None:
            process = subprocess.run(command, user=owner, cwd=folder, capture_output=True, text=True, check=False)
            assert process.returncode == 0, f"{command[0]}: {process.stderr}"

        data = str(folder / "data")
        run(str(binaries / "initdb"), "-D", data, "-U", "pql", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-c listen_addresses='' -c fsync=off -k {folder}"
        log = str(folder / "log")
        run(str(binaries / "pg_ctl"), "-D", data, "-w", "-s", "-o", options, "-l", log, "start")
        try:
            yield from _connected(folder)
        finally:
            run(str(binaries / "pg_ctl"), "-D", data, "-w", "-s", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _connected(folder: Path) -> Iterator[Any]:
    import psycopg

    with psycopg.connect(host=str(folder), user="pql", dbname="postgres", autocommit=True) as con:
        con.execute("SET TIME ZONE 'UTC'")
        yield con


def copy_tables(con: Any, source: Any, schema: str = "public") -> None:
    """Every view of a DuckDB database as a table of an emptied schema, where names are looked up from now on."""
    con.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    con.execute(f"CREATE SCHEMA {schema}")
    con.execute(f"SET search_path TO {schema}")
    for (name,) in source.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall():
        described = source.execute(f'DESCRIBE "{name}"').fetchall()
        columns = ", ".join(f'"{row[0]}" {_TYPES.get(row[1], row[1])}' for row in described)
        con.execute(f'CREATE TABLE "{name}" ({columns})')
        cells = ", ".join(f'CAST("{row[0]}" AS VARCHAR)' for row in described)
        with con.cursor().copy(f'COPY "{name}" FROM STDIN') as copy:
            for row in source.execute(f'SELECT {cells} FROM "{name}"').fetchall():
                copy.write_row(row)
