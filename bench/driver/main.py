"""The benchmark: vdb, stock hnswlib and other embedded vector databases on one data set, in one run.

bench/run builds what this needs and calls it; bench/README.md says how to read the result.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from typing import Any, cast

import host
import report
import sweep
from engines import ENGINES, NATIVE, PEERS, REFERENCE, ROOT, Engine, Programs, version_of
from memory import available_bytes, disk_bytes, memory_of
from page_cache import evict
from sweep import Options, Run, say
from worker import Worker, WorkerError, run_build

SPARE_BYTES = 1 << 30  # of memory, left free beside an index of the size of its files
OPENS = 3  # cold and warm, each in a process of its own; the last one stays


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path, help="folder with base and query as .npy, .fvecs or .bvecs; or .hdf5")
    parser.add_argument("--cache", type=pathlib.Path, default=ROOT / "build/bench-cache", help="data, truth and indexes")
    parser.add_argument("--out", type=pathlib.Path, help="gets result.json, tables and plots; default: CACHE/results/NAME")
    parser.add_argument("--name", help="of the data set; default: that of the folder")
    parser.add_argument("--metric", choices=("l2", "ip", "cosine"), help="default: dataset.json in the folder, or l2")
    parser.add_argument("--queries", type=int, default=2_000, help="read at most so many; half tune, half are reported")
    parser.add_argument("--deleted", type=float, default=0.01, help="share of the rows deleted before the search")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--m", type=int, default=16)
    parser.add_argument("--ef-construction", type=int, default=200)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, metavar="NAME", help=", ".join(ENGINES))
    parser.add_argument("--large", action="store_true", help="only the engines that build a million rows in time")
    parser.add_argument("--no-peers", action="store_true", help="only vdb and hnswlib")
    parser.add_argument("--parameters", type=int, nargs="+", help="values of ef, instead of each engine's own")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one timed pass at most")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of the parallel figures; 1: none")
    parser.add_argument("--build-threads", type=int, default=os.cpu_count() or 1, help="of all but hnswlib, which uses one")
    parser.add_argument("--build-only", action="store_true", help="build the indexes of all but vdb into the cache and end")
    parser.add_argument("--fresh", nargs="+", default=[], choices=ENGINES, metavar="NAME", help="build these anew")
    parser.add_argument("--keep-vdb", action="store_true", help="search vdb's database of the run before, if it is there")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release/bench", help=argparse.SUPPRESS)
    parser.add_argument("--python", type=pathlib.Path, default=ROOT / "build/peers/bin/python", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.queries < 2 or options.rounds < 1:
        parser.error("--queries must be at least 2 and --rounds at least 1")
    return options


def chosen(options: argparse.Namespace) -> list[Engine]:
    if options.engines:
        engines = [ENGINES[name] for name in options.engines]
    else:
        engines = [*NATIVE, *(() if options.no_peers else PEERS)]
        engines = [engine for engine in engines if engine.large or not options.large]
    if options.build_only:
        engines = [engine for engine in engines if not engine.is_ours]
    return engines


def prepare(options: argparse.Namespace, programs: Programs) -> dict[str, Any]:
    source = options.data.resolve()
    name = options.name or source.stem
    if source.suffix in (".hdf5", ".h5"):
        folder = options.cache / f"hdf5-{name}-{source.stat().st_size}"
        if not (folder / "dataset.json").exists():
            subprocess.run([programs.python, ROOT / "bench/data/hdf5.py", source, folder], check=True)
        source = folder
    about = source / "dataset.json"
    known: dict[str, Any] = json.loads(about.read_text()) if about.exists() else {}
    command = [programs.native / "bench_prepare", source, options.cache, "--name", name]
    command += ["--metric", options.metric or known.get("metric", "l2"), "--k", str(options.k)]
    command += ["--queries", str(options.queries), "--deleted", str(options.deleted)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return cast("dict[str, Any]", json.loads(done.stdout)) | {"synthetic": bool(known.get("synthetic"))}


def spec_of(run: Run, data: dict[str, Any], options: argparse.Namespace, **more: object) -> dict[str, object]:
    return {
        "engine": run.engine.index_name,
        "data": data["folder"],
        "query_file": data["query_file"],
        "folder": str(run.folder),
        "metric": data["metric"],
        "dim": data["dim"],
        "k": data["k"],
        "m": options.m,
        "ef_construction": options.ef_construction,
        "threads": options.build_threads,
        "read_only": False,
        **more,
    }


class Bench:
    def __init__(self, options: argparse.Namespace, programs: Programs, data: dict[str, Any]) -> None:
        self.options = options
        self.programs = programs
        self.data = data
        self.logs = pathlib.Path(data["folder"]) / "logs"
        self.logs.mkdir(exist_ok=True)
        self.runs = [self.new_run(engine) for engine in chosen(options)]
        self.started: list[Worker] = []

    def new_run(self, engine: Engine) -> Run:
        version = version_of(engine)
        name = "-".join(part for part in (engine.index_name, version) if part)
        name += f"-m{self.options.m}-c{self.options.ef_construction}"
        return Run(engine, pathlib.Path(self.data["folder"]) / name, version)

    def build(self, run: Run, fresh: bool) -> None:
        with open(f"{run.folder}.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another run may be building the same
            self.build_locked(run, fresh)

    def build_locked(self, run: Run, fresh: bool) -> None:
        """built.json is written last: a folder without it is what an interrupted build has left."""
        built = run.folder / "built.json"
        if fresh or not built.exists():
            failed = self.programs.python.parents[1] / f"failed-{run.engine.package}.txt"
            if run.engine.package and failed.exists():
                raise WorkerError(f"does not install: {failed.read_text().strip()}")
            shutil.rmtree(run.folder, ignore_errors=True)
            run.folder.mkdir(parents=True)
            say(f"building {run.engine.index_name}")
            log = self.logs / f"{run.engine.name}-build.log"
            cost = run_build(run.engine, self.programs, spec_of(run, self.data, self.options), log)
            built.write_text(json.dumps(cost | {"disk_bytes": disk_bytes(run.folder)}))
        run.build = json.loads(built.read_text())
        run.disk_bytes = run.build.pop("disk_bytes")

    def build_all(self) -> None:
        made: set[pathlib.Path] = set()
        fresh = {ENGINES[name].index_name for name in self.options.fresh}
        if not self.options.keep_vdb:
            fresh |= {engine.name for engine in NATIVE if engine.is_ours}
        for run in self.runs:
            try:
                self.build(run, run.engine.index_name in fresh and run.folder not in made)
            except WorkerError as error:
                run.fail(error)
            made.add(run.folder)

    def start(self, run: Run, **more: object) -> Worker:
        log = self.logs / f"{run.engine.name}.log"
        worker = Worker(run.engine, self.programs, spec_of(run, self.data, self.options, **more), log)
        self.started.append(worker)
        return worker

    def open(self, run: Run) -> None:
        free = available_bytes()
        if free < run.disk_bytes + SPARE_BYTES:
            raise WorkerError(f"not opened: {free / 1e9:.1f} GB free, its files have {run.disk_bytes / 1e9:.1f} GB")
        for _ in range(OPENS):
            if not evict(run.folder):
                break
            worker = self.start(run)
            run.cold_open_s.append(worker.ask(do="open")["seconds"])
            worker.close()
        for left in reversed(range(OPENS)):
            worker = self.start(run)
            run.before_open = memory_of(worker.pid, run.folder)
            run.open_s.append(worker.ask(do="open")["seconds"])
            if left:
                worker.close()
            run.worker = worker
        if not run.engine.package and run.worker is not None:
            run.settle_s = run.worker.ask(do="settle")["seconds"]
        run.version = worker.about.get("version", run.version)
        run.durability = worker.about.get("durability", "")

    def measure(self) -> None:
        options = Options(
            self.options.rounds, self.options.threads, self.options.seconds, self.data["queries"], self.options.k
        )
        truth = sweep.read_truth(pathlib.Path(self.data["truth_file"]))
        for run in self.runs:
            if run.error:
                continue
            say(f"opening {run.engine.name}, its recall")
            try:
                self.open(run)
                assert run.worker is not None
                sweep.find_points(run, run.worker, truth, options)
            except WorkerError as error:
                run.fail(error)
        sweep.time_rounds(self.runs, options)
        for run in self.runs:
            if run.worker is None:
                continue
            if run.engine.reopens:
                run.worker.close()
                run.worker = self.start(run)
                run.before_open = memory_of(run.worker.pid, run.folder)
                run.worker.ask(do="open")
                run.worker.ask(do="hits", parameter=run.points[-1].parameter, begin=0, end=options.queries)
            run.after_sweep = memory_of(run.worker.pid, run.folder)
            run.worker.close()
            run.worker = None

    def processes(self) -> list[dict[str, Any]]:
        """vdb in one process with all threads, beside as many processes that read the same database."""
        run = next((run for run in self.runs if run.engine.name == "vdb" and not run.error), None)
        if run is None or self.options.threads < 2:
            return []
        options = Options(
            self.options.rounds, self.options.threads, self.options.seconds, self.data["queries"], self.options.k
        )
        points = [sweep.summary(point) for point in run.points]
        wanted = [sweep.at_recall(points, target) for target in (0.95, 0.99)]
        workers = [self.start(run, read_only=True) for _ in range(self.options.threads)]
        for worker in workers:
            worker.ask(do="open")
            worker.ask(do="settle")
        measured = [sweep.time_processes(workers, point["parameter"], options) for point in wanted if point]
        for worker in workers:
            worker.close()
        return measured

    def stop(self) -> None:
        for worker in self.started:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()

    def result(self, processes: list[dict[str, Any]]) -> dict[str, Any]:
        rows = self.data["rows"] - self.data["deleted"]
        engines = [report.engine_json(run, rows) for run in self.runs]
        for engine in engines:
            if engine["disk_bytes"]:
                engine["disk_bytes_per_row"] = engine["disk_bytes"] / rows
        report.add_ratios(engines)
        kept = ("k", "m", "ef_construction", "rounds", "seconds", "threads", "build_threads", "deleted", "queries")
        return {
            "data": {key: value for key, value in self.data.items() if not key.endswith(("file", "folder"))},
            "options": {name: getattr(self.options, name) for name in kept},
            "reference": REFERENCE,
            "engines": engines,
            "processes": processes,
        }


def with_parameters(runs: list[Run], parameters: list[int] | None) -> None:
    for run in runs:
        if parameters and run.engine.parameters != (0,):
            run.engine = Engine(**{**run.engine.__dict__, "parameters": tuple(sorted(parameters))})


def write(out: pathlib.Path, result: dict[str, Any]) -> str:
    """Returns the tables."""
    result["at"] = time.strftime("%Y-%m-%d")
    (out / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    (out / "README.md").write_text(report.markdown(result))
    table = report.text(result)
    (out / "table.txt").write_text(table)
    return table


def main() -> int:
    options = arguments()
    options.cache = options.cache.resolve()
    options.cache.mkdir(parents=True, exist_ok=True)
    programs = Programs(options.programs.resolve(), options.python.absolute())
    about = host.describe(ROOT)
    data = prepare(options, programs)
    bench = Bench(options, programs, data)
    with_parameters(bench.runs, options.parameters)
    bench.build_all()
    if options.build_only:
        return 1 if any(run.error for run in bench.runs) else 0
    out = options.out or options.cache / "results" / data["name"]
    out.mkdir(parents=True, exist_ok=True)
    try:
        bench.measure()
        write(out, {"host": about, **bench.result([])})  # what is measured is kept, whatever happens below
        try:
            processes = bench.processes()
        except WorkerError as error:
            processes = [{"error": str(error)}]
    finally:
        bench.stop()
    print(write(out, {"host": about, **bench.result(processes)}))
    if programs.python.exists():
        subprocess.run([programs.python, ROOT / "bench/driver/plot.py", out / "result.json"], check=True)
    say(f"written to {out}")
    return 1 if any(run.error for run in bench.runs if not run.engine.package) else 0


if __name__ == "__main__":
    sys.exit(main())
