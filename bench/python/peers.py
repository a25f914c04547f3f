#!/usr/bin/env python3
"""vdbx beside other embedded vector databases, from Python, in one run: import, open, load, first answer, search.

    bench/python/peers.py --data examples/data --rounds 3 [--json FILE]

Needs vdbx and the peers in one environment (bench/README.md). Every engine runs in a process of its own, round by
round; a figure is the best of the rounds. An engine that fails is reported with its error. Data: rows with payloads
(wordnet.npy, wordnet.jsonl) and questions (questions.npy); metric cosine, k 10, each engine with its defaults otherwise.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any

FIELDS = {"pos": str, "lexfile": str, "depth": int, "senses": int, "gloss": str}
K = 10
BATCH = 1_000


class Vdbx:
    """durable: one sync at the end, when all is in the graph"""

    def open(self, path):
        import vdbx

        self.db = vdbx.open(path)
        self.rows = self.db.collection("rows", dim=384, metric="cosine")

    def load(self, ids, vectors, payloads):
        for i in range(0, len(ids), BATCH):
            self.rows.upsert(ids[i : i + BATCH], vectors[i : i + BATCH], payloads[i : i + BATCH], sync=i + BATCH >= len(ids))
        self.rows.wait_for_index()

    def search(self, vector, filtered):
        filter = "pos = 'noun' AND depth > 5" if filtered else None
        return self.rows.search(vector, k=K, filter=filter, fields=False).ids

    def close(self):
        self.db.close()


class Chroma:
    """durable: SQLite commits of each batch"""

    def open(self, path):
        import chromadb

        self.client = chromadb.PersistentClient(path, settings=chromadb.Settings(anonymized_telemetry=False))
        self.rows = self.client.get_or_create_collection(
            "rows", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
        )

    def load(self, ids, vectors, payloads):
        payloads = [{k: v for k, v in p.items() if v is not None} for p in payloads]
        for i in range(0, len(ids), BATCH):
            self.rows.upsert(ids=ids[i : i + BATCH], embeddings=vectors[i : i + BATCH], metadatas=payloads[i : i + BATCH])

    def search(self, vector, filtered):
        where = {"$and": [{"pos": "noun"}, {"depth": {"$gt": 5}}]} if filtered else None
        return self.rows.query(query_embeddings=[vector], n_results=K, where=where, include=["distances"])["ids"][0]

    def close(self):
        self.client = self.rows = None


class LanceDb:
    """durable: a version of the table for each batch; the index (IVF_HNSW_SQ) is built at the end"""

    def open(self, path):
        import lancedb

        self.db = lancedb.connect(path)
        self.rows = self.db.open_table("rows") if "rows" in self.db.table_names() else None

    def load(self, ids, vectors, payloads):
        import pyarrow as pa

        columns: dict[str, Any] = {"id": ids, "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 384)}
        for name in FIELDS:
            columns[name] = [payload[name] for payload in payloads]
        table = pa.table(columns)
        self.rows = self.db.create_table("rows", table.slice(0, BATCH))
        for i in range(BATCH, len(ids), BATCH):
            self.rows.add(table.slice(i, BATCH))
        self.rows.create_index(metric="cosine", index_type="IVF_HNSW_SQ", num_partitions=1)
        self.rows.optimize()

    def search(self, vector, filtered):
        query = self.rows.search(vector).distance_type("cosine").limit(K).select(["id"])
        if filtered:
            query = query.where("pos = 'noun' AND depth > 5", prefilter=True)
        return [row["id"] for row in query.to_list()]

    def close(self):
        self.rows = self.db = None


class Zvec:
    """durable: flush at the end, then optimize()"""

    def open(self, path):
        import zvec

        self.zvec = zvec
        if pathlib.Path(path).exists():
            self.rows = zvec.open(path)
            return
        types = {str: zvec.DataType.STRING, int: zvec.DataType.INT64}
        fields = [
            zvec.FieldSchema(name, types[kind], nullable=True, index_param=zvec.InvertIndexParam())
            for name, kind in FIELDS.items()
        ]
        index = zvec.HnswIndexParam(metric_type=zvec.MetricType.COSINE, m=16, ef_construction=200)
        schema = zvec.CollectionSchema(
            "rows", fields=fields, vectors=zvec.VectorSchema("vector", zvec.DataType.VECTOR_FP32, 384, index)
        )
        self.rows = zvec.create_and_open(path, schema)

    def load(self, ids, vectors, payloads):
        for i in range(0, len(ids), BATCH):
            self.rows.upsert(
                [
                    self.zvec.Doc(id=ids[j].replace("/", "_"), vectors={"vector": vectors[j]}, fields=payloads[j])
                    for j in range(i, min(len(ids), i + BATCH))
                ]
            )
        self.rows.flush()
        self.rows.optimize()

    def search(self, vector, filtered):
        query = self.zvec.Query("vector", vector=vector, param=self.zvec.HnswQueryParam(ef=64))
        filter = "pos = 'noun' AND depth > 5" if filtered else None
        found = self.rows.query(query, topk=K, filter=filter, output_fields=[])
        return [doc.id.replace("_", "/") for doc in found]

    def close(self):
        self.rows.close()


class SqliteVec:
    """durable: one transaction, WAL, synchronous NORMAL; exact, no index"""

    def open(self, path):
        import sqlite3

        import sqlite_vec

        self.db = sqlite3.connect(path)
        self.db.enable_load_extension(True)
        sqlite_vec.load(self.db)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS rows USING vec0(id TEXT PRIMARY KEY, vector FLOAT[384] distance_metric=cosine,"
            " pos TEXT, lexfile TEXT, depth INTEGER, senses INTEGER, +gloss TEXT)"
        )

    def load(self, ids, vectors, payloads):
        with self.db:
            for id, vector, p in zip(ids, vectors, payloads):
                depth = -1 if p["depth"] is None else p["depth"]  # its metadata columns take no NULL
                self.db.execute(
                    "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (id, vector.tobytes(), p["pos"], p["lexfile"], depth, p["senses"], p["gloss"]),
                )

    def search(self, vector, filtered):
        where = " AND pos = 'noun' AND depth > 5" if filtered else ""
        sql = f"SELECT id FROM rows WHERE vector MATCH ? AND k = {K}{where} ORDER BY distance"
        return [row[0] for row in self.db.execute(sql, (vector.tobytes(),))]

    def close(self):
        self.db.close()


ENGINES = {"vdbx": Vdbx, "chromadb": Chroma, "lancedb": LanceDb, "zvec": Zvec, "sqlite-vec": SqliteVec}
MODULES = {"sqlite-vec": "sqlite_vec"}


def truth(vectors, payloads, questions, filtered):
    import numpy as np

    allowed = np.array([not filtered or (p["pos"] == "noun" and (p["depth"] or 0) > 5) for p in payloads])
    distances = 1 - questions @ vectors.T
    distances[:, ~allowed] = np.inf
    return np.argsort(distances, axis=1)[:, :K]


def measure(name: str, data: pathlib.Path) -> dict[str, Any]:
    """In a process of its own."""
    import numpy as np

    start = time.perf_counter()
    module = __import__(MODULES.get(name, name))
    figures: dict[str, Any] = {"import_s": time.perf_counter() - start}
    figures["version"] = getattr(module, "__version__", "")
    vectors = np.load(data / "wordnet.npy").astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    questions = np.load(data / "questions.npy").astype(np.float32)
    questions /= np.linalg.norm(questions, axis=1, keepdims=True)
    with open(data / "wordnet.jsonl", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    ids = [row["id"] for row in rows]
    payloads = [{name: row[name] for name in FIELDS} for row in rows]
    engine = ENGINES[name]()
    figures["durable"] = engine.__doc__
    folder = tempfile.mkdtemp(prefix="peers-")
    path = f"{folder}/db"
    try:
        start = time.perf_counter()
        engine.open(path)
        figures["create_s"] = time.perf_counter() - start
        start = time.perf_counter()
        engine.load(ids, vectors, payloads)
        figures["rows_per_s"] = len(ids) / (time.perf_counter() - start)
        engine.close()
        engine = ENGINES[name]()
        start = time.perf_counter()
        engine.open(path)
        engine.search(questions[0], False)
        figures["reopen_s"] = time.perf_counter() - start
        for label, filtered in (("plain", False), ("filtered", True)):
            wanted = truth(vectors, payloads, questions, filtered)
            hits = sum(
                len({ids[j] for j in wanted[q]} & set(engine.search(questions[q], filtered))) for q in range(len(questions))
            )
            start = time.perf_counter()
            for question in questions:
                engine.search(question, filtered)
            figures[f"{label}_us"] = (time.perf_counter() - start) / len(questions) * 1e6
            figures[f"{label}_recall"] = hits / wanted.size
        engine.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return figures


BETTER = {"rows_per_s": max, "plain_recall": max, "filtered_recall": max}


def cpu_name() -> str:
    with open("/proc/cpuinfo", encoding="ascii") as info:
        return next((line.split(": ", 1)[1].strip() for line in info if line.startswith("model name")), "unknown CPU")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(__file__).parents[2] / "examples" / "data")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--measure", choices=ENGINES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.data)))
        return 0
    best: dict[str, dict[str, Any]] = {}
    errors: dict[str, str] = {}
    for _ in range(options.rounds):
        for name in options.engines:
            command = [sys.executable, __file__, "--measure", name, "--data", str(options.data)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                lines = done.stderr.strip().splitlines()
                errors[name] = lines[-1] if lines else f"ended with status {done.returncode}"
                continue
            figures = json.loads(done.stdout.strip().splitlines()[-1])
            kept = best.setdefault(name, figures)
            for key, value in figures.items():
                if isinstance(value, float):
                    kept[key] = BETTER.get(key, min)(kept[key], value)
    print(f"{cpu_name()}, Python {platform.python_version()}; best of {options.rounds} rounds; recall@{K} of exact search")
    head = ("engine", "version", "import s", "create s", "rows/s", "reopen s", "us", "recall", "us, filter", "recall")
    print("".join(f"{cell:>12}" for cell in head))
    for name, f in best.items():
        cells = [name, f["version"][:11], f"{f['import_s']:.2f}", f"{f['create_s']:.3f}", f"{f['rows_per_s']:.0f}"]
        cells += [f"{f['reopen_s']:.3f}", f"{f['plain_us']:.0f}", f"{f['plain_recall']:.3f}"]
        cells += [f"{f['filtered_us']:.0f}", f"{f['filtered_recall']:.3f}"]
        print("".join(f"{cell:>12}" for cell in cells))
    for name, f in best.items():
        print(f"{name}: {f['durable']}")
    for name, error in errors.items():
        print(f"{name} FAILED: {error}")
    if options.json:
        header = {"cpu": cpu_name(), "python": platform.python_version(), "rounds": options.rounds}
        options.json.write_text(json.dumps({"host": header, "engines": best, "errors": errors}, indent=2) + "\n")
    return 0 if "vdbx" in best else 1


if __name__ == "__main__":
    sys.exit(main())
