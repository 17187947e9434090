"""`pql export`, `pql serve` and `pql verify`: a model as a folder of text, as a service, and the same number from both."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, ModelOption, err, out, printed
from pql_model.cli.progress import Bars
from pql_model.cli.show_verify import show_verified

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
    payload = pql_model.export(config, output=output, model=model).to_dict()
    if not printed(payload, as_json):
        about, kilobytes = payload["model"], payload["bytes"] / 1024
        words = f"Wrote {payload['output']} ({kilobytes:.0f} KB): {about['name']} version {about['version']}."
        out.print(words, highlight=False, markup=False)


def verify(
    config: ConfigOption = Path("pql.yaml"),
    url: Annotated[str | None, typer.Option(help="Of a running service, http://127.0.0.1:3000: asked too.")] = None,
    rows: Annotated[int, typer.Option(min=1, max=100_000, help="So many snapshots, drawn from all.")] = 200,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Those at risk at this date or time; default: the training and test snapshots."),
    ] = None,
    model: ModelOption = "champion",
    as_json: JsonOption = False,
) -> None:
    """Send real snapshots through every path to a score, and compare each number with `pql score`.

    The registered pyfunc gets their features; the engine in this process, and the service, get their raw events. An API
    key is read from PQL_API_KEY. Exit code 1 if anything differs.
    """
    key = os.environ.get("PQL_API_KEY")
    with Bars(err) as bars:
        found = pql_model.verify(config, url=url, key=key, rows=rows, as_of=as_of, model=model, listener=bars)
    payload = found.to_dict()
    if not printed(payload, as_json):
        show_verified(out, payload)
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
    """Answer requests for scores over HTTP until Ctrl-C.

    Keys, limits and the file of batch scores are set in the environment: see the page on the service.
    """
    from pql_model.workflows.serve import bundle_to_serve, requires_key

    found = bundle_to_serve(config, bundle)
    environment = {**os.environ, "PQL_BUNDLE": str(found.path.absolute()), "BENTOML_DO_NOT_TRACK": "true"}
    asks = "with an API key" if requires_key(environment) else "by anybody: no API key is set"
    words = f"{found.name} version {found.version} on http://{host}:{port}, to be asked {asks}"
    err.print(words, highlight=False, markup=False, soft_wrap=True)
    _become([sys.executable, "-m", "bentoml", "serve", _SERVICE, "--host", host, "--port", str(port)], environment)


def _become(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Turn this process into another program, so that signals and the exit code are its own and memory is freed."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":  # os.execve would start a second process there, and the shell would not wait for it
        sys.exit(_wait_for(command, environment))
    os.execve(command[0], command, environment)  # noqa: S606 (a fixed command, no shell)


def _wait_for(command: list[str], environment: dict[str, str]) -> int:
    """Run a program to its end. Ctrl-C reaches it too, and it is the one that decides when to stop."""
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603 (a fixed command, no shell)
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue
