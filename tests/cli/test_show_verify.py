import io

from rich.console import Console

from pql_model.cli.show_verify import show_verified
from pql_model.decide.parity import NUMBERS, SAME, Parity
from pql_model.pipelines.verify import Verified


def shown(*paths, as_of=None):
    console = Console(width=140, record=True, file=io.StringIO())
    show_verified(console, Verified(as_of, 200, paths).as_json())
    return console.export_text()


def parity(path, different=(), largest=(), **refused):
    none = dict.fromkeys(NUMBERS, 0.0)
    return Parity(path, 200, none | dict(largest), dict.fromkeys((*NUMBERS, *SAME), 0) | dict(different), **refused)


def test_each_path_is_a_line_and_that_all_is_well_is_said():
    told = shown(parity("pyfunc"), parity("http://127.0.0.1:3000"))
    assert "200 snapshots of training and test, compared with `pql score`" in told
    assert [line.split() for line in told.splitlines() if line.startswith(("pyfunc", "http"))] == [
        ["pyfunc", "0", "0", "0", "0"],
        ["http://127.0.0.1:3000", "0", "0", "0", "0"],
    ]
    assert told.strip().endswith("The same number everywhere.")


def test_what_differs_and_what_was_refused_is_said():
    bad = parity("pyfunc", {"reasons": 3, "probability": 1}, {"probability": 0.5, "timing": 0.25})
    told = shown(bad, parity("in process", refused=2, first_refusal="[acme]: no"), as_of=0)
    assert "at risk at 1970-01-01" in told
    lines = told.splitlines()
    assert next(line.split() for line in lines if line.startswith("pyfunc ")) == ["pyfunc", "0.5", "0.25", "3", "0"]
    assert "pyfunc: 3 rows have another reasons" in told
    assert "pyfunc: 1 rows have another probability" in told
    assert "in process: the first that was refused: [acme]: no" in told
    assert "The same number" not in told
