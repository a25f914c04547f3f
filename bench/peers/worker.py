"""One peer in a process of its own; modes, requests and answers are those of bench/worker.cc.

    python bench/peers/worker.py build|serve SPEC
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import pathlib
import sys
import threading
import time
from typing import Any

import numpy as np
from peer import Peer, Rows, Spec


def cpu_seconds() -> float:
    """Of this process and of those that it has started."""
    ticks = 0
    parents: dict[int, int] = {}
    times: dict[int, int] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        parents[int(entry.name)] = int(fields[1])
        times[int(entry.name)] = sum(int(field) for field in fields[11:15])
    for process in times:
        ancestor = process
        while ancestor not in (0, os.getpid()):
            ancestor = parents.get(ancestor, 0)
        if ancestor:
            ticks += times[process]
    return ticks / os.sysconf("SC_CLK_TCK")


def build(peer: Peer, spec: Spec) -> dict[str, Any]:
    base = np.load(f"{spec.data}/base.npy", mmap_mode="r")
    deleted = np.fromfile(f"{spec.data}/deleted.u32", dtype=np.uint32)
    rows: Rows = np.setdiff1d(np.arange(len(base), dtype=np.int64), deleted)
    vectors = base[rows]
    wall, cpu = time.perf_counter(), cpu_seconds()
    peer.build(vectors, rows)
    return {"seconds": time.perf_counter() - wall, "cpu_seconds": cpu_seconds() - cpu}


class Server:
    def __init__(self, peer: Peer, spec: Spec) -> None:
        self.peer = peer
        self.queries = np.load(spec.query_file)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["do"] == "open":
            start = time.perf_counter()
            self.peer.open()
            self.peer.search(self.queries[0])
            return {"seconds": time.perf_counter() - start}
        self.peer.set_parameter(request["parameter"])
        if request["do"] == "hits":
            queries = self.queries[request["begin"] : request["end"]]
            return {"hits": [self.peer.rows(self.peer.search(query)) for query in queries]}
        return self.time(request)

    def ask(self, begin: int, end: int, threads: int, deadline: float) -> list[float]:
        """Microseconds of each query that was asked before the deadline."""
        todo = iter(range(begin, end))  # next() of it is atomic under the interpreter's lock
        micros: list[float] = []
        clock, search, queries = time.perf_counter, self.peer.search, self.queries

        def work() -> None:
            for query in todo:
                start = clock()
                if start > deadline:
                    break
                search(queries[query])
                micros.append(1e6 * (clock() - start))

        others = [threading.Thread(target=work) for _ in range(threads - 1)]
        for thread in others:
            thread.start()
        work()
        for thread in others:
            thread.join()
        return micros

    def time(self, request: dict[str, Any]) -> dict[str, Any]:
        seconds, threads, clock = request["seconds"], request["threads"], time.perf_counter
        begin, end = request["warm"]
        self.ask(begin, end, threads, clock() + seconds)
        start = clock()
        passes: list[list[float]] = []
        best = 0.0
        while not passes or (len(passes) < request["passes"] and clock() < start + seconds):
            began = clock()
            passes.append(self.ask(request["begin"], request["end"], threads, began + seconds))
            best = max(best, len(passes[-1]) / (clock() - began))
        asked = sum(len(micros) for micros in passes)
        micros = passes[0]
        if not micros:
            raise ValueError(f"no query of [{request['begin']}, {request['end']}) was answered in {seconds} s")
        return {
            "mean_us": sum(micros) / len(micros),
            "p99_us": sorted(micros)[int(0.99 * (len(micros) - 1))],
            "per_second": best,
            "all_passes_per_second": asked / (clock() - start),
            "micros": [round(value, 2) for value in micros],
        }


def main() -> None:
    # What a database prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    mode, text = sys.argv[1:]
    spec = Spec(**json.loads(text))
    engine = importlib.import_module(spec.engine.split("-")[0] + "_peer").Engine
    peer: Peer = engine(spec)
    about = {"durability": (engine.__doc__ or "").splitlines()[0]}
    if mode == "build":
        print(json.dumps(build(peer, spec) | about), file=answers, flush=True)
    else:
        server = Server(peer, spec)
        # What importing has freed must not count as held before the index was opened.
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        print(json.dumps(about), file=answers, flush=True)
        for line in sys.stdin:
            try:
                answer = server.answer(json.loads(line))
            except Exception as error:  # whatever the database throws
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=answers, flush=True)
    answers.close()
    os._exit(0)  # some databases wait for threads of theirs for ever


if __name__ == "__main__":
    main()
