"""Qdrant Edge with float32 vectors (qdrant-f32), or int8 codes and rescoring (qdrant-int8)."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge
from peer import Rows, Spec, Vectors

BATCH = 1_000


class Engine:
    """a log for each batch; flush at the end, then optimize()"""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.quantised = spec.engine == "qdrant-int8"

    def build(self, vectors: Vectors, rows: Rows) -> None:
        spec = self.spec
        distance = {"l2": edge.Distance.Euclid, "ip": edge.Distance.Dot, "cosine": edge.Distance.Cosine}[spec.metric]
        codes = edge.ScalarQuantizationConfig(edge.ScalarType.Int8, always_ram=True) if self.quantised else None
        config = edge.EdgeConfig(
            vectors={"": edge.EdgeVectorParams(spec.dim, distance)},
            hnsw_config=edge.HnswIndexConfig(spec.m, spec.ef_construction, 1, max_indexing_threads=spec.threads),
            quantization_config=codes,
            optimizers=edge.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=1),
        )
        shard = edge.EdgeShard.create(spec.folder, config)
        for i in range(0, len(rows), BATCH):
            points = [edge.Point(int(rows[j]), vectors[j].tolist()) for j in range(i, min(len(rows), i + BATCH))]
            shard.update(edge.UpdateOperation.upsert_points(points))
        shard.flush()
        shard.optimize()
        shard.close()

    def open(self) -> None:
        self.shard = edge.EdgeShard.load(self.spec.folder)
        self.set_parameter(64)

    def set_parameter(self, parameter: float) -> None:
        codes = edge.QuantizationSearchParams(rescore=True, oversampling=2.0) if self.quantised else None
        self.params = edge.SearchParams(hnsw_ef=int(parameter), quantization=codes)

    def search(self, vector: Vectors) -> Any:
        query = edge.Query.Nearest(vector.tolist())
        return self.shard.query(edge.QueryRequest(limit=self.spec.k, query=query, params=self.params))

    def rows(self, answer: Any) -> list[int]:
        return [int(point.id) for point in answer]
