"""Embeddings from an endpoint that speaks OpenAI's protocol: OpenAI, Ollama, vLLM, llama.cpp and others."""

from __future__ import annotations

import http.client
import json
import os
import random
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np

from vdbx._convert import Array
from vdbx._errors import DeadlineError, EmbeddingError, VdbError

_MAX_PAUSE_SECONDS = 60.0
_READ_BYTES = 1 << 16


class _Retry(Exception):
    """A failure that may pass; carries what to say if it does not, and how long the server asks to wait."""

    def __init__(self, error: VdbError, pause: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.pause = pause


@dataclass
class OpenAI:
    """Texts as vectors by POST base_url/embeddings.

    base_url and api_key default to OPENAI_BASE_URL (else OpenAI's own) and OPENAI_API_KEY. Texts go in requests of
    batch_size. 429, 5xx, cut answers and silence are tried again, max_retries times, after pauses that double from
    backoff seconds on, or as long as the server asks; one request may take timeout seconds. The prefixes go before each
    query and text, as models of the E5 family want them ("query: ", "passage: ").
    """

    model: str
    _: KW_ONLY
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    dimensions: int | None = None
    batch_size: int = 128
    timeout: float = 30.0
    max_retries: int = 5
    backoff: float = 0.5
    query_prefix: str = ""
    text_prefix: str = ""

    @property
    def name(self) -> str:
        return self.model

    def __call__(self, texts: Sequence[str]) -> Array:
        return self._embedded([self.text_prefix + text for text in texts])

    def query(self, text: str) -> Array:
        row: Array = self._embedded([self.query_prefix + text])[0]
        return row

    def _embedded(self, texts: list[str]) -> Array:
        parts = [texts[begin : begin + self.batch_size] for begin in range(0, len(texts), self.batch_size)]
        rows = [row for part in parts for row in self._with_retries(part)]
        lengths = {len(row) for row in rows}
        if len(lengths) > 1:
            raise EmbeddingError(f"{self._url()}: vectors of different lengths: {sorted(lengths)}")
        return np.asarray(rows, dtype=np.float32)

    def _url(self) -> str:
        base = self.base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        return base.rstrip("/") + "/embeddings"

    def _with_retries(self, texts: list[str]) -> list[list[float]]:
        for attempt in range(self.max_retries + 1):
            try:
                return _rows_of(self._request(texts), len(texts), self._url())
            except _Retry as failure:
                if attempt == self.max_retries:
                    raise failure.error from failure.__cause__
                # Jitter, so that many clients do not come back at once.
                pause = self.backoff * 2**attempt * random.uniform(0.5, 1.0)
                time.sleep(min(failure.pause if failure.pause is not None else pause, _MAX_PAUSE_SECONDS))
        raise AssertionError("unreachable")

    def _request(self, texts: list[str]) -> bytes:
        """The body of one answer."""
        url = self._url()
        body: dict[str, Any] = {"model": self.model, "input": texts, "encoding_format": "float"}
        if self.dimensions is not None:
            body["dimensions"] = self.dimensions
        headers = {"Content-Type": "application/json"}
        key = self.api_key or os.environ.get("OPENAI_API_KEY")
        if key:
            headers["Authorization"] = f"Bearer {key}"
        deadline = time.monotonic() + self.timeout
        late = DeadlineError(f"{url}: no answer within {self.timeout} s")
        try:
            request = urllib.request.Request(url, json.dumps(body).encode(), headers)
            with urllib.request.urlopen(request, timeout=self.timeout) as response:
                return _read(response, deadline, late)
        except urllib.error.HTTPError as error:
            with error:
                raise _failure_of(error, url) from error
        except TimeoutError as error:
            raise _Retry(late) from error
        except (OSError, http.client.HTTPException) as error:
            if isinstance(getattr(error, "reason", None), TimeoutError):
                raise _Retry(late) from error
            raise _Retry(EmbeddingError(f"{url}: {error or type(error).__name__}")) from error


def _read(response: Any, deadline: float, late: DeadlineError) -> bytes:
    chunks = []
    while chunk := response.read1(_READ_BYTES):
        chunks.append(chunk)
        if time.monotonic() > deadline:
            raise _Retry(late)
    body = b"".join(chunks)
    length = response.headers.get("Content-Length")
    if length is not None and len(body) != int(length):
        raise http.client.IncompleteRead(body, int(length) - len(body))
    return body


def _failure_of(error: urllib.error.HTTPError, url: str) -> Exception:
    try:
        text = error.read(2000).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException):
        text = ""
    failure = EmbeddingError(f"{url}: {error.code} {error.reason}{': ' if text else ''}{text[:500]}")
    if error.code != 429 and error.code < 500:
        return failure
    try:
        pause = float(error.headers.get("Retry-After", ""))
    except ValueError:
        return _Retry(failure)
    return _Retry(failure, max(pause, 0.0))


def _rows_of(body: bytes, count: int, url: str) -> list[list[float]]:
    """The vectors of an answer, in the order of the texts."""
    try:
        data = sorted(json.loads(body)["data"], key=lambda item: item["index"])
        places = [item["index"] for item in data]
        rows = [[float(component) for component in item["embedding"]] for item in data]
    except (ValueError, KeyError, TypeError) as error:
        start = body[:200].decode("utf-8", "replace")
        raise _Retry(EmbeddingError(f"{url}: the answer is none of /embeddings: {start!r}")) from error
    if places != list(range(count)):
        raise EmbeddingError(f"{url}: {len(rows)} vectors for {count} texts, with the indexes {places[:10]}")
    return rows
