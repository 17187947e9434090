"""Nothing that a clone, an import or a file needs is particular to Unix."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNIX_ONLY = ("fcntl", "grp", "pwd", "resource", "termios")
NEEDS_A_BUNDLE = "pql_model.serve.bento"
WITHOUT = f"""
import importlib, importlib.util, pkgutil, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        frame, ours = sys._getframe(1), False
        while frame is not None:
            module = frame.f_globals.get("__name__", "")
            if module.startswith("pql_model"):
                ours = True
                break
            if not module.startswith(("importlib", "__main__")) and frame.f_code.co_name != "find_spec":
                break  # a dependency, which knows how to do without
            frame = frame.f_back
        if name in {UNIX_ONLY!r} and ours:
            raise ImportError("no module named " + name)
        return None

for name in {UNIX_ONLY!r}:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Blocked())
import pql_model
names = [found.name for found in pkgutil.walk_packages(pql_model.__path__, "pql_model.")]
for name in names:
    if name not in ({NEEDS_A_BUNDLE!r}, "pql_model.__main__"):
        importlib.import_module(name)
print(len(names))
"""
TEXT_CALLS = {"open", "read_text", "write_text"}


def test_every_module_is_imported_without_what_only_unix_has():
    process = subprocess.run([sys.executable, "-c", WITHOUT], cwd=ROOT, capture_output=True, text=True, timeout=300)

    assert process.returncode == 0, process.stderr
    assert int(process.stdout) > 150


def tracked() -> list[str]:
    """Lines of `git ls-files --stage`: mode, object, stage, path; of a tree without git, nothing."""
    if not (ROOT / ".git").exists():
        return []
    process = subprocess.run(
        ["git", "ls-files", "--stage"], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True
    )
    return process.stdout.splitlines()


def test_the_repository_holds_no_symbolic_link():
    links = [line.split("\t")[1] for line in tracked() if line.startswith("120000")]
    links += [str(path.relative_to(ROOT)) for path in (ROOT / "pql_model").rglob("*") if path.is_symlink()]

    assert links == []


def test_no_two_paths_differ_only_in_case_and_none_is_reserved_on_windows():
    paths = [line.split("\t")[1] for line in tracked()]
    reserved = {"aux", "con", "nul", "prn", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}

    assert len({path.lower() for path in paths}) == len(paths)
    assert not [path for path in paths if set(path) & set('<>:"|?*\\')]
    assert not [path for path in paths for part in path.lower().split("/") if part.split(".")[0] in reserved]


def _opens_text_without_encoding(call: ast.Call) -> bool:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name not in TEXT_CALLS or "encoding" in {keyword.arg for keyword in call.keywords}:
        return False
    if name == "open":
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) not in ("path", "Path"):
            return False  # gzip.open, journal.open
        modes = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        return not any("b" in mode for mode in modes)
    return True


def test_text_files_are_opened_with_their_encoding():
    faults = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)[:80]}"
        for folder in ("pql_model", "pipelines", "docs")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _opens_text_without_encoding(node)
    ]

    assert not faults, "\n".join(["", *faults])
