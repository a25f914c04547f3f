"""The example chat in a real browser, that of Debian: a question is typed, an answer with its citations appears.

The screenshots are kept in build/screenshots, to be looked at.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_documents import write_documents

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"


@pytest.fixture
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("NOT RUN: the chat in a browser. Wanted: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="NOT RUN: the chat in a browser. Wanted: playwright")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where the chat with a folder of forty documents is, without an endpoint."""
    write_documents(tmp_path / "handbook")
    (tmp_path / "handbook" / "broken.pdf").write_bytes(b"%PDF-1.4 this is none")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    options = ["--server.address", "127.0.0.1", "--server.port", str(port), "--server.headless", "true"]
    options += ["--browser.gatherUsageStats", "false", "--client.toolbarMode", "minimal"]
    options += ["--server.fileWatcherType", "none"]
    command = [sys.executable, "-m", "streamlit", "run", ROOT / "examples" / "chat" / "app.py", *options, "--"]
    with open(tmp_path / "log", "w") as log, subprocess.Popen(
        [*command, tmp_path / "handbook"], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
    ) as server:
        assert server.stdout is not None
        lines = iter(server.stdout.readline, "")
        if not any(f"127.0.0.1:{port}" in line for line in lines):
            pytest.fail(f"Streamlit ended: {(tmp_path / 'log').read_text()}")
        url = f"http://127.0.0.1:{port}"
        assert answers(f"{url}/_stcore/health")
        yield url
        server.terminate()
        server.communicate(timeout=60)  # it says goodbye, and stays for ever when nobody listens


def test_a_question_in_the_browser(address: str, browser: Any) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    elsewhere: list[str] = []
    page.on("request", lambda request: elsewhere.append(request.url) if address not in request.url else None)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    question = page.get_by_placeholder("Ask your documents")
    question.wait_for(timeout=60_000)
    page.screenshot(path=SCREENSHOTS / "chat-1-start.png")

    question.fill("May I bring my puppy to work?")
    question.press("Enter")
    citation = page.get_by_text("[1] office/dogs.md, line 1")
    citation.wait_for(timeout=60_000)
    assert page.get_by_text("Dogs are welcome on the second floor").first.is_visible()
    citation.click()
    page.get_by_text("They stay on a leash in the corridors.").last.wait_for(timeout=10_000)
    page.screenshot(path=SCREENSHOTS / "chat-2-answer.png")

    question.fill("Who started the firm?")
    question.press("Enter")
    page.get_by_text("product/history.txt, line 1").first.wait_for(timeout=60_000)
    page.screenshot(path=SCREENSHOTS / "chat-3-second.png")
    assert page.get_by_text("office/dogs.md, line 1").first.is_visible(), "an earlier answer has lost its citations"
    assert not errors
    assert [url for url in elsewhere if url.startswith("http")] == []
