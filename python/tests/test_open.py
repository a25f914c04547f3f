"""A path opened more than once: in one process the same database, read-only in any number of processes."""

from __future__ import annotations

import gc
import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vdbx


def filled(path: Path, rows: int = 100) -> str:
    with vdbx.open(path, sync=False) as db:
        notes = db.collection("notes", dim=4, metric="l2")
        payloads = [{"n": i} for i in range(rows)]
        notes.upsert([f"{i}" for i in range(rows)], np.arange(rows * 4, dtype=np.float32).reshape(rows, 4), payloads)
    return str(path)


# The same path twice in one process


def test_the_same_database(tmp_path: Path) -> None:
    first = vdbx.open(tmp_path / "a.vdb")
    second = vdbx.open(tmp_path / "." / "a.vdb")
    first.collection("notes").upsert("a", [1, 2])
    assert second.collection("notes").search([1, 2]).ids == ["a"]
    first.close()
    with pytest.raises(vdbx.ClosedError):
        first.collections()
    second.collection("notes").upsert("b", [1, 2])
    second.close()
    with pytest.raises(vdbx.ClosedError):
        second.collections()
    with vdbx.open(tmp_path / "a.vdb", read_only=True) as third:
        assert len(third.collection("notes")) == 2


def test_a_script_that_runs_again(tmp_path: Path) -> None:
    """As Streamlit and notebooks do: nobody closes what the run before opened."""
    for turn in range(20):
        db = vdbx.open(tmp_path / "again.vdb")
        notes = db.collection("notes")
        notes.upsert(f"{turn}", [1, turn])
        assert len(notes) == turn + 1


def test_what_nobody_holds_is_closed(tmp_path: Path) -> None:
    vdbx.open(tmp_path / "a.vdb").collection("notes", dim=2)
    gc.collect()
    with vdbx.open(tmp_path / "a.vdb", read_only=True) as db:
        assert db.collections() == ["notes"]


@pytest.mark.parametrize("option, value", [("read_only", True), ("threads", 3), ("memtable_bytes", 8 << 20)])
def test_other_options_are_refused(db: vdbx.Database, option: str, value: Any) -> None:
    with pytest.raises(vdbx.LockedError, match=f"open in this process already, with {option} "):
        vdbx.open(db.path, **{option: value})
    assert db.collections() == []


def test_sync_is_a_matter_of_each(db: vdbx.Database) -> None:
    with vdbx.open(db.path, sync=True) as other:
        assert other.sync and not db.sync


def test_a_folder_made_again_is_a_new_database(tmp_path: Path) -> None:
    path = tmp_path / "a.vdb"
    old = vdbx.open(path)
    old.collection("old", dim=2)
    shutil.rmtree(path)
    with vdbx.open(path) as new:
        assert new.collections() == []
    with pytest.raises(vdbx.VdbError):
        old.collection("old").upsert("a", [1, 2])


# Read-only


def test_read_only_reads_and_refuses_writes(tmp_path: Path) -> None:
    path = filled(tmp_path / "r.vdb")
    with vdbx.open(path, read_only=True) as db:
        notes = db.collection("notes")
        assert db.read_only and len(notes) == 100 and notes["7"]["n"] == 7
        assert notes.search([0, 1, 2, 3], k=1, filter="n < 50").ids == ["0"]
        assert len(list(notes.scan())) == 100
        notes.verify()
        for call in (
            lambda: notes.upsert("x", [1, 2, 3, 4]),
            lambda: notes.update("1", {"n": 0}),
            lambda: notes.delete("1"),
            lambda: notes.delete(filter="TRUE"),
            lambda: db.collection("new", dim=2),
            lambda: db.drop("notes"),
            notes.compact,
        ):
            with pytest.raises(vdbx.ReadOnlyError, match="opened read-only; open it for writing"):
                call()
        assert len(notes) == 100
    with pytest.raises(vdbx.NotFoundError):
        vdbx.open(tmp_path / "none.vdb", read_only=True)
    assert not (tmp_path / "none.vdb").exists()


def test_read_only_with_an_embedding(tmp_path: Path) -> None:
    def ones(texts: list[str]) -> Any:
        return np.ones((len(texts), 4))

    path = filled(tmp_path / "r.vdb")
    with vdbx.open(path, read_only=True) as db:
        assert len(db.collection("notes", embed=ones).search("x", k=3)) == 3


def reader(path: str, ready: Any, done: Any, answers: Any) -> None:
    """As one of the workers of a server: opens, answers, stays open until all have."""
    try:
        with vdbx.open(path, read_only=True) as db:
            ids = db.collection("notes").search([0, 1, 2, 3], k=2).ids
            ready.wait(60)
            answers.put(ids)
            done.wait(60)
    except BaseException as error:
        answers.put(f"{type(error).__name__}: {error}")


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_workers_read_at_once_and_a_writer_waits(tmp_path: Path, method: str) -> None:
    path = filled(tmp_path / "w.vdb")
    context: Any = multiprocessing.get_context(method)
    workers = 4
    ready, done, answers = context.Barrier(workers), context.Event(), context.Queue()
    processes = [context.Process(target=reader, args=(path, ready, done, answers)) for _ in range(workers)]
    for process in processes:
        process.start()
    try:
        assert [answers.get(timeout=60) for _ in processes] == [["0", "1"]] * workers
        with vdbx.open(path, read_only=True) as db:  # a notebook beside them
            assert len(db.collection("notes")) == 100
        with pytest.raises(vdbx.LockedError, match=r"is open read-only in process \d+.*Close it there, or open it read") as e:
            vdbx.open(path)
        assert any(str(process.pid) in str(e.value) for process in processes)
    finally:
        done.set()
        for process in processes:
            process.join(60)
    assert [process.exitcode for process in processes] == [0] * workers
    with vdbx.open(path) as db:
        db.collection("notes").upsert("new", [1, 2, 3, 4])


def opened(path: str, read_only: bool) -> str:
    try:
        with vdbx.open(path, read_only=read_only) as db:
            return f"{len(db.collection('notes'))}"
    except vdbx.VdbError as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_reads_and_does_not_write(tmp_path: Path) -> None:
    path = filled(tmp_path / "f.vdb")
    with vdbx.open(path, read_only=True) as db:
        notes = db.collection("notes")
        with multiprocessing.get_context("fork").Pool(1) as pool:
            refused = pool.apply(opened, (path, False))
            assert refused.startswith("ForkError: ") and "'spawn'" in refused
            assert pool.apply(opened, (path, True)) == "100"
        assert len(notes) == 100
