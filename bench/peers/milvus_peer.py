"""Milvus Lite, through pymilvus."""

from __future__ import annotations

from typing import Any

import pymilvus
from peer import Rows, Spec, Vectors

BATCH = 1_000


class Engine:
    """a log for each batch; flush at the end; the index is built as segments close"""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.metric = {"l2": "L2", "ip": "IP", "cosine": "COSINE"}[spec.metric]
        self.set_parameter(64)

    def connect(self) -> None:
        self.client: Any = pymilvus.MilvusClient(f"{self.spec.folder}/rows.db")

    def build(self, vectors: Vectors, rows: Rows) -> None:
        spec = self.spec
        self.connect()
        schema = pymilvus.MilvusClient.create_schema(auto_id=False)
        schema.add_field("row", pymilvus.DataType.INT64, is_primary=True)
        schema.add_field("vector", pymilvus.DataType.FLOAT_VECTOR, dim=spec.dim)
        params = self.client.prepare_index_params()
        build = {"M": spec.m, "efConstruction": spec.ef_construction}
        params.add_index("vector", index_type="HNSW", metric_type=self.metric, params=build)
        self.client.create_collection("rows", schema=schema, index_params=params)
        for i in range(0, len(rows), BATCH):
            batch = range(i, min(len(rows), i + BATCH))
            self.client.insert("rows", [{"row": int(rows[j]), "vector": vectors[j]} for j in batch])
        self.client.flush("rows")
        self.client.load_collection("rows")
        self.client.close()

    def open(self) -> None:
        self.connect()
        self.client.load_collection("rows")

    def set_parameter(self, parameter: float) -> None:
        self.params = {"metric_type": self.metric, "params": {"ef": int(parameter)}}

    def search(self, vector: Vectors) -> Any:
        return self.client.search("rows", data=[vector], limit=self.spec.k, search_params=self.params)

    def rows(self, answer: Any) -> list[int]:
        return [int(hit["row"]) for hit in answer[0]]
