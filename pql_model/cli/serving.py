"""`pql export`, `pql serve` and `pql verify`: a model as a folder of text, as a service, and the same number from both."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, err, out, printed
from pql_model.cli.progress import Bars
from pql_model.errors import PqlError

ModelOption = Annotated[str, typer.Option(help="`champion`, `challenger` or a version number.")]
_SERVICE = "pql_model.serve.bento:Pql"


def export(
    config: ConfigOption = Path("pql.yaml"),
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A folder; default: models/NAME beside the config. A bundle in it is replaced."
        ),
    ] = None,
    model: ModelOption = "champion",
    as_json: JsonOption = False,
) -> None:
    """Write a model as a bundle for the service: one folder of text and JSON, with its criteria and its report.

    The service that runs from that folder takes the new bundle over without a restart.
    """
    told = pql_model.export(config, output=output, model=model).as_json()
    if not printed(told, as_json):
        about, kilobytes = told["model"], told["bytes"] / 1024
        words = f"Wrote {told['output']} ({kilobytes:.0f} KB): {about['name']} version {about['version']}."
        out.print(words, highlight=False, markup=False)


def verify(
    config: ConfigOption = Path("pql.yaml"),
    url: Annotated[
        str | None,
        typer.Option(
            help="Of a running service, http://127.0.0.1:3000; without it the same engine is asked in this process."
        ),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=100_000, help="So many of those at risk.")] = 200,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="As of this date or time; default: the newest event of the data.")
    ] = None,
    model: ModelOption = "champion",
    as_json: JsonOption = False,
) -> None:
    """Send real accounts through the service, as raw events, and compare every number with `pql score`.

    An API key is read from PQL_API_KEY. Exit code 1 if anything differs.
    """
    key = os.environ.get("PQL_API_KEY")
    with Bars(err) as bars:
        found = pql_model.verify(config, url=url, key=key, rows=rows, as_of=as_of, model=model, listener=bars)
    told = found.as_json()
    if not printed(told, as_json):
        farthest = max(told["largest_difference"].values())
        differing = ", ".join(f"{n} in {name}" for name, n in told["different_rows"].items() if n)
        words = f"{told['rows']:,} accounts through {told['path']}: largest difference {farthest:.3g}; {differing or 'everything else is the same'}."
        out.print(words, highlight=False, markup=False)
        if found.refused[0]:
            out.print(
                f"{found.refused[0]:,} were refused; the first: {found.refused[1]}", highlight=False, markup=False
            )
    if not found.same:
        raise typer.Exit(1)


def serve(
    config: ConfigOption = Path("pql.yaml"),
    bundle: Annotated[
        Path | None, typer.Option(help="A folder that `pql export` wrote; default: the champion, exported now.")
    ] = None,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets other machines in; set PQL_API_KEYS then.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 3000,
) -> None:
    """Answer requests for scores over HTTP until Ctrl-C. Needs `pip install 'pql-model[serve]'`.

    Keys, limits and the file of batch scores are set in the environment: see the page on the service.
    """
    from pql_model.pipelines.export import bundle_to_serve

    if importlib.util.find_spec("bentoml") is None:
        raise PqlError(
            "The service needs BentoML, which is not installed", remedy="run `pip install 'pql-model[serve]'`"
        )
    found = bundle_to_serve(config, bundle)
    err.print(f"{found.name} version {found.version} on http://{host}:{port}", highlight=False, markup=False)
    code = _run(
        [sys.executable, "-m", "bentoml", "serve", _SERVICE, "--host", host, "--port", str(port)],
        {**os.environ, "PQL_BUNDLE": str(found.path.resolve()), "BENTOML_DO_NOT_TRACK": "true"},
    )
    if code:
        raise typer.Exit(1)


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run until it ends; who stops us stops it. The exit code, 0 where it was stopped."""
    child = subprocess.Popen(command, env=environment)  # noqa: S603 (our own words, no shell)
    before = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        code = child.wait()
    except KeyboardInterrupt:  # the terminal has told the child, too
        code = child.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    return max(code, 0)
