"""LanceDB: IVF_HNSW_SQ with one partition, refined by the float32 rows."""

from __future__ import annotations

from typing import Any

import lancedb
import pyarrow as pa
from peer import Rows, Spec, Vectors

BATCH = 10_000
REFINE = 4  # candidates read in full, for each hit wanted


class Engine:
    """a version of the table for each batch, not synced; the index is built at the end"""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.metric = {"l2": "l2", "ip": "dot", "cosine": "cosine"}[spec.metric]

    def build(self, vectors: Vectors, rows: Rows) -> None:
        spec = self.spec
        values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), spec.dim)
        data = pa.table({"row": pa.array(rows), "vector": values})
        table: Any = lancedb.connect(spec.folder).create_table("rows", data.slice(0, BATCH))
        for i in range(BATCH, len(rows), BATCH):
            table.add(data.slice(i, BATCH))
        table.create_index(
            metric=self.metric,
            index_type="IVF_HNSW_SQ",
            num_partitions=1,
            m=spec.m,
            ef_construction=spec.ef_construction,
        )
        table.optimize()

    def open(self) -> None:
        self.table: Any = lancedb.connect(self.spec.folder).open_table("rows")
        self.set_parameter(64)

    def set_parameter(self, parameter: float) -> None:
        self.ef = int(parameter)

    def search(self, vector: Vectors) -> Any:
        query = self.table.search(vector).distance_type(self.metric).limit(self.spec.k).nprobes(1)
        return query.ef(max(self.ef, REFINE * self.spec.k)).refine_factor(REFINE).select(["row", "_distance"]).to_arrow()

    def rows(self, answer: Any) -> list[int]:
        return [int(row) for row in answer["row"].to_pylist()]
