"""Processes and threads: locks, forks, kills, Ctrl-C, exits without close."""

from __future__ import annotations

import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash

import vdbx


def run(script: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs Python with a script in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments], capture_output=True, text=True, timeout=120, **options
    )


def test_one_process_writes(db: vdbx.Database) -> None:
    for options in ("", ", read_only=True"):
        done = run(f"import sys, vdbx; vdbx.open(sys.argv[1]{options})", db.path)
        assert done.returncode == 1
        assert f"vdbx._errors.LockedError: {db.path} is in use by process {os.getpid()}" in done.stderr
        assert "Close it there, or open it read-only" in done.stderr


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(vdbx.NotFoundError):
        vdbx.open(tmp_path / "none", create=False)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    with pytest.raises(vdbx.InvalidArgumentError):
        vdbx.open(tmp_path / "other")


def test_a_closed_database(notes: vdbx.Collection) -> None:
    scan = notes.scan(batch_size=1)
    next(scan)
    notes.database.close()
    notes.database.close()
    for call in (
        lambda: notes.upsert("a", [1, 2, 3]),
        lambda: notes.search([1, 2, 3]),
        lambda: notes.search_batch([[1, 2, 3]]),
        lambda: notes.get("a"),
        lambda: notes.delete("a"),
        lambda: notes.count(),
        lambda: notes.scan(),
        lambda: next(scan),
        notes.compact,
        notes.stats,
        lambda: notes.database.collection("notes"),
        notes.database.collections,
    ):
        with pytest.raises(vdbx.ClosedError, match="has been closed"):
            call()
    vdbx.open(notes.database.path).close()


def test_a_newer_format(tmp_path: Path) -> None:
    path = tmp_path / "newer.vdb"
    vdbx.open(path).close()
    fields = b"VDBFORM\n" + struct.pack("<IIQ", 9, 0, 0)
    stamp = fields + struct.pack("<Q", xxhash.xxh3_64_intdigest(fields))
    (path / "FORMAT").write_bytes(stamp.ljust(512, b"\0") * 2)
    with pytest.raises(vdbx.FormatError, match="the database has format 9.0"):
        vdbx.open(path)


def test_errors_are_also_builtins() -> None:
    assert issubclass(vdbx.InvalidArgumentError, ValueError)
    assert issubclass(vdbx.NotFoundError, LookupError) and not issubclass(vdbx.NotFoundError, KeyError)
    assert issubclass(vdbx.DeadlineError, TimeoutError)
    for name in vdbx.__all__:
        if name.endswith("Error"):
            assert issubclass(getattr(vdbx, name), vdbx.VdbError)


def test_fork(notes: vdbx.Collection) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            notes.search([1, 0, 0])
            answer = "no error"
        except vdbx.ForkError as error:
            answer = f"ForkError {error}"
        except BaseException as error:
            answer = repr(error)
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert answer.startswith("ForkError") and "forked" in answer
    notes.upsert("d", [1, 1, 1])
    assert len(notes) == 4


def test_a_forked_child_lets_go_of_its_handles(tmp_path: Path) -> None:
    done = run(
        """
        import os, sys, vdbx
        db = vdbx.open(sys.argv[1])
        notes = db.collection("notes", dim=1, metric="l2")
        if os.fork() == 0:
            del db, notes
            os._exit(0)
        assert os.wait()[1] == 0
        notes.upsert("a", [1])
        """,
        str(tmp_path / "fork.vdb"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    with vdbx.open(tmp_path / "fork.vdb") as db:
        assert len(db.collection("notes")) == 1


@pytest.mark.parametrize("ending", ["", "sys.exit(3)", "db.close()", "del notes, db", "raise SystemExit(3)", "1 / 0"])
def test_a_forked_child_may_exit(tmp_path: Path, ending: str) -> None:
    done = run(
        f"""
        import atexit, os, sys, vdbx
        db = vdbx.open(sys.argv[1])
        notes = db.collection("notes", dim=1, metric="l2")
        notes.upsert("a", [1])
        child = os.fork()
        if child == 0:
            atexit.register(print, "bye from the child")
            try:
                notes.count()
            except vdbx.ForkError:
                print("forked")
            {ending}
        else:
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(notes), flush=True)
        """,
        str(tmp_path / "fork.vdb"),
    )
    wanted = {"sys.exit(3)": 3, "raise SystemExit(3)": 3, "1 / 0": 1, "db.close()": 1}.get(ending, 0)
    assert done.returncode == 0 and done.stdout == f"forked\nbye from the child\n{wanted} 1\n", done.stderr
    assert ("ForkError" in done.stderr) == (ending == "db.close()")


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_multiprocessing_by_fork_while_open_ends(db: vdbx.Database) -> None:
    context = multiprocessing.get_context("fork")
    process = context.Process(target=sys.exit, args=(3,))
    process.start()
    process.join(60)
    assert process.exitcode == 3
    with context.Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
        pool.close()
        pool.join()


def work(path: str) -> Any:
    try:
        with vdbx.open(path) as db:
            return len(db.collection("notes", dim=1, metric="l2").upsert(["a", "b"], [[1], [2]]))
    except vdbx.VdbError as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_multiprocessing(db: vdbx.Database, method: str, tmp_path: Path) -> None:
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(work, (str(tmp_path / "m.vdb"),)) == 2
        assert "LockedError" in pool.apply(work, (db.path,))
    with vdbx.open(tmp_path / "m.vdb") as other:
        assert len(other.collection("notes")) == 2


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_multiprocessing_by_fork_after_opening_says_why_not(db: vdbx.Database, tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        answer = pool.apply(work, (str(tmp_path / "m.vdb"),))
        assert "ForkError: cannot open" in answer and "'spawn'" in answer and "read-only" in answer


def test_opening_after_a_fork(tmp_path: Path) -> None:
    done = run(
        """
        import multiprocessing, sys, vdbx
        def work(path):
            with vdbx.open(path) as db:
                return len(db.collection("notes", dim=1, metric="l2").upsert(["a", "b"], [[1], [2]]))
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.apply(work, (sys.argv[1],)) == 2
        """,
        str(tmp_path / "m.vdb"),
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_in_a_long_upsert(tmp_path: Path) -> None:
    script = """
        import sys, numpy as np, vdbx
        db = vdbx.open(sys.argv[1])
        notes = db.collection("notes", dim=8, metric="l2")
        rows = np.ones((2_000_000, 8), dtype=np.float32)
        try:
            notes.upsert([f"{i}" for i in range(len(rows))], rows, batch_size=100, progress=lambda *_: print(flush=True))
        except KeyboardInterrupt:
            print("interrupted", len(notes) % 100, 0 < len(notes) < len(rows))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "c.vdb")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.stdout.read().split("\n")[-2] == "interrupted 0 True"
    process.stdout.close()
    assert process.wait() == 0


@pytest.mark.parametrize("ending", ["", "del db, notes", "sys.exit(0)", "raise SystemExit", "notes.holder = scan"])
def test_exit_without_close(tmp_path: Path, ending: str) -> None:
    done = run(
        f"""
        import sys, vdbx
        db = vdbx.open(sys.argv[1])
        notes = db.collection("notes", dim=2)
        notes.upsert("a", [1, 2])
        result = notes.search([1, 2])
        scan = notes.scan()
        next(scan)
        {ending}
        """,
        str(tmp_path / "open.vdb"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    with vdbx.open(tmp_path / "open.vdb") as db:
        assert len(db.collection("notes")) == 1


def test_results_outlive_the_database(notes: vdbx.Collection) -> None:
    result = notes.search([1, 0, 0], vectors=True)
    distances, vector = result.distances, result[0].vector
    notes.database.close()
    assert [hit["year"] for hit in result] == [2016, 2012, 1996]
    del result
    assert distances.tolist() == [0, 1, 1] and vector is not None and vector.tolist() == [1, 0, 0]


def test_close_while_threads_search(db: vdbx.Database, rng: np.random.Generator) -> None:
    notes = db.collection("busy", dim=8)
    notes.upsert([f"{i}" for i in range(2_000)], rng.random((2_000, 8)))
    started = threading.Barrier(5)
    ends: list[str] = []

    def search() -> None:
        started.wait()
        try:
            while True:
                assert len(notes.search(np.ones(8), k=5, filter="a IS NULL")) == 5
        except vdbx.ClosedError:
            ends.append("closed")
        except BaseException as error:
            ends.append(repr(error))

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.wait()
    db.close()
    for thread in threads:
        thread.join(30)
    assert ends == ["closed"] * 4


def test_other_threads_run_during_a_call(db: vdbx.Database, rng: np.random.Generator) -> None:
    """While one thread compacts, this one counts: it could not if the call held the interpreter."""
    notes = db.collection("gil", dim=32)
    notes.upsert([f"{i}" for i in range(20_000)], rng.random((20_000, 32)))
    notes.delete([f"{i}" for i in range(100)])
    running = threading.Event()
    done = threading.Event()

    def compact() -> None:
        running.set()
        notes.compact()
        done.set()

    thread = threading.Thread(target=compact)
    thread.start()
    running.wait()
    turns = 0
    while not done.is_set():
        turns += 1
        time.sleep(0)
    thread.join()
    assert turns > 100


def test_many_threads_write_and_read(db: vdbx.Database) -> None:
    notes = db.collection("threads", dim=4, metric="l2")
    problems: list[str] = []

    def work(number: int) -> None:
        try:
            for i in range(50):
                id = f"{number}-{i}"
                notes.upsert(id, [number, i, 0, 0], {"thread": number})
                assert notes.search([number, i, 0, 0], k=1)[0].id == id
                assert notes.count(f"thread = {number}") == i + 1
        except BaseException as error:
            problems.append(repr(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems and len(notes) == 300


def test_threads_make_one_collection(db: vdbx.Database) -> None:
    for turn in range(20):
        barrier = threading.Barrier(4)
        dims: list[Any] = []

        def make() -> None:
            barrier.wait()
            try:
                dims.append(db.collection(f"c{turn}", dim=3).dim)
            except BaseException as error:
                dims.append(error)

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert dims == [3] * 4


def test_memory_stays_flat(tmp_path: Path, full: bool) -> None:
    done = run(
        """
        import sys, numpy as np, vdbx
        def rss():
            return int(open("/proc/self/statm").read().split()[1]) * 4096
        def cycle():
            with vdbx.open(sys.argv[1]) as db:
                notes = db.collection("notes", dim=16)
                if not len(notes):
                    notes.upsert([f"{i}" for i in range(200)], np.ones((200, 16)), [{"n": i} for i in range(200)])
                notes.update("7", {"n": 7})
                assert len(notes.search(np.ones(16), k=5, filter="n > 3")) == 5
        def searches(count):
            with vdbx.open(sys.argv[1]) as db:
                notes = db.collection("notes", dim=16)
                query = np.ones(16, dtype=np.float32)
                for i in range(count):
                    result = notes.search(query, k=10, filter="n >= ?", params=[i % 100], vectors=True)
                    result[0].payload, result.distances, result.to_numpy(), result.ids
        for _ in range(10): cycle()
        searches(5_000)
        before = rss()
        for _ in range(50): cycle()
        searches(int(sys.argv[2]))
        print(rss() / before)
        """,
        str(tmp_path / "flat.vdb"),
        "200000" if full else "20000",
    )
    assert done.returncode == 0, done.stderr
    assert 0.95 < float(done.stdout) < 1.05
