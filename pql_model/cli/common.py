"""What every command shares: where it writes, and its two options."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

out = Console()
err = Console(stderr=True)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The product's `pql.yaml`.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and everything else on stderr.")
]


def printed(payload: dict[str, Any], as_json: bool) -> bool:
    """Write the one JSON object of `--json`; whether it was asked for."""
    if as_json:
        sys.stdout.write(json.dumps(payload, ensure_ascii=False, allow_nan=False) + "\n")
    return as_json
