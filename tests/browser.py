"""Headless Chromium for tests of pages: how it is started, what a page is heard to do, and axe."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
REQUIRED = os.environ.get("PQL_BROWSER") == "required"
"""Set by `.ci/run`: there a machine without a browser is a failure and no reason to skip."""
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
EVIL = "</script><img src=x onerror=alert(1)>"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

Visit = Callable[..., Any]


def skip_without_browser() -> None:
    """Skip the module on a machine without a browser, unless one is required."""
    if not REQUIRED:
        pytest.importorskip("playwright", reason="the browser tests need `pip install -e .[dev]`")
        if CHROMIUM is None:
            pytest.skip("no Chromium on this machine: `apt-get install chromium`", allow_module_level=True)


@contextmanager
def started() -> Iterator[Any]:
    """A running browser."""
    from playwright.sync_api import sync_playwright

    assert CHROMIUM is not None, "PQL_BROWSER=required, and no Chromium is installed"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@contextmanager
def visits(browser: Any, folder: Path, first: str) -> Iterator[Visit]:
    """A function that opens a page of a folder, offline. `page.heard` lists its messages, errors, dialogs and requests."""
    contexts = []

    def open_page(name: str = first, hash_: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 720}, "offline": True, **options})
        contexts.append(context)
        page = context.new_page()
        page.heard = []
        page.on("console", lambda message: page.heard.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: page.heard.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (page.heard.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "request",
            lambda request: (
                page.heard.append(f"request: {request.url}") if not request.url.startswith("file:") else None
            ),
        )
        page.goto((folder / f"{name}.html").as_uri() + hash_)
        return page

    yield open_page
    for context in contexts:
        context.close()


def axe(page: Any) -> dict[str, Any]:
    from axe_playwright_python.base import AXE_FILE_PATH

    result: dict[str, Any] = page.evaluate(
        f"async (rules) => {{ {Path(AXE_FILE_PATH).read_text('utf-8')}; "
        "return axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']}); }",
        RULES,
    )
    return result


def assert_accessible(page: Any, media: str | None = None) -> None:
    """No violation with everything open, on the screen or as another medium."""
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    if media:
        page.emulate_media(media=media)
    result = axe(page)

    assert violations(result) == []
    assert len(result["passes"]) > 20


def violations(found: dict[str, Any]) -> list[str]:
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found["violations"] for node in rule["nodes"]]


def letters(payload: str) -> str:
    """Without what line breaks and kerning do to text in a PDF."""
    return re.sub(r"\W+", "", unicodedata.normalize("NFKC", payload))
