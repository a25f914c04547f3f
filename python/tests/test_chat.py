"""The example chat: what it finds, what it keeps up to date, what it says without an endpoint and with one."""

from __future__ import annotations

import json
import math
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from chat_documents import DOCUMENTS, QUESTIONS, pdf_of, write_documents

import vdbx
from vdbx import F

CHAT = Path(__file__).parents[2] / "examples" / "chat"
sys.path.insert(0, str(CHAT))
import documents  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # AppTest makes the app the main module, and does not undo it: processes that later tests spawn would run it.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "handbook"
    write_documents(root)
    return root


@pytest.fixture
def notes(db: vdbx.Database) -> vdbx.Collection:
    return db.collection("documents", embed="local")


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def bm25(question: str, k1: float = 1.5, b: float = 0.75) -> list[str]:
    """Files by Okapi BM25, best first, those without any word in common left out."""
    bags = {name: Counter(words(text)) for name, text in DOCUMENTS.items()}
    mean = sum(bag.total() for bag in bags.values()) / len(bags)
    scores = {}
    for name, bag in bags.items():
        score = 0.0
        for word in set(words(question)):
            having = sum(word in other for other in bags.values())
            weight = math.log(1 + (len(bags) - having + 0.5) / (having + 0.5))
            score += weight * bag[word] * (k1 + 1) / (bag[word] + k1 * (1 - b + b * bag.total() / mean))
        scores[name] = score
    return [name for name in sorted(scores, key=lambda name: -scores[name]) if scores[name] > 0]


def test_the_right_file_is_among_the_citations(folder: Path, notes: vdbx.Collection) -> None:
    assert len(DOCUMENTS) == 40 and len(QUESTIONS) == 20
    report = documents.update(notes, folder)
    assert (report.added, report.skipped) == (40, [])
    found = [q for q, source in QUESTIONS.items() if source in {hit["source"] for hit in notes.search(q, k=4)}]
    by_words = [q for q, source in QUESTIONS.items() if source in bm25(q)[:4]]
    print(f"right file among four: {len(found)} of 20, BM25 {len(by_words)}; missed: {set(QUESTIONS) - set(found)}")
    assert len(found) >= 18 and len(found) > len(by_words)
    filtered = 0
    for question, source in QUESTIONS.items():
        path = Path(source)
        where = (F.folder == str(path.parent)) & (F.type == documents.TYPE_OF[path.suffix])
        hits = notes.search(question, k=4, filter=where)
        assert all(Path(hit["source"]).parent == path.parent for hit in hits)
        filtered += source in {hit["source"] for hit in hits}
    assert filtered >= 18


def test_passages_say_where_they_stand(folder: Path, notes: vdbx.Collection) -> None:
    (folder / "long.md").write_text("# One\n\n" + "word " * 400 + "\n\n# Two\n\nThe second part is about otters.\n")
    documents.update(notes, folder)
    hit = notes.search("otters", k=1)[0]
    assert (hit["source"], hit["place"], hit["folder"], hit["type"]) == ("long.md", "line 5", ".", "markdown")
    assert notes.search("fire alarm drill", k=1)[0]["place"] == "page 1"
    assert max(len(record["text"]) for record in notes.scan()) <= documents.PASSAGE_CHARS + 1


def test_only_what_changed_is_read_again(folder: Path, notes: vdbx.Collection) -> None:
    documents.update(notes, folder)
    assert str(documents.update(notes, folder)) == "Files: 0 added, 0 changed, 0 removed, 40 unchanged, 0 skipped."
    (folder / "office/dogs.md").write_text("# Animals\n\nOnly goldfish are allowed.")
    (folder / "office/fire.pdf").rename(folder / "office/alarm.pdf")
    (folder / "product/history.txt").unlink()
    report = documents.update(notes, folder)
    assert (report.added, report.changed, report.removed, report.unchanged) == (1, 1, 2, 37)
    sources = {record["source"] for record in notes.scan()}
    assert "office/alarm.pdf" in sources and not {"office/fire.pdf", "product/history.txt"} & sources
    assert "goldfish" in notes.search("which pets may come?", k=1)[0]["text"]
    assert notes.count("source = 'office/dogs.md'") == 1


def test_files_that_cannot_be_read_are_skipped_and_listed(folder: Path, notes: vdbx.Collection) -> None:
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 this is none")
    (folder / "binary.py").write_bytes(b"\0\1\2" * 100)
    (folder / "latin.txt").write_bytes("größer".encode("latin-1"))
    (folder / "empty.md").write_text("\n\n")
    (folder / "empty.pdf").write_bytes(pdf_of(""))
    (folder / "photo.jpg").write_bytes(b"no document")
    (folder / ".hidden.md").write_text("secret")
    (folder / ".git").mkdir()
    (folder / ".git" / "x.md").write_text("secret")
    report = documents.update(notes, folder)
    assert report.added == 40
    reasons = dict(report.skipped)
    assert sorted(reasons) == ["bad.pdf", "binary.py", "empty.md", "empty.pdf", "latin.txt"]
    assert reasons["binary.py"] == "a binary file" and reasons["empty.md"] == "no text in it"
    (folder / "office/dogs.md").write_bytes(b"\0")  # what was readable once is not kept
    assert documents.update(notes, folder).removed == 1


def test_html_without_its_scripts() -> None:
    page = b"<html><style>p {}</style>\n<p>One &amp; two</p>\n<script>var x = 1;</script>\n<p>Three</p></html>"
    assert list(documents.passages_of(Path("a.html"), page)) == [("One & two\n\nThree", "line 2")]


def test_quotes_are_sentences_with_their_numbers(folder: Path, notes: vdbx.Collection) -> None:
    documents.update(notes, folder)
    question = "Where can I charge my electric car?"
    hits = list(notes.search(question, k=4))
    quotes = documents.best_sentences(question, hits)
    number = [hit["source"] for hit in hits].index("office/parking.html") + 1
    assert f"have chargers. [{number}]" in quotes and len(quotes.split("\n\n")) <= 3
    assert "".join(documents.answer(question, hits, quotes)) == quotes
    assert documents.best_sentences(question, []) == "Nothing in the documents fits."


def test_sentences_go_across_lines_but_not_across_headings_items_and_lines_of_code() -> None:
    text = "# Title\nThe firm adds\ntwenty percent. It is\npaid.\n- one\n- two\nmore\n\nEnd"
    assert documents.sentences_of(text, "markdown") == [
        "# Title", "The firm adds twenty percent.", "It is paid.", "- one", "- two more", "End"
    ]
    assert documents.sentences_of("a = 1\n  b. c", "code") == ["a = 1", "b. c"]


# An endpoint that streams


class Model(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: Callable[[Any], None] = stream
        self.bodies: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.answer(self)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def write_events(handler: BaseHTTPRequestHandler, *events: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.end_headers()
    for event in events:
        handler.wfile.write(f"data: {event}\n\n".encode())


def delta(text: str) -> str:
    return json.dumps({"choices": [{"delta": {"content": text}}]})


def stream(handler: BaseHTTPRequestHandler) -> None:
    write_events(handler, json.dumps({"choices": [{"delta": {"role": "assistant"}}]}), delta("Thirty "), delta("days [1]."), "[DONE]")


def cut(handler: BaseHTTPRequestHandler) -> None:
    write_events(handler, delta("Thirty "))


def refuse(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(401)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Model]:
    server = Model()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_endpoint_gets_the_passages_and_streams(model: Model, folder: Path, notes: vdbx.Collection) -> None:
    documents.update(notes, folder)
    hits = list(notes.search("How much vacation do I get?", k=2))
    assert list(documents.answer("How much vacation do I get?", hits, "quotes")) == ["Thirty ", "days [1]."]
    body = model.bodies[0]
    assert body["stream"] and hits[0]["text"] in body["messages"][1]["content"]


@pytest.mark.parametrize("failure", [refuse, cut])
def test_an_endpoint_that_fails_falls_back_to_quotes(
    model: Model, folder: Path, notes: vdbx.Collection, failure: Callable[[Any], None]
) -> None:
    model.answer = failure
    documents.update(notes, folder)
    text = "".join(documents.answer("vacation", list(notes.search("vacation", k=2)), "> the quotes"))
    assert "does not answer" in text and text.endswith("> the quotes")


def test_an_endpoint_that_is_down(folder: Path, notes: vdbx.Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    documents.update(notes, folder)
    text = "".join(documents.answer("vacation", list(notes.search("vacation", k=2)), "> the quotes"))
    assert "127.0.0.1:9/v1 does not answer" in text and text.endswith("> the quotes")


# The app


@pytest.mark.filterwarnings("default")
def test_the_app(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit.testing.v1 import AppTest

    monkeypatch.setattr(sys, "argv", ["app.py", str(folder)])
    # The script takes the place of __main__, which the spawned children of later tests would run.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    app = AppTest.from_file(str(CHAT / "app.py"), default_timeout=60).run()
    assert not app.exception
    assert "40 added" in app.sidebar.caption[0].value
    app.chat_input[0].set_value("May I bring my puppy to work?").run()
    assert not app.exception
    assert "Dogs are welcome" in app.chat_message[1].markdown[0].value
    labels = [expander.label for expander in app.expander]
    assert len(labels) == 4 and labels[0] == "[1] office/dogs.md, line 1"
    assert app.caption[0].value.endswith("Nothing leaves this machine.")
    app.sidebar.multiselect[0].set_value(["sales"]).run()
    assert [expander.label for expander in app.expander] == labels
    app.chat_input[0].set_value("May I bring my puppy to work?").run()
    assert not app.exception
    assert len(app.expander) == 8 and all("sales/" in expander.label for expander in app.expander[4:])


def test_the_app_is_short() -> None:
    assert len((CHAT / "app.py").read_text().splitlines()) <= 50
