"""Chroma, in process (PersistentClient)."""

from __future__ import annotations

from typing import Any

import chromadb
import chromadb.config
from chromadb.api.shared_system_client import SharedSystemClient
from peer import Rows, Spec, Vectors

BATCH = 5_000


class Engine:
    """SQLite commits of each batch; the graph is written every so many rows"""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.parameter = 0

    def connect(self) -> None:
        settings = chromadb.config.Settings(anonymized_telemetry=False)
        self.client: Any = chromadb.PersistentClient(self.spec.folder, settings=settings)

    def build(self, vectors: Vectors, rows: Rows) -> None:
        spec = self.spec
        hnsw = {
            "space": spec.metric,
            "ef_construction": spec.ef_construction,
            "max_neighbors": spec.m,
            "num_threads": spec.threads,
        }
        self.connect()
        collection = self.client.create_collection("rows", configuration={"hnsw": hnsw}, embedding_function=None)
        for i in range(0, len(rows), BATCH):
            collection.add(ids=[str(row) for row in rows[i : i + BATCH]], embeddings=vectors[i : i + BATCH])

    def open(self) -> None:
        self.connect()
        self.collection = self.client.get_collection("rows", embedding_function=None)

    def set_parameter(self, parameter: float) -> None:
        if int(parameter) != self.parameter:
            self.parameter = int(parameter)
            self.collection.modify(configuration={"hnsw": {"ef_search": self.parameter}})
            self.client._system.stop()
            SharedSystemClient.clear_system_cache()  # a client that is open goes on with the old value
            self.open()

    def search(self, vector: Vectors) -> Any:
        return self.collection.query(query_embeddings=[vector], n_results=self.spec.k, include=["distances"])

    def rows(self, answer: Any) -> list[int]:
        return [int(row) for row in answer["ids"][0]]
