"""`pql export`, `pql serve` and `pql verify`: a model as a bundle, as a service, and the check that both agree."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

import pql_model
from pql_model.cli.common import ConfigOption, JsonOption, ModelOption, emit, err
from pql_model.cli.progress import Bars
from pql_model.cli.show_verify import show_verified
from pql_model.cli.tables import say

_SERVICE = "pql_model.serve.bento:Pql"


def export(
    config: ConfigOption = Path("pql.yaml"),
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Output folder. Default: models/NAME beside the config. A bundle in it is replaced."
        ),
    ] = None,
    model: ModelOption = "champion",
    as_json: JsonOption = False,
) -> None:
    """Write a model as a bundle for the service: one folder of text and JSON, with its criteria and its report.

    A service that runs from this folder loads the new bundle without a restart.
    """
    emit(pql_model.export(config, output=output, model=model), as_json, _show_export)


def _show_export(console: Console, payload: dict[str, Any]) -> None:
    model = payload["model"]
    say(
        console,
        f"Wrote {payload['output']} ({payload['bytes'] / 1024:.0f} KB): {model['name']} version {model['version']}.",
    )


def verify(
    config: ConfigOption = Path("pql.yaml"),
    url: Annotated[
        str | None, typer.Option(help="URL of a running service to check as well, such as http://127.0.0.1:3000.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=100_000, help="Number of snapshots to sample.")] = 200,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            help="Check entities at risk at this date or time. Default: snapshots of training and test.",
        ),
    ] = None,
    model: ModelOption = "champion",
    as_json: JsonOption = False,
) -> None:
    """Send real snapshots through every path to a score, and compare each result with `pql score`.

    The registered pyfunc gets their features; the engine in this process and the service get their raw events. The API
    key is read from PQL_API_KEY. Exit code 1 if anything differs.
    """
    key = os.environ.get("PQL_API_KEY")
    with Bars(err) as bars:
        result = pql_model.verify(config, url=url, key=key, rows=rows, as_of=as_of, model=model, listener=bars)
    emit(result, as_json, show_verified)
    if not result.same:
        raise typer.Exit(1)


def serve(
    config: ConfigOption = Path("pql.yaml"),
    bundle: Annotated[
        Path | None, typer.Option(help="A folder written by `pql export`. Default: the champion, exported now.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. 0.0.0.0 accepts other machines: set PQL_API_KEYS first.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 3000,
) -> None:
    """Answer score requests over HTTP until Ctrl-C.

    Keys, limits and the file of batch scores are set in the environment: see the page on the service.
    """
    from pql_model.workflows.serve import bundle_to_serve, requires_key

    model = bundle_to_serve(config, bundle)
    environment = {**os.environ, "PQL_BUNDLE": str(model.path.absolute()), "BENTOML_DO_NOT_TRACK": "true"}
    environment.setdefault("BENTOML_HOME", _writable_home())
    access = "requests need an API key" if requires_key(environment) else "open to everyone: no API key is set"
    message = f"{model.name} version {model.version} on http://{host}:{port}, {access}"
    err.print(message, markup=False, soft_wrap=True)
    _become([sys.executable, "-m", "bentoml", "serve", _SERVICE, "--host", host, "--port", str(port)], environment)


def _writable_home() -> str:
    """BentoML's folder, which it writes to as it starts; a temporary one where the home directory is read-only."""
    folder = Path(os.path.expanduser("~")) / "bentoml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return tempfile.mkdtemp(prefix="bentoml-")
    return str(folder) if os.access(folder, os.W_OK) else tempfile.mkdtemp(prefix="bentoml-")


def _become(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Turn this process into another program, so that signals and the exit code are its own and memory is freed."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":  # os.execve would start a second process there, and the shell would not wait for it
        sys.exit(_wait_for(command, environment))
    os.execve(command[0], command, environment)  # noqa: S606 (a fixed command, no shell)


def _wait_for(command: list[str], environment: dict[str, str]) -> int:
    """Run a program to its end. It receives Ctrl-C too, and decides when to stop."""
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603 (a fixed command, no shell)
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue
