"""What a collection embeds with: any function of a list of texts, checked at every call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Union, runtime_checkable

import numpy as np

from vdbx._convert import Array, vectors
from vdbx._errors import EmbeddingMismatchError, InvalidArgumentError


@runtime_checkable
class Embedding(Protocol):
    """What a collection embeds with: a name, and vectors for a list of texts. Optional: query(text), dim."""

    @property
    def name(self) -> str: ...

    def __call__(self, texts: list[str]) -> Any: ...


EmbedArgument = Union[str, Callable[[list[str]], Any], None]


class _Named:
    """A function of texts, with the name that it is known by."""

    def __init__(self, function: Callable[[list[str]], Any]) -> None:
        self._function = function
        self.name = str(getattr(function, "name", None) or getattr(function, "__qualname__", type(function).__name__))
        self.dim: int | None = getattr(function, "dim", None)
        query = getattr(function, "query", None)
        if callable(query):
            self.query = query

    def __call__(self, texts: list[str]) -> Any:
        return self._function(texts)


def embedding_of(argument: EmbedArgument) -> Embedding | None:
    """What embed= stands for."""
    if argument is None:
        return None
    if argument == "local":
        from vdbx.embed._local import Local

        return Local()
    if isinstance(argument, str):
        raise InvalidArgumentError(f"embed is '{argument}'; wanted 'local', or a function of a list of texts")
    if not callable(argument):
        raise InvalidArgumentError(f"embed is of type {type(argument).__name__}; wanted a function of a list of texts")
    return _Named(argument)


def embedding_dim(embedding: Embedding) -> int:
    """How many components its vectors have; asks it where it does not say."""
    dim = getattr(embedding, "dim", None)
    if dim is None:
        dim = _checked(embedding, embedding(["dimension"]), 1).shape[1]
        embedding.dim = dim  # type: ignore[attr-defined]
    return int(dim)


def embedded_texts(embedding: Embedding, texts: Sequence[str], dim: int) -> Array:
    """A row for each text; an error where the rows or their length are not as they must be."""
    rows = _checked(embedding, embedding(list(texts)), len(texts))
    if rows.shape[1] != dim:
        raise EmbeddingMismatchError(
            f"{embedding.name} made vectors of {rows.shape[1]} components; the collection stores {dim}"
        )
    return rows


def embedded_query(embedding: Embedding, text: str, dim: int) -> Array:
    """The vector of a query, by the embedding's own way for queries if it has one."""
    query = getattr(embedding, "query", None)
    if query is None:
        row: Array = embedded_texts(embedding, [text], dim)[0]
        return row
    row = vectors(query(text), f"the vector that {embedding.name} made")
    if row.shape != (dim,):
        raise EmbeddingMismatchError(f"{embedding.name} made a query of shape {row.shape}; wanted ({dim},)")
    return row


def _checked(embedding: Embedding, made: Any, count: int) -> Array:
    rows = vectors(made, f"the vectors that {embedding.name} made")
    if rows.ndim != 2 or len(rows) != count:
        raise InvalidArgumentError(
            f"{embedding.name} made an array of shape {rows.shape} for {count} texts; wanted ({count}, dim)"
        )
    return np.asarray(rows)
