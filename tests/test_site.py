"""The documentation site in a real browser: no error, nothing from a network, nothing wider than a phone."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SITE = Path(__file__).parents[1] / "build" / "site"
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PAGES = [
    "index.html",
    "start.html",
    "guides/halve-the-bill.html",
    "tutorials/compress.html",
    "reference/codecs.html",
    "stores.html",
    "benchmarks/results/search.html",
]


class Quiet(SimpleHTTPRequestHandler):
    """Serve files without a line on standard error for each."""

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    if not (SITE / "index.html").exists():
        pytest.skip("needs the built site: make site")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[[str, dict[str, Any]], Any]]:
    """Return a function that opens a page; afterwards no page may have had an error or asked another server."""
    problems: list[str] = []

    def visit(name: str, device: dict[str, Any]) -> Any:
        page = browser.new_context(**device).new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(address) else problems.append(request.url))
        page.on("requestfailed", lambda request: problems.append(request.url))
        page.goto(f"{address}/{name}", wait_until="networkidle")
        return page

    yield visit
    assert problems == []


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pages_open_and_fit(device: dict[str, Any], visit: Callable[..., Any]) -> None:
    width = device["viewport"]["width"]
    for name in PAGES:
        page = visit(name, device)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.locator("h1").first.is_visible(), name
        page.context.close()


def test_the_search_finds_a_page(visit: Callable[..., Any]) -> None:
    page = visit("index.html", DESKTOP)
    page.locator("input.md-search__input").click()
    page.keyboard.type("pgvector")
    first = page.locator(".md-search-result__link").first
    first.wait_for()
    assert "pgvector" in first.inner_text().lower()


def test_the_theme_changes(visit: Callable[..., Any]) -> None:
    page = visit("index.html", DESKTOP)
    before = page.evaluate("document.body.dataset.mdColorScheme")
    page.locator("label.md-header__button[title^='Switch']:visible").click()
    assert page.evaluate("document.body.dataset.mdColorScheme") != before
