"""kill -9 while a process writes: what it was told is done is there afterwards, in Python and in vdbctl; nothing by halves."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vdbx
from commands import CONTROL

THREADS = 3
State = dict[str, tuple[dict[str, Any], list[float]]]  # payload and vector of each id


def vdbctl(*arguments: str | Path) -> str:
    done = subprocess.run([*CONTROL, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def killed_after(lines: int, script: str, *arguments: str | Path) -> list[str]:
    """Runs Python until it printed so many lines, kills it, and returns all that it printed."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        printed += process.stdout.readlines()
        assert process.wait() == -signal.SIGKILL
    return [line.strip() for line in printed if line.endswith("\n")]


# Three threads, each with batches of three, updates and deletions; each says when an operation returned.
WRITER = f"""
    import itertools, os, sys, threading, vdbx
    path, turn, sync = sys.argv[1], sys.argv[2], sys.argv[3] == "True"
    notes = vdbx.open(path, sync=sync).collection("notes", dim=2, metric="l2")
    def work(thread):
        def done(): os.write(1, f"{{thread}}\\n".encode())
        for n in itertools.count():
            ids = [f"{{turn}}/{{thread}}/{{n}}/{{row}}" for row in range(3)]
            notes.upsert(ids, [[n, row] for row in range(3)], [{{"n": n, "row": row}} for row in range(3)])
            done()
            if n % 2:
                notes.update(ids[:2], {{"seen": True}})
                done()
            if n % 3:
                notes.delete(ids[1:])
                done()
    for thread in range({THREADS}):
        threading.Thread(target=work, args=(thread,)).start()
"""


def states(turn: int, thread: int) -> Iterator[State]:
    """What a thread of the writer has stored after each of its operations, beginning with none."""
    state: State = {}
    n = 0
    while True:
        ids = [f"{turn}/{thread}/{n}/{row}" for row in range(3)]
        yield dict(state)
        state |= {id: ({"n": n, "row": row}, [n, row]) for row, id in enumerate(ids)}
        if n % 2:
            yield dict(state)
            state |= {id: (state[id][0] | {"seen": True}, state[id][1]) for id in ids[:2]}
        if n % 3:
            yield dict(state)
            for id in ids[1:]:
                del state[id]
        n += 1


def read_by_python(path: Path) -> State:
    with vdbx.open(path) as db:
        notes = db.collection("notes", create=False)
        notes.verify()
        state = {r.id: (r.payload, r.vector.tolist()) for r in notes.scan(vectors=True) if r.vector is not None}
        assert len(notes) == len(state)
        for id, (payload, vector) in random.Random(7).sample(sorted(state.items()), 20):
            assert notes[id].payload == payload
            nearest = notes.search(vector, k=40, filter="n = ?", params=[payload["n"]])
            assert id in nearest.ids and nearest.distances[0] == 0
        return state


def read_by_vdbctl(path: Path) -> State:
    vdbctl("verify", path, "notes")
    rows = map(json.loads, vdbctl("scan", path, "notes", "--json", "--with-vector").splitlines())
    return {row["id"]: (row["payload"], row["vector"]) for row in rows}


@pytest.mark.parametrize("sync", [True, False])
def test_what_was_acknowledged_is_there(tmp_path: Path, sync: bool) -> None:
    path = tmp_path / "killed.vdb"
    chance = random.Random(11)
    settled: State = {}
    for turn in range(5):
        acknowledged = killed_after(chance.randrange(60, 400), WRITER, path, str(turn), str(sync))
        readers = [read_by_python, read_by_vdbctl][:: -1 if turn % 2 else 1]
        found, again = (reader(path) for reader in readers)
        assert found == again
        for thread in range(THREADS):
            of_thread = {id: row for id, row in found.items() if id.startswith(f"{turn}/{thread}/")}
            done = acknowledged.count(str(thread))
            stored = states(turn, thread)
            possible = [next(stored) for _ in range(done + 2)][-2:]  # the operation that was under way may be there
            assert of_thread in possible, f"turn {turn}, thread {thread}, {done} operations acknowledged"
        assert {id: row for id, row in found.items() if not id.startswith(f"{turn}/")} == settled
        settled = found


def test_a_long_upsert_leaves_whole_batches(tmp_path: Path) -> None:
    script = """
        import sys, numpy as np, vdbx
        notes = vdbx.open(sys.argv[1]).collection("notes", dim=8, metric="l2")
        rows = np.arange(8_000_000, dtype=np.float32).reshape(-1, 8)
        notes.upsert([f"{i}" for i in range(len(rows))], rows, batch_size=500, progress=lambda done, _: print(done, flush=True))
    """
    path = tmp_path / "long.vdb"
    acknowledged = int(killed_after(12, script, path)[-1])
    with vdbx.open(path) as db:
        notes = db.collection("notes")
        assert acknowledged <= len(notes) <= acknowledged + 500 and len(notes) % 500 == 0
        assert all(record is not None for record in notes.get([f"{i}" for i in range(len(notes))]))
        row = acknowledged - 1
        assert notes.search([8 * row + i for i in range(8)], k=1).ids == [f"{row}"]
    assert int(vdbctl("count", path, "notes")) % 500 == 0
