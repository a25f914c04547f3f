"""zvec with float32 vectors (zvec-f32), or int8 with its refiner (zvec-int8)."""

from __future__ import annotations

from typing import Any

import zvec
from peer import Rows, Spec, Vectors

BATCH = 1_000


class Engine:
    """a log without a sync for each batch; flush at the end, then optimize()"""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.quantised = spec.engine == "zvec-int8"
        zvec.init(log_level=zvec.LogLevel.ERROR, query_threads=1, optimize_threads=spec.threads)

    def build(self, vectors: Vectors, rows: Rows) -> None:
        spec = self.spec
        metric = {"l2": zvec.MetricType.L2, "ip": zvec.MetricType.IP, "cosine": zvec.MetricType.COSINE}[spec.metric]
        codes = zvec.QuantizeType.INT8 if self.quantised else zvec.QuantizeType.UNDEFINED
        index = zvec.HnswIndexParam(metric, m=spec.m, ef_construction=spec.ef_construction, quantize_type=codes)
        vector = zvec.VectorSchema("vector", zvec.DataType.VECTOR_FP32, spec.dim, index)
        schema = zvec.CollectionSchema("rows", fields=[], vectors=vector)
        collection = zvec.create_and_open(f"{spec.folder}/rows", schema)
        for i in range(0, len(rows), BATCH):
            collection.upsert(
                [zvec.Doc(id=str(rows[j]), vectors={"vector": vectors[j]}) for j in range(i, min(len(rows), i + BATCH))]
            )
        collection.flush()
        collection.optimize()
        collection.close()

    def open(self) -> None:
        self.collection = zvec.open(f"{self.spec.folder}/rows")
        self.set_parameter(64)

    def set_parameter(self, parameter: float) -> None:
        self.param = zvec.HnswQueryParam(ef=int(parameter), is_using_refiner=self.quantised)

    def search(self, vector: Vectors) -> Any:
        query = zvec.Query("vector", vector=vector, param=self.param)
        return self.collection.query(query, topk=self.spec.k, output_fields=[])

    def rows(self, answer: Any) -> list[int]:
        return [int(doc.id) for doc in answer]
