"""The house rules that a machine can check: who imports whom, what has a test, what is never used."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent

LAYERS = (
    {"atomic", "errors", "file_lock", "measures", "memory", "number_text", "payload", "progress", "time"},
    {"config", "statistics"},
    {"sources"},
    {"discovery", "snapshots"},
    {"features"},
    {"model"},
    {"audit"},
    {"evaluation"},
    {"criteria", "explain"},
    {"decide", "page"},
    {"score_log"},
    {"ledger"},
    {"monitoring", "outlook", "outreach", "progression"},
    {"leads", "privacy", "registry", "report"},
    {"activate", "serve"},
)
"""Low to high. A package imports itself and lower layers, never a neighbour or a higher one."""
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
LOWEST = {f"pql_model.{name}" for name in LAYERS[0]}

OUTSIDE_THE_FLOW = {
    "demo": {*LOWEST, "pql_model.config", "pql_model.statistics"},
    "workflows": {"pql_model.demo", *(f"pql_model.{name}" for name in RANK)},
    "cli": {
        *LOWEST,
        *("pql_model", "pql_model.config", "pql_model.demo", "pql_model.workflows"),
        *("pql_model.discovery.draft", "pql_model.discovery.sketch_table"),
    },
    "__main__": {"pql_model.cli"},
    "": {f"pql_model.{name}" for name in (*RANK, "demo", "workflows")},  # the public door, which loads lazily
}
"""What the packages that are no stage may import."""

ONE_DOOR = {
    "aiohttp": ("pql_model.activate.http_sender",),
    "apprise": ("pql_model.activate.notify",),
    "bentoml": ("pql_model.serve.bento",),
    "duckdb": ("pql_model.features", "pql_model.snapshots", "pql_model.sources"),
    "ibis": (
        "pql_model.activate.tables",
        *(f"pql_model.{name}" for name in ("features", "ledger", "monitoring", "outlook", "outreach", "progression")),
        "pql_model.score_log.database_table",
        "pql_model.snapshots",
        "pql_model.sources",
    ),
    "jinja2": ("pql_model.page.rendering", "pql_model.report.rendering"),
    "lightgbm": ("pql_model.model.booster",),
    "matplotlib": ("pql_model.evaluation.plots", "pql_model.explain.shap_door"),
    "mcp": ("pql_model.cli.mcp_server",),
    "mlflow": ("pql_model.registry",),
    "optuna": ("pql_model.model.tune",),
    "rich": ("pql_model.cli",),
    "shap": ("pql_model.explain.shap_door",),
    "sqlglot": (
        "pql_model.score_log.database_table",
        *(
            f"pql_model.criteria.{name}"
            for name in (
                "sql",
                "sql_dbt",
                "sql_dialects",
                "sql_events",
                "sql_measures",
                "sql_parts",
                "sql_people",
                "sql_raw",
                "sql_tables",
            )
        ),
    ),
    "typer": ("pql_model.cli",),
}
"""Heavy dependency -> the modules or packages that may import it."""

HEAVY = (*ONE_DOOR, "numpy", "pandas", "pyarrow", "pydantic", "scipy", "sklearn")
UNSAFE = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "read_pickle", "to_pickle"}
MOST_LINES = 400

SMALL_DATA = {
    "pql_model/activate/job.py": "what a target is to receive and what became of it, made by `messages` and `lists`",
    "pql_model/discovery/billing.py": "a table of the exports of billing systems, read by `conversions`",
    "pql_model/discovery/exports.py": "a table of known exports, read by `recognise`",
}
"""Modules that hold data only and are tested where they are used."""

_GAPS = {
    "its doctests, and every test of a feature": "measures",
    "through tests/discovery/test_draft.py and test_recognise.py": "discovery/roles discovery/shapes discovery/sketch discovery/traits",
    "through tests/demo/test_world.py": "demo/mechanism demo/unusable demo/usage",
}
UNTESTED = {f"pql_model/{name}.py": why for why, names in _GAPS.items() for name in names.split()}
"""Module -> why its test is missing. To be emptied."""


@dataclass(frozen=True)
class Import:
    """One imported module, and where."""

    module: str
    where: str


@cache
def modules() -> dict[str, Path]:
    """Module -> file."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted((ROOT / "pql_model").rglob("*.py"))
    }


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


@cache
def imports(module: str) -> tuple[Import, ...]:
    path = modules()[module]
    items = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            items += [Import(alias.name, place(path, node)) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place(path, node)}: relative import; write the whole name"
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                items.append(Import(deeper if deeper in modules() else str(node.module), place(path, node)))
    return tuple(items)


def package_of(module: str) -> str:
    """`pql_model.model.split` -> `model`; the package itself -> ``."""
    return module.removeprefix("pql_model").lstrip(".").split(".")[0]


def inside(module: str, packages: set[str] | tuple[str, ...]) -> bool:
    return any(module == name or (name != "pql_model" and module.startswith(f"{name}.")) for name in packages)


def crossed(module: str, imported: str) -> str | None:
    """What is wrong with an import, or None."""
    mine, theirs = package_of(module), package_of(imported)
    if mine == theirs and mine != "":
        return None
    if mine in OUTSIDE_THE_FLOW:
        return (
            None if inside(imported, OUTSIDE_THE_FLOW[mine]) else f"`{mine or 'pql_model'}` may not import {imported}"
        )
    if mine not in RANK:
        return f"`{mine}` has no layer: give it a place in LAYERS"
    if theirs not in RANK:
        return f"`{mine}` may not import {imported}: only `cli` and `workflows` stand above all stages"
    if RANK[theirs] == RANK[mine]:
        return f"`{mine}` imports its neighbour `{theirs}`: they meet in `workflows`"
    return f"`{mine}` imports the higher layer `{theirs}`" if RANK[theirs] > RANK[mine] else None


def listed(faults: list[str]) -> str:
    return "\n".join(["", *faults])


# ---------------------------------------------------------------- imports


def test_imports_go_down_the_layers_only():
    faults = [
        f"{result.where}: {wrong}"
        for module in modules()
        for result in imports(module)
        if result.module.split(".")[0] == "pql_model" and (wrong := crossed(module, result.module))
    ]

    assert not faults, listed(faults)


@pytest.mark.parametrize(
    ("module", "imported", "wrong"),
    [
        ("pql_model.sources.read", "pql_model.config.schema", None),
        ("pql_model.model.split", "pql_model.model.columns", None),
        ("pql_model.features.spec", "pql_model.model.split", "`features` imports the higher layer `model`"),
        ("pql_model.explain.x", "pql_model.criteria.y", "`explain` imports its neighbour `criteria`"),
        ("pql_model.model.train", "pql_model.workflows.train", "only `cli` and `workflows` stand above"),
        ("pql_model.model.train", "pql_model", "`model` may not import pql_model"),
        ("pql_model.workflows.train", "pql_model.cli.app", "`workflows` may not import pql_model.cli.app"),
        ("pql_model.cli.app", "pql_model.sources.read", "`cli` may not import pql_model.sources.read"),
        ("pql_model.cli.app", "pql_model.discovery.draft", None),
        ("pql_model.demo.world", "pql_model.model.split", "`demo` may not import"),
        ("pql_model.sales.crm", "pql_model.errors", "`sales` has no layer"),
    ],
)
def test_an_import_across_layers_is_detected(module, imported, wrong):
    result = crossed(module, imported)

    assert result is None if wrong is None else wrong in result


def test_no_modules_import_each_other_in_a_circle():
    done: set[str] = set()

    def walk(module, path):
        assert module not in path, "a circle: " + " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        for result in imports(module):
            if result.module in modules() and result.module != "pql_model":
                walk(result.module, [*path, module])
        done.add(module)

    for module in modules():
        if module != "pql_model":
            walk(module, [])


def test_each_heavy_dependency_is_imported_in_one_place():
    faults = [
        f"{result.where}: {name} has its door in {' and '.join(doors)}"
        for name, doors in ONE_DOOR.items()
        for module in modules()
        for result in imports(module)
        if result.module.split(".")[0] == name and not inside(module, doors)
    ]

    assert not faults, listed(faults)


@pytest.mark.parametrize("module", ["pql_model", "pql_model.cli.app"])
def test_neither_the_package_nor_help_loads_a_heavy_library(module):
    heavy = set(HEAVY) - ({"rich", "typer"} if module == "pql_model.cli.app" else set())
    code = f"import {module}, sys; print(*[name for name in {heavy!r} if name in sys.modules])"
    process = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == []


def test_the_drawing_in_contributing_is_these_layers():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    drawing = text.split("<!-- house -->\n```\n")[1].split("\n```")[0]
    present = {package_of(module) for module in modules()}
    layers = [layer & present for layer in reversed(LAYERS)]

    assert [set(row.split()) for row in drawing.splitlines()] == [{"cli"}, {"workflows"}, *filter(None, layers)]


def closure(module: str) -> set[str]:
    """A module and all that it imports, directly or not."""
    needed, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name in modules() and name not in needed:
            needed.add(name)
            waiting += [result.module for result in imports(name)]
    return needed


def test_a_bento_leaves_out_exactly_the_packages_that_the_service_does_not_import():
    left_out = yaml.safe_load((ROOT / "bentofile.yaml").read_text(encoding="utf-8"))["exclude"]
    packages = {path.parent.name for path in modules().values() if path.name == "__init__.py"} - {"pql_model"}
    needed = {package_of(module) for module in closure("pql_model.serve.bento")}

    assert left_out == [f"pql_model/{package}/" for package in sorted(packages - needed)]


# ---------------------------------------------------------------- what is never used


def asks_the_clock(node: ast.AST) -> bool:
    if not isinstance(node, ast.Attribute):
        return False
    owner = ast.unparse(node.value).split(".")[-1]
    today = node.attr in ("now", "today", "utcnow") and owner in ("date", "datetime", "Timestamp")
    return today or (owner == "time" and node.attr in ("time", "time_ns"))


def test_only_the_time_module_reads_the_clock():
    faults = [
        f"{place(path, node)}: {ast.unparse(node)}; use pql_model.time.now()"
        for module, path in modules().items()
        if module != "pql_model.time"
        for node in ast.walk(tree_of(path))
        if asks_the_clock(node)
    ]

    assert not faults, listed(faults)


def test_nothing_is_unpickled_or_evaluated():
    faults = [
        f"{i.where}: imports {i.module}" for m in modules() for i in imports(m) if i.module.split(".")[0] in UNSAFE
    ]
    for path in modules().values():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
                method = isinstance(node.func, ast.Attribute) and called in ("eval", "exec")
                if called in UNSAFE_CALLS and not method:
                    faults.append(f"{place(path, node)}: calls {called}")

    assert not faults, listed(faults)


def test_no_module_is_longer_than_400_lines():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules().values()}
    faults = [f"{path.relative_to(ROOT)}: {n} lines" for path, n in lengths.items() if n > MOST_LINES]

    assert not faults, listed(faults) + "\na file this long is two ideas"


# ---------------------------------------------------------------- tests


def test_every_expected_error_is_matched_by_its_message():
    faults = [
        f"{place(path, node)}: pytest.raises without match="
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("pytest.raises", "raises")
        and "match" not in {keyword.arg for keyword in node.keywords}
    ]

    assert not faults, listed(faults)


def homes(path: Path) -> tuple[Path, Path]:
    """Where a module's test belongs; the second name is for modules of the same name in two packages."""
    folders = path.relative_to(ROOT).parts[1:-1]
    names = (f"test_{path.name}", "_".join(["test", *folders, path.name]))
    return tuple(ROOT / "tests" / Path(*folders, name) for name in names)


def without_test() -> dict[str, str]:
    """Module file -> where its test belongs, for those that have none."""
    paths = [path for path in modules().values() if path.name not in ("__init__.py", "__main__.py")]
    return {
        str(path.relative_to(ROOT)): str(homes(path)[0].relative_to(ROOT))
        for path in paths
        if not any(test.exists() for test in homes(path)) and str(path.relative_to(ROOT)) not in SMALL_DATA
    }


def test_every_module_has_a_test_file():
    faults = [f"{module}: no {test}" for module, test in without_test().items() if module not in UNTESTED]

    assert not faults, listed(faults)


def test_the_list_of_untested_modules_is_not_out_of_date():
    faults = [f"{module}: take it off _GAPS" for module in UNTESTED if module not in without_test()]

    assert not faults, listed(faults)


def test_at_most_two_packages_share_a_module_name():
    packages: dict[str, set[str]] = {}
    for module, path in modules().items():
        packages.setdefault(path.name, set()).add(package_of(module))
    del packages["__init__.py"]

    faults = [f"{name}: {', '.join(sorted(of))}" for name, of in packages.items() if len(of) > 2]
    assert not faults, listed(faults)


def test_no_two_test_files_have_the_same_name():
    seen: dict[str, Path] = {}
    faults = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if path.name in seen:
            other = seen[path.name].relative_to(ROOT)
            faults.append(f"{path.relative_to(ROOT)}: pytest takes it for {other}; call it test_<package>_<module>.py")
        seen[path.name] = path

    assert not faults, listed(faults)
