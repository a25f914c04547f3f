#!/usr/bin/env python3
"""What Python adds to a call: the same searches and upserts through vdbx and from C++ (call_cost), in one run.

    bench/python/overhead.py build/release/bench/call_cost [--data examples/data] [--turns 5] [--rounds 5]

Each turn measures both in turn, every part in a process of its own (except upserts through Python) that first runs
rounds which are not timed; a figure is that of the best round of all turns. Exits with 1 where a target is missed.
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
import threading
import time
from typing import Any, Callable

import numpy as np

import vdbx

WARMUP = 2


def cpp(options: argparse.Namespace, *arguments: str) -> float:
    command = [options.call_cost, "--warmup", str(WARMUP), "--rounds", str(options.rounds), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (value,) = json.loads(done.stdout).values()
    return float(value)


def search_us(rows: vdbx.Collection, queries: np.ndarray, fields: bool) -> float:
    start = time.perf_counter()
    for query in queries:
        hits = rows.search(query, k=10, fields=fields)
        if fields:
            for hit in hits:
                hit["pos"]  # parses the payload
    return (time.perf_counter() - start) / len(queries) * 1e6


def searches(folder: str, queries_path: str, fields: bool, rounds: int) -> list[float]:
    """Microseconds a search, of the rounds after the warm-up. As call_cost, in its own process (--searches)."""
    queries = np.load(queries_path)
    with vdbx.open(folder) as db:
        rows = db.collection("rows")
        rows.wait_for_index()
        return [search_us(rows, queries, fields) for _ in range(WARMUP + rounds)][WARMUP:]


def python(options: argparse.Namespace, *arguments: str) -> float:
    command = [sys.executable, __file__, "--searches", *arguments, "--rounds", str(options.rounds), options.call_cost]
    return min(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def import_seconds(module: str) -> float:
    script = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(done.stdout)


def upsert_rate(path: pathlib.Path, rows: int, write: Callable[[vdbx.Collection], Any]) -> float:
    shutil.rmtree(path, ignore_errors=True)
    with vdbx.open(path) as db:
        collection = db.collection("rows")
        start = time.perf_counter()
        write(collection)
        return rows / (time.perf_counter() - start)


def threads_ratio(rows: vdbx.Collection, queries: np.ndarray) -> float:
    """Four threads against one, by searches per second."""

    def rate(count: int) -> float:
        threads = [threading.Thread(target=search_us, args=(rows, queries, False)) for _ in range(count)]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return count * len(queries) / (time.perf_counter() - start)

    one = max(rate(1) for _ in range(2))
    return rate(4) / max(one, rate(1))


def cpu() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


class Figures:
    """Best values by name, and the targets that are missed."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}
        self.missed = 0

    def add(self, name: str, value: float) -> None:
        self._values.setdefault(name, []).append(value)

    def low(self, name: str) -> float:
        return min(self._values[name])

    def high(self, name: str) -> float:
        return max(self._values[name])

    def say(self, text: str, is_met: bool, target: str) -> None:
        print(f"{text}   [{'' if is_met else 'MISSED: '}{target}]")
        self.missed += not is_met


def measure(options: argparse.Namespace, work: pathlib.Path) -> Figures:
    vectors = np.load(options.data / "wordnet.npy").astype(np.float32)
    with open(options.data / "wordnet.jsonl", encoding="utf-8") as lines:
        payloads = [json.loads(line) for line in lines]
    ids = [str(i) for i in range(len(vectors))]
    # Arguments of call_cost and of searches() alike.
    queries = vectors[::10].copy()
    queries_path = str(work / "queries.npy")
    np.save(queries_path, queries)

    def from_array(collection: vdbx.Collection) -> None:
        collection.upsert(ids, vectors, payloads, sync=False)

    def from_dicts(collection: vdbx.Collection) -> None:
        rows = ({**payload, "id": id, "vector": vector} for id, vector, payload in zip(ids, vectors, payloads))
        collection.upsert_rows(rows, sync=False)

    upsert_rate(work / "db", len(ids), from_array)  # what is searched
    figures = Figures()
    for turn in range(options.turns):
        for fields in (False, True):
            name = "payloads" if fields else "plain"
            flags = ["--payloads"] if fields else []
            figures.add(f"C++ {name}", cpp(options, "search", str(work / "db"), "rows", queries_path, *flags))
            figures.add(f"Python {name}", python(options, str(work / "db"), queries_path, str(int(fields))))
        with vdbx.open(work / "db") as db:
            rows = db.collection("rows")
            rows.wait_for_index()
            search_us(rows, queries, False)
            figures.add("threads", threads_ratio(rows, queries))
        files = (str(options.data / "wordnet.npy"), str(options.data / "wordnet.jsonl"))
        figures.add("C++ rows/s", cpp(options, "upsert", str(work / "cpp"), *files))
        for write in (from_array, from_dicts):
            rates = [upsert_rate(work / "py", len(ids), write) for _ in range(1 + options.rounds)]
            figures.add(write.__name__, max(rates[1:]))
        for _ in range(options.rounds):
            for module in ("numpy", "vdbx"):
                figures.add(f"import {module}", import_seconds(module))
        print(f"turn {turn + 1} of {options.turns}", file=sys.stderr)
    return figures


def report(figures: Figures) -> None:
    print(f"{cpu()}; Python {platform.python_version()}, numpy {np.__version__}, vdbx {vdbx.__version__}")
    for name, what, most in (("plain", "ids and distances", 15), ("payloads", "ten payloads, parsed by Python", 60)):
        inner, outer = figures.low(f"C++ {name}"), figures.low(f"Python {name}")
        text = f"search, k 10, {what}: C++ {inner:.1f} us, Python {outer:.1f} us, {outer - inner:.1f} us more"
        figures.say(text, outer - inner <= most, f"at most {most} us more")
    times = figures.high("threads")
    figures.say(f"four threads searching, against one: {times:.2f} times", times >= 1.8, "at least 1.8")
    core = figures.high("C++ rows/s")
    for name, what, least in (("from_array", "an array and dicts", 0.8), ("from_dicts", "a generator of dicts", 0.3)):
        rate = figures.high(name)
        text = f"upsert of {what}: C++ (payloads as text) {core:.0f} rows/s, Python {rate:.0f}, {rate / core:.0%}"
        figures.say(text, rate >= least * core, f"at least {least:.0%}")
    alone, both = figures.low("import numpy"), figures.low("import vdbx")
    text = f"import: numpy {alone:.3f} s, vdbx with it {both:.3f} s, {both - alone:.3f} s more"
    figures.say(text, both - alone <= 0.25, "at most 0.25 s more")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("call_cost", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(__file__).parents[2] / "examples" / "data")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--searches", nargs=3, metavar=("DATABASE", "QUERIES", "FIELDS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.searches:
        folder, queries, fields = options.searches
        print(json.dumps(searches(folder, queries, fields == "1", options.rounds)))
        return 0
    work = pathlib.Path(tempfile.mkdtemp(prefix="overhead-"))
    try:
        figures = measure(options, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    report(figures)
    return min(figures.missed, 1)


if __name__ == "__main__":
    sys.exit(main())
