"""What the benchmark's worker asks of an embedded vector database; one module of this folder for each."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, TypeAlias

import numpy as np

Vectors: TypeAlias = "np.ndarray[Any, np.dtype[np.float32]]"
Rows: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"


@dataclasses.dataclass
class Spec:
    engine: str  # e.g. "faiss-hnsw": names the module by what stands before the first "-", and the variant by the rest
    data: str  # folder of a prepared set
    query_file: str
    folder: str  # of the index; empty before build
    metric: str  # l2, ip, cosine; under cosine all vectors have unit length
    dim: int
    k: int
    m: int
    ef_construction: int
    threads: int  # for building
    read_only: bool


class Peer(Protocol):
    """A class `Engine` in the module; its docstring's first line says how durable what it has built is."""

    def __init__(self, spec: Spec) -> None: ...

    def build(self, vectors: Vectors, rows: Rows) -> None:
        """Into spec.folder; rows are the ids, ascending. The process ends afterwards."""

    def open(self) -> None: ...

    def set_parameter(self, parameter: float) -> None:
        """What trades recall for speed, from the next search on."""

    def search(self, vector: Vectors) -> Any:
        """Ids and distances of the spec.k nearest, on one thread, as the database hands them out. Timed."""

    def rows(self, answer: Any) -> list[int]:
        """The ids of an answer. Not timed."""
