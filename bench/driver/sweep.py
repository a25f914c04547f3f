"""The protocol: recall of every engine at every parameter, then rounds in which every engine is timed in turn."""

from __future__ import annotations

import array
import dataclasses
import pathlib
import statistics
import sys
import time
from typing import Any

from engines import Engine
from memory import Memory
from worker import Worker, WorkerError

TARGETS = (0.9, 0.95, 0.99)
ENOUGH = 0.9995  # recall from which on larger parameters show nothing more
QUERIES_PER_REQUEST = 250
RECALL_SECONDS = 10.0  # at one parameter; who takes longer is asked fewer queries
FEWEST_QUERIES = 100  # but so many, a thousand neighbours at k 10
PASSES = 5  # of a parallel measurement, in at most the seconds of one
BLOCK = 50  # queries that are compared between rounds


@dataclasses.dataclass
class Point:
    """One engine at one parameter. Recall on two halves of the queries: tuned on the first, reported on the second."""

    parameter: int
    tuning_recall: float
    recall: float
    one_thread: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # per round
    all_threads: list[dict[str, Any]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Run:
    """What is known of an engine so far; an engine that failed keeps what it had."""

    engine: Engine
    folder: pathlib.Path
    version: str
    durability: str = ""
    error: str = ""
    build: dict[str, Any] = dataclasses.field(default_factory=dict)
    disk_bytes: int = 0
    open_s: list[float] = dataclasses.field(default_factory=list)
    cold_open_s: list[float] = dataclasses.field(default_factory=list)  # none where pages would not leave the cache
    before_open: Memory = dataclasses.field(default_factory=Memory)
    after_sweep: Memory = dataclasses.field(default_factory=Memory)
    settle_s: float = 0.0  # from the first answer until nothing of opening was left to do
    recall_queries: int = 0  # of each half; fewer than all where a search takes long
    points: list[Point] = dataclasses.field(default_factory=list)
    worker: Worker | None = None

    def fail(self, error: WorkerError) -> None:
        self.error = str(error)
        say(f"{self.engine.name} FAILED: {error}")
        if self.worker is not None:
            self.worker.close()
            self.worker = None


@dataclasses.dataclass
class Options:
    rounds: int
    threads: int
    seconds: float  # of one timed pass at most
    queries: int
    k: int

    @property
    def half(self) -> int:
        return self.queries // 2


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def read_truth(path: pathlib.Path) -> list[set[int]]:
    """Per query the base rows that are no farther than the true k-th neighbour."""
    numbers = array.array("I", path.read_bytes())
    truth, at = [], 0
    while at < len(numbers):
        truth.append(set(numbers[at + 1 : at + 1 + numbers[at]]))
        at += 1 + numbers[at]
    return truth


def recall(worker: Worker, parameter: int, begin: int, end: int, truth: list[set[int]], k: int) -> float:
    found = 0
    for first in range(begin, end, QUERIES_PER_REQUEST):
        last = min(end, first + QUERIES_PER_REQUEST)
        hits = worker.ask(do="hits", parameter=parameter, begin=first, end=last)["hits"]
        found += sum(len(set(rows[:k]) & truth[first + i]) for i, rows in enumerate(hits))
    return found / (k * (end - begin))


def affordable(run: Run, worker: Worker, half: int) -> int:
    """How many queries of each half an engine's recall is measured with: all, unless a search takes that long."""
    asked = min(half, FEWEST_QUERIES)
    start = time.perf_counter()
    worker.ask(do="hits", parameter=run.engine.parameters[0], begin=0, end=asked)
    seconds = time.perf_counter() - start
    return max(asked, min(half, int(asked * RECALL_SECONDS / max(seconds, 1e-9))))


def find_points(run: Run, worker: Worker, truth: list[set[int]], options: Options) -> None:
    """The points of the engine's grid, and for each target the smallest parameter that reaches it."""
    half = options.half
    tuning: dict[int, float] = {}
    queries = run.recall_queries = affordable(run, worker, half)

    def tuned(parameter: int) -> float:
        if parameter not in tuning:
            tuning[parameter] = recall(worker, parameter, 0, queries, truth, options.k)
        return tuning[parameter]

    for parameter in run.engine.parameters:
        if tuned(parameter) >= ENOUGH:
            break
    grid = sorted(tuning)
    for target in TARGETS:
        above = next((parameter for parameter in grid if tuning[parameter] >= target), None)
        if above is None or above == grid[0]:
            continue
        below = max(parameter for parameter in grid if parameter < above)
        while above - below > max(1, above // 50):
            middle = (above + below) // 2
            if tuned(middle) >= target:
                above = middle
            else:
                below = middle
    # Parameters that the search for a target only passed through are not worth the time.
    kept = set(grid) | {at for target in TARGETS if (at := reaching(tuning, target)) is not None}
    for parameter in sorted(kept):
        reported = recall(worker, parameter, half, half + queries, truth, options.k)
        run.points.append(Point(parameter, tuning[parameter], reported))


def reaching(tuning: dict[int, float], target: float) -> int | None:
    return min((parameter for parameter, found in tuning.items() if found >= target), default=None)


def time_point(worker: Worker, point: Point, options: Options) -> None:
    request = {
        "do": "time",
        "parameter": point.parameter,
        "warm": [0, options.half],
        "begin": options.half,
        "end": options.queries,
        "seconds": options.seconds,
    }
    point.one_thread.append(worker.ask(**request, threads=1, passes=1))
    if options.threads > 1:
        point.all_threads.append(worker.ask(**request, threads=options.threads, passes=PASSES))


def time_rounds(runs: list[Run], options: Options) -> None:
    """Every engine in every round: neighbours in time are the engines, not the parameters of one engine."""
    for round_number in range(options.rounds):
        say(f"round {round_number + 1} of {options.rounds}")
        turn = round_number % max(1, len(runs))
        for index in range(max((len(run.points) for run in runs), default=0)):
            for run in runs[turn:] + runs[:turn]:
                if run.worker is None or index >= len(run.points):
                    continue
                try:
                    time_point(run.worker, run.points[index], options)
                except WorkerError as error:
                    run.fail(error)


def best_micros(rounds: list[dict[str, Any]]) -> list[float]:
    """Microseconds of each query, block by block from the round in which the block took the least: what disturbs a part
    of a round is left out, for every engine alike."""
    queries = min(len(measured["micros"]) for measured in rounds)
    micros: list[float] = []
    for begin in range(0, queries, BLOCK):
        blocks = [measured["micros"][begin : min(queries, begin + BLOCK)] for measured in rounds]
        micros += min(blocks, key=sum)
    return micros


def steady_us(rounds: list[dict[str, Any]]) -> float:
    """Mean over the queries of each query's median over the rounds."""
    queries = min(len(measured["micros"]) for measured in rounds)
    medians = (statistics.median_low(measured["micros"][q] for measured in rounds) for q in range(queries))
    return statistics.fmean(medians)


def share_of(ordered: list[float], share: float) -> float:
    return ordered[int(share * (len(ordered) - 1))]


def summary(point: Point) -> dict[str, Any]:
    out: dict[str, Any] = {
        "parameter": point.parameter,
        "tuning_recall": point.tuning_recall,
        "recall": point.recall,
    }
    if point.one_thread:
        micros = sorted(best_micros(point.one_thread))
        out |= {"queries": len(micros), "mean_us": statistics.fmean(micros), "steady_us": steady_us(point.one_thread)}
        out |= {f"p{share}_us": share_of(micros, share / 100) for share in (50, 95, 99)}
        out["rounds_us"] = [measured["mean_us"] for measured in point.one_thread]
        out["rounds_p99_us"] = [measured["p99_us"] for measured in point.one_thread]
    if point.all_threads:
        speeds = [measured["per_second"] for measured in point.all_threads]
        out["all_threads_per_second"] = max(speeds)
        out["all_threads_median_per_second"] = statistics.median(speeds)
        out["all_threads_p99_us"] = max(point.all_threads, key=lambda measured: measured["per_second"])["p99_us"]
    return out


def at_recall(points: list[dict[str, Any]], target: float) -> dict[str, Any] | None:
    """A copy of the point, to which the ratios at this target are added."""
    found = [point for point in points if point["tuning_recall"] >= target and "mean_us" in point]
    return dict(min(found, key=lambda point: point["parameter"])) if found else None


def time_processes(workers: list[Worker], parameter: int, options: Options) -> dict[str, Any]:
    """All threads of one process beside as many processes of one thread each, in turn."""
    request = {
        "do": "time",
        "parameter": parameter,
        "warm": [0, options.half],
        "begin": options.half,
        "end": options.queries,
        "seconds": options.seconds,
    }
    threads, processes = [], []
    for _ in range(options.rounds):
        threads.append(workers[0].ask(**request, threads=len(workers), passes=PASSES)["all_passes_per_second"])
        for worker in workers:
            worker.send(**request, threads=1, passes=PASSES)
        processes.append(sum(worker.receive()["all_passes_per_second"] for worker in workers))
    ratios = [thread / process for thread, process in zip(threads, processes)]
    return {
        "parameter": parameter,
        "count": len(workers),
        "threads_per_second": max(threads),
        "processes_per_second": max(processes),
        "ratio": max(threads) / max(processes),
        "median_ratio": statistics.median(ratios),
    }
