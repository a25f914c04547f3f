"""Which model made the vectors of a collection: stored in its document, and compared before another one is used.

    {"embedding": {"name": "all-MiniLM-L6-v2-int8", "dim": 384, "probe": [0.018, …]}}

A collection without one, or without records, takes the first model of its dimension that is used.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vdbx import _core
from vdbx._convert import Array
from vdbx._errors import EmbeddingMismatchError, ReadOnlyError
from vdbx.embed._protocol import Model

_KEY = "embedding"
_LEAST_COSINE = 0.99  # builds and processors differ in the last digits, and quantised models by more
_PROBE_DIGITS = 5  # 65,535 components of so many stay below the limit of a document

_lock = threading.Lock()  # what is stored is read and written as one


@dataclass(frozen=True)
class _Stored:
    name: str
    dim: int
    probe: list[float]


def _stored(core: _core.Collection) -> _Stored | None:
    described = json.loads(core.document()).get(_KEY)
    try:
        return _Stored(str(described["name"]), int(described["dim"]), list(described["probe"]))
    except (KeyError, TypeError, ValueError):
        return None


def _cosine(a: Sequence[float], b: Array) -> float:
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if left.shape != right.shape:
        return -1.0
    lengths = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / lengths if lengths else float(np.array_equal(left, right))


class CollectionModel:
    """A model beside the collection that it embeds for. Safe to use from many threads."""

    def __init__(self, core: _core.Collection, model: Model, *, by_name: bool = True) -> None:
        """Refuses what can be told without asking a model that was used before.

        by_name: whether the name must be the one that is stored; other packages have names of their own for a model.
        """
        self._core = core
        self._model = model
        self._by_name = by_name
        self._is_compared = False
        stored = _stored(core)
        if stored is None or not core.count("", ()):
            if core.dim:
                self._compare_dim(model.known_dim())
            return
        if by_name and stored.name != model.name:
            raise EmbeddingMismatchError(
                f"the vectors of collection '{core.name}' were made by {stored.name}; {model.name} was given. If it is the "
                f"same model, give it that name (its attribute .name); otherwise write its vectors into another collection"
            )
        if model.dim:
            self._compare_dim(model.dim)

    def texts(self, texts: Sequence[str]) -> Array:
        """A row for each text."""
        self._compare()
        return self._model.texts(texts, self._core.dim)

    def query(self, text: str) -> Array:
        self._compare()
        return self._model.query(text, self._core.dim)

    def _compare_dim(self, dim: int) -> None:
        stored = self._core.dim
        if stored and dim != stored:
            raise EmbeddingMismatchError(
                f"collection '{self._core.name}' stores {stored} components; {self._model.name} makes {dim}"
            )

    def _compare(self) -> None:
        """Before the first use: the model must be the one that is stored, or becomes it."""
        if self._is_compared:
            return
        probe = self._model.probe()
        self._compare_dim(len(probe))
        with _lock:
            stored = _stored(self._core)
            name = self._model.name
            cosine = _cosine(stored.probe, probe) if stored else 0.0
            is_named = stored is not None and (stored.name == name or not self._by_name)
            if not is_named or cosine < _LEAST_COSINE:
                if stored is not None and self._core.count("", ()):
                    raise EmbeddingMismatchError(
                        f"{name} is not the model that made the vectors of collection '{self._core.name}' ({stored.name}): "
                        f"the cosine of both vectors of one text is {cosine:.3f}; wanted {_LEAST_COSINE} or more"
                    )
                self._adopt(probe)
        self._is_compared = True

    def _adopt(self, probe: Array) -> None:
        document: dict[str, Any] = json.loads(self._core.document())
        components = [float(f"{component:.{_PROBE_DIGITS}g}") for component in probe.tolist()]
        document[_KEY] = {"name": self._model.name, "dim": len(components), "probe": components}
        try:
            self._core.set_document(json.dumps(document, ensure_ascii=False))
        except ReadOnlyError:
            return  # nothing is stored, and nothing was: any model of this dimension may search
