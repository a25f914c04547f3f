#!/usr/bin/env python3
"""What Python adds to a call: the same searches and upserts through vdbx and from C++ (call_cost), in one run.

    bench/python/overhead.py build/release/bench/call_cost [--data examples/data] [--rounds 5]

Both are measured in turn, round by round; a figure is the best of its rounds.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

import vdbx


def cpp(call_cost: pathlib.Path, *arguments: str) -> dict[str, float]:
    done = subprocess.run([call_cost, "--rounds", "1", *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def search_us(rows, queries, fields):
    start = time.perf_counter()
    for query in queries:
        hits = rows.search(query, k=10, fields=fields)
        if fields:
            for hit in hits:
                hit["pos"]  # parses the payload
    return (time.perf_counter() - start) / len(queries) * 1e6


def upsert_rate(path, vectors, payloads):
    shutil.rmtree(path, ignore_errors=True)
    ids = [str(i) for i in range(len(vectors))]
    with vdbx.open(path) as db:
        rows = db.collection("rows", dim=vectors.shape[1])
        start = time.perf_counter()
        rows.upsert(ids, vectors, payloads, sync=False)
        return len(vectors) / (time.perf_counter() - start)


def threads_ratio(rows, queries):
    """Four threads against one, by searches per second."""

    def rate(count):
        threads = [threading.Thread(target=search_us, args=(rows, queries, False)) for _ in range(count)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return count * len(queries) / (time.perf_counter() - start)

    return rate(4) / rate(1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("call_cost", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(__file__).parents[2] / "examples" / "data")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="overhead-"))
    try:
        vectors = np.load(options.data / "wordnet.npy").astype(np.float32)
        with open(options.data / "wordnet.jsonl", encoding="utf-8") as lines:
            payloads = [json.loads(line) for line in lines]
        np.save(work / "queries.npy", vectors[::10])
        queries = np.ascontiguousarray(vectors[::10])
        rate = upsert_rate(work / "db", vectors, payloads)  # also makes what is searched
        best = {key: [] for key in ("cpp", "cpp payloads", "py", "py payloads", "threads", "cpp rows/s", "py rows/s")}
        best["py rows/s"].append(rate)
        for _ in range(options.rounds):
            database = [str(work / "db"), "rows", str(work / "queries.npy")]
            best["cpp"].append(cpp(options.call_cost, "search", *database)["search_us"])
            best["cpp payloads"].append(cpp(options.call_cost, "search", *database, "--payloads")["search_us"])
            with vdbx.open(work / "db") as db:
                rows = db.collection("rows")
                best["py"].append(search_us(rows, queries, False))
                best["py payloads"].append(search_us(rows, queries, True))
                best["threads"].append(threads_ratio(rows, queries))
            upserted = cpp(options.call_cost, "upsert", str(work / "cpp"), str(options.data / "wordnet.npy"),
                           str(options.data / "wordnet.jsonl"))
            best["cpp rows/s"].append(upserted["rows_per_s"])
            best["py rows/s"].append(upsert_rate(work / "py", vectors, payloads))
        us = {key: min(values) for key, values in best.items()}
        high = {key: max(values) for key, values in best.items()}
        print(f"search, k 10, ids and distances: C++ {us['cpp']:.1f} us, Python {us['py']:.1f} us, "
              f"{us['py'] - us['cpp']:.1f} us more")
        print(f"search, k 10, ten payloads (Python parses them): C++ {us['cpp payloads']:.1f} us, "
              f"Python {us['py payloads']:.1f} us, {us['py payloads'] - us['cpp payloads']:.1f} us more")
        print(f"four threads searching, against one: {high['threads']:.2f} times")
        print(f"upsert of an array and dicts: C++ (texts) {high['cpp rows/s']:.0f} rows/s, Python {high['py rows/s']:.0f}, "
              f"{high['py rows/s'] / high['cpp rows/s']:.0%}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
