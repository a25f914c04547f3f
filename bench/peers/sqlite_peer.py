"""sqlite-vec: exact, it has no index."""

from __future__ import annotations

import sqlite3
from typing import Any

import sqlite_vec
from peer import Rows, Spec, Vectors


class Engine:
    """one transaction, write-ahead log, synchronous NORMAL"""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def connect(self) -> None:
        self.db = sqlite3.connect(f"{self.spec.folder}/rows.db", check_same_thread=False)
        self.db.enable_load_extension(True)
        sqlite_vec.load(self.db)

    def build(self, vectors: Vectors, rows: Rows) -> None:
        self.connect()
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        metric = {"l2": "L2", "cosine": "cosine"}[self.spec.metric]
        self.db.execute(f"CREATE VIRTUAL TABLE rows USING vec0(vector FLOAT[{self.spec.dim}] distance_metric={metric})")
        with self.db:
            self.db.executemany(
                "INSERT INTO rows (rowid, vector) VALUES (?, ?)",
                ((int(row), vector.tobytes()) for row, vector in zip(rows, vectors)),
            )
        self.db.close()

    def open(self) -> None:
        self.connect()

    def set_parameter(self, parameter: float) -> None:
        pass

    def search(self, vector: Vectors) -> Any:
        sql = "SELECT rowid, distance FROM rows WHERE vector MATCH ? AND k = ? ORDER BY distance"
        return self.db.execute(sql, (vector.tobytes(), self.spec.k)).fetchall()

    def rows(self, answer: Any) -> list[int]:
        return [row[0] for row in answer]
