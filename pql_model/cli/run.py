"""Run a command line, or a script of `pipelines/`, with the same exit codes and the same errors.

Exit codes: 0 success, 1 a bug in pql, 2 invalid usage, config or data, 3 what `--fail-on` names was found, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before any library that reads it is loaded

import typer

from pql_model.cli.common import err, print_json
from pql_model.errors import PqlError

INTERRUPTED = 130
FOUND = 3
_FAILS = {"never": (), "act": ("act",), "watch": ("act", "watch")}


def run_script(command: Callable[..., object], arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one function as a script: its parameters become options and its docstring becomes the help.

    Parameters
    ----------
    command : callable
        A function whose parameters are annotated with Typer options, such as those in `pql_model.cli.common`.
    arguments : sequence of str, optional
        The words after the script's name; default: those of this process.

    Raises
    ------
    SystemExit
        Always, with the exit code.

    Examples
    --------
    >>> from pathlib import Path
    >>> from pql_model.cli.common import ConfigOption
    >>> def show(config: ConfigOption = Path("pql.yaml")) -> None:
    ...     print(config)
    >>> run_script(show, ["--config", "boards.yaml"])
    Traceback (most recent call last):
    SystemExit: 0
    """
    app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
    app.command()(command)
    run_app(app, Path(sys.argv[0]).name, arguments)


def run_app(app: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a Typer app and exit with its code; with `--json`, an error is one JSON object on stdout as well."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(words, prog_name=name, standalone_mode=False) or 0
        if code == INTERRUPTED:  # Typer swallows Ctrl-C and returns this
            raise KeyboardInterrupt
    except PqlError as error:
        code = _fail(error.to_dict(), str(error), words, error.exit_code)
    except typer.exceptions.TyperException as error:
        message = _usage_message(error, name)
        code = _fail({"type": "UsageError", "message": message}, message, words, 2)
    except (KeyboardInterrupt, typer.Abort):
        message = "Interrupted. No partial files were left behind."
        code = _fail({"type": "Interrupted", "message": message}, message, words, INTERRUPTED)
    except Exception as error:  # noqa: BLE001 (the edge of the process: whatever reaches it is a bug)
        traceback.print_exc()
        message = f"This is a bug in pql, not in your data. Please report it. {type(error).__name__}: {error}"
        code = _fail({"type": type(error).__name__, "message": message}, message, words, 1)
    sys.exit(code)


def stop(error: PqlError) -> NoReturn:
    """End a command whose result has been printed already, with the error on stderr and its exit code."""
    show_error(str(error))
    raise typer.Exit(error.exit_code)


def exit_if_found(severity: str, fail_on: str) -> None:
    """End with exit code 3 if a look of the monitor found what `--fail-on` names.

    >>> exit_if_found("watch", "act")
    >>> try:
    ...     exit_if_found("act", "watch")
    ... except typer.Exit as end:
    ...     print(end.exit_code)
    3
    """
    if severity in _FAILS[fail_on]:
        raise typer.Exit(FOUND)


def show_error(message: str) -> None:
    """Print an error on stderr."""
    err.print("[red]Error:[/] ", end="")
    err.print(message, markup=False)


def _usage_message(error: Exception, name: str) -> str:
    """Describe an error of the command line, and point to the help."""
    message = getattr(error, "format_message", lambda: str(error))()
    after_command = ", or `--help` after the command" if name == "pql" else ""
    return f"{message.rstrip('.')}. See `{name} --help`{after_command}."


def _fail(payload: dict[str, Any], message: str, words: Sequence[str], code: int) -> int:
    if "--json" in words:
        print_json({"error": payload})
    show_error(message)
    return code
