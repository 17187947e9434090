import io

from rich.console import Console

from pql_model.cli.show_verify import show_verified
from pql_model.score_log.row_diff import NUMBERS, SAME, RowDiff
from pql_model.workflows.verify import VerifyResult


def shown(*paths, as_of=None):
    console = Console(width=140, record=True, file=io.StringIO())
    show_verified(console, VerifyResult(as_of, 200, paths).to_dict())
    return console.export_text()


def parity(path, different=(), largest=(), **refused):
    none = dict.fromkeys(NUMBERS, 0.0)
    return RowDiff(path, 200, none | dict(largest), dict.fromkeys((*NUMBERS, *SAME), 0) | dict(different), **refused)


def test_each_path_has_a_line_and_agreement_is_stated():
    payload = shown(parity("pyfunc"), parity("http://127.0.0.1:3000"))
    assert "200 snapshots of training and test, compared with `pql score`" in payload
    assert [line.split() for line in payload.splitlines() if line.startswith(("pyfunc", "http"))] == [
        ["pyfunc", "0", "0", "0", "0"],
        ["http://127.0.0.1:3000", "0", "0", "0", "0"],
    ]
    assert payload.strip().endswith("All paths give the same scores.")


def test_differences_and_refusals_are_listed():
    bad = parity("pyfunc", {"reasons": 3, "probability": 1}, {"probability": 0.5, "timing": 0.25})
    payload = shown(bad, parity("in process", refused=2, first_refusal="[acme]: no"), as_of=0)
    assert "at risk at 1970-01-01" in payload
    lines = payload.splitlines()
    assert next(line.split() for line in lines if line.startswith("pyfunc ")) == ["pyfunc", "0.5", "0.25", "3", "0"]
    assert "pyfunc: reasons differs in 3 rows" in payload
    assert "pyfunc: probability differs in 1 rows" in payload
    assert "in process: first refusal: [acme]: no" in payload
    assert "All paths" not in payload
