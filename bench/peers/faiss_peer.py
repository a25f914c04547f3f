"""FAISS: HNSWFlat (faiss-hnsw), and 8-bit scalar quantisation with refinement by float32 rows (faiss-sq8)."""

from __future__ import annotations

from typing import Any

import faiss as typed_faiss
import numpy as np
from peer import Rows, Spec, Vectors

faiss: Any = typed_faiss  # its annotations know neither its overloads nor the attributes of its indexes


class Engine:
    """one file, written when told to; no log"""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.quantised = spec.engine == "faiss-sq8"
        self.path = f"{spec.folder}/index.faiss"

    def build(self, vectors: Vectors, rows: Rows) -> None:
        spec = self.spec
        faiss.omp_set_num_threads(spec.threads)
        metric = faiss.METRIC_L2 if spec.metric == "l2" else faiss.METRIC_INNER_PRODUCT
        if self.quantised:
            graph = faiss.IndexHNSWSQ(spec.dim, faiss.ScalarQuantizer.QT_8bit, spec.m, metric)
            index = faiss.IndexRefineFlat(graph)
        else:
            graph = index = faiss.IndexHNSWFlat(spec.dim, spec.m, metric)
        graph.hnsw.efConstruction = spec.ef_construction
        index.train(vectors)
        index.add(vectors)
        faiss.write_index(index, self.path)
        np.save(f"{spec.folder}/rows.npy", rows)

    def open(self) -> None:
        faiss.omp_set_num_threads(1)
        self.index = faiss.read_index(self.path)
        self.ids = np.load(f"{self.spec.folder}/rows.npy")
        self.graph = faiss.downcast_index(self.index.base_index) if self.quantised else self.index

    def set_parameter(self, parameter: float) -> None:
        self.graph.hnsw.efSearch = int(parameter)
        if self.quantised:  # candidates to refine: as many as there are, up to four times k
            self.index.k_factor = min(4.0, max(1.0, parameter / self.spec.k))

    def search(self, vector: Vectors) -> Any:
        return self.index.search(vector[np.newaxis], self.spec.k)

    def rows(self, answer: Any) -> list[int]:
        return [int(self.ids[i]) for i in answer[1][0] if i >= 0]
