"""The page of `pql leads`, as it was written last."""

from __future__ import annotations

from pathlib import Path

from pql_model.serve.problem import ProblemError

PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""The page may load nothing and send nothing: it has names of customers. Its own policy, which applies as well, names its style and
its script by their digests; who may frame it is for a header to say."""


def read_leads(file: Path | None) -> str:
    """Read the page.

    Raises
    ------
    ProblemError
        404, if there is none.
    """
    try:
        if file is not None:
            return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        pass
    allowed = "a file of `pql leads`, named in PQL_LEADS"
    raise ProblemError(404, "no_leads", "There is no list of leads to show", allowed=allowed)
