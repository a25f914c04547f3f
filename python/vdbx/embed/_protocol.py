"""What a collection embeds with: any function of a list of texts, checked at every call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Union, runtime_checkable

import numpy as np

from vdbx._convert import Array, vectors
from vdbx._errors import EmbeddingMismatchError, InvalidArgumentError

# Its vector tells one model from another of the same name. Stored with collections: never change it.
PROBE = "The quick brown fox jumps over the lazy dog."


@runtime_checkable
class Embedding(Protocol):
    """What a collection embeds with: a name, and vectors for a list of texts. Optional: query(text), dim."""

    @property
    def name(self) -> str: ...

    def __call__(self, texts: list[str]) -> Any: ...


EmbedArgument = Union[str, Callable[[list[str]], Any], None]


class Model:
    """A function of texts with the name that it is known by. What it returns is checked."""

    def __init__(self, function: Callable[[list[str]], Any]) -> None:
        self._function = function
        self.name = str(getattr(function, "name", None) or getattr(function, "__qualname__", type(function).__name__))
        self.dim: int | None = getattr(function, "dim", None)  # None: not known before it was asked
        query = getattr(function, "query", None)
        self._query: Callable[[str], Any] | None = query if callable(query) else None
        self._probe: Array | None = None

    def probe(self) -> Array:
        """The vector of PROBE; asked for once."""
        if self._probe is None:
            self._probe = self._checked(self._function([PROBE]), 1)[0].astype(np.float64)
            self.dim = len(self._probe)
        return self._probe

    def known_dim(self) -> int:
        """How many components its vectors have; asks it where it does not say."""
        return int(self.dim) if self.dim else len(self.probe())

    def texts(self, texts: Sequence[str], dim: int) -> Array:
        """A row for each text. dim: that of the collection, 0 if it has none yet."""
        rows = self._checked(self._function(list(texts)), len(texts))
        if dim and rows.shape[1] != dim:
            raise EmbeddingMismatchError(
                f"{self.name} made vectors of {rows.shape[1]} components; the collection stores {dim}"
            )
        return rows

    def query(self, text: str, dim: int) -> Array:
        """The vector of a query, by the model's own way for queries if it has one."""
        if self._query is None:
            row: Array = self.texts([text], dim)[0]
            return row
        row = vectors(self._query(text), f"the vector that {self.name} made")
        if row.ndim != 1 or (dim and len(row) != dim):
            raise EmbeddingMismatchError(f"{self.name} made a query of shape {row.shape}; wanted ({dim or 'dim'},)")
        return row

    def _checked(self, made: Any, count: int) -> Array:
        rows = vectors(made, f"the vectors that {self.name} made")
        if rows.ndim != 2 or len(rows) != count:
            raise InvalidArgumentError(
                f"{self.name} made an array of shape {rows.shape} for {count} texts; wanted ({count}, dim)"
            )
        return np.asarray(rows)


def model_of(argument: EmbedArgument) -> Model | None:
    """What embed= stands for."""
    if argument is None:
        return None
    if argument == "local":
        from vdbx.embed._local import Local

        return Model(Local())
    if isinstance(argument, str):
        raise InvalidArgumentError(f"embed is '{argument}'; wanted 'local', or a function of a list of texts")
    if not callable(argument):
        raise InvalidArgumentError(f"embed is of type {type(argument).__name__}; wanted a function of a list of texts")
    return Model(argument)
