"""USearch with float32, bfloat16 or int8 vectors (usearch-f32, usearch-bf16, usearch-i8)."""

from __future__ import annotations

from typing import Any

from peer import Rows, Spec, Vectors
from usearch.index import Index


class Engine:
    """one file, written when told to; no log"""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.dtype = spec.engine.partition("-")[2]
        if self.dtype == "i8" and spec.metric != "cosine":
            raise ValueError("USearch's int8 brings vectors to unit length: cosine only")

    def make(self) -> Any:
        spec = self.spec
        # Vectors have unit length under cosine: its inner product is faster, and the same. int8 needs cos to scale them.
        metric = "l2sq" if spec.metric == "l2" else "cos" if self.dtype == "i8" else "ip"
        return Index(
            ndim=spec.dim, metric=metric, dtype=self.dtype, connectivity=spec.m, expansion_add=spec.ef_construction
        )

    def build(self, vectors: Vectors, rows: Rows) -> None:
        index = self.make()
        index.add(rows, vectors, threads=self.spec.threads)
        index.save(f"{self.spec.folder}/index.usearch")

    def open(self) -> None:
        self.index = self.make()
        self.index.load(f"{self.spec.folder}/index.usearch")

    def set_parameter(self, parameter: float) -> None:
        self.index.expansion_search = int(parameter)

    def search(self, vector: Vectors) -> Any:
        return self.index.search(vector, self.spec.k, threads=1)

    def rows(self, answer: Any) -> list[int]:
        return [int(key) for key in answer.keys]
