"""What `pql init` and `pql check` make of a folder of exports whose right reading is known.

    python benchmarks/cases.py DIR

Each folder in DIR holds the files of one export and a README that says what is right. Prints a table in Markdown: conversions, events
and entities that were read, and the first words that a person reads.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

MOST_WORDS = 200
TELLING = ("count where", "`normalise:`", "`encoding:`", "left out as", "trial ends")
"""Words of the notes of `pql init` that say what it did beyond naming columns."""
PAID = ("subscriptions", "payments", "charges", "deals", "opportunities", "conversions", "contacts")


def pql(home: Path, *arguments: str) -> tuple[dict[str, Any] | None, str]:
    """The JSON answer of a command, or None and its error."""
    done = subprocess.run(
        [sys.executable, "-m", "pql_model", *arguments, "--json"], cwd=home, capture_output=True, text=True, check=False
    )
    answer = json.loads(done.stdout) if done.stdout.strip() else {}
    error = answer.get("error")
    return (None if done.returncode else answer), (error["message"] if isinstance(error, dict) else done.stderr)


def tables(folder: Path) -> list[str]:
    """The arguments of `pql init`: the files of an export by their names."""
    names = sorted(
        path.name for path in folder.iterdir() if "readme" not in path.name.lower() and path.suffix != ".yaml"
    )
    paid = next((name for part in PAID for name in names if part in name.lower()), None)
    listed = next(name for name in names if "account" in name.lower())
    events = next(name for name in names if name.startswith("events"))
    events = f"{events}/*.csv" if (folder / events).is_dir() else events
    return ["--events", events, "--entities", listed, *(["--conversions", paid] if paid else [])]


def read(folder: Path) -> str:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(shutil.copytree(folder, Path(place) / "export"))
        drafted, error = pql(home, "init", *tables(home))
        if drafted is None:
            return f"refused by `pql init` | | | {_short(error)}"
        asked = drafted.get("questions") or []
        checked, error = pql(home, "check")
        if checked is None:
            return f"refused by `pql check` | | | {_short(error)}"
        noted = [note for note in drafted.get("notes", []) if any(word in note for word in TELLING)]
        said = [*asked, *checked["warnings"], *noted]
        counts = " | ".join(f"{checked[key]:,}" for key in ("conversions", "events", "entities"))
        return f"{counts} | {_short(said[0]) if said else ''}"


def _short(text: str) -> str:
    words = " ".join(text.split()).replace("|", "/")
    return words if len(words) <= MOST_WORDS else words[: MOST_WORDS - 3] + "..."


def main() -> None:
    parser = argparse.ArgumentParser(description="Exports with a known right reading.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    print("| export | conversions | events | entities | what is read first |")
    print("|---|---|---|---|---|")
    for case in sorted(path for path in folder.iterdir() if path.is_dir()):
        print(f"| {case.name} | {read(case)} |", flush=True)


if __name__ == "__main__":
    main()
