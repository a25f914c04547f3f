"""Checkpoints and events."""

from __future__ import annotations

import datetime
import logging
import threading
from pathlib import Path

import numpy as np
import pytest

import vdbx


def test_a_checkpoint_opens_like_any_other(notes: vdbx.Collection, tmp_path: Path) -> None:
    notes.upsert("n", payloads={"year": 1}, vectors=False)
    notes.database.checkpoint(tmp_path / "copy.vdb")
    notes.delete(filter="TRUE")
    with vdbx.open(tmp_path / "copy.vdb") as copy:
        copied = copy.collection("notes")
        assert len(copied) == 4 and copied["n"]["year"] == 1
        assert copied.search([1, 0, 0], k=1).ids == ["a"]
        copied.verify()
        copied.upsert("d", [1, 1, 1])
    assert len(notes) == 0


def test_a_checkpoint_beside_writers_is_one_state(db: vdbx.Database, tmp_path: Path) -> None:
    pairs = [db.collection("left", dim=2), db.collection("right", dim=2)]
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            with db.write() as batch:
                for notes in pairs:
                    batch.upsert(notes, f"{number}", [1, 1])
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for turn in range(3):
            db.checkpoint(str(tmp_path / f"{turn}.vdb"))
    finally:
        stop.set()
        thread.join()
    for turn in range(3):
        with vdbx.open(tmp_path / f"{turn}.vdb", read_only=True) as copy:
            assert len(copy.collection("left")) == len(copy.collection("right"))


def test_a_checkpoint_overwrites_nothing(notes: vdbx.Collection, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(vdbx.InvalidArgumentError, match="there"):
        notes.database.checkpoint(tmp_path / "there")
    with pytest.raises(vdbx.VdbError):
        notes.database.checkpoint(tmp_path / "no" / "such" / "folder")
    assert list((tmp_path / "there").iterdir()) == []


def test_events_are_given_once_and_logged(notes: vdbx.Collection, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "vdbx")
    db = notes.database
    notes.delete("a")
    notes.compact()
    notes.compact()
    events = db.events()
    assert [event.number for event in events] == [1, 2]
    assert [event.level for event in events] == ["info", "info"]
    assert events[0].text == "collection 'notes' has a new generation of 2 records"
    assert abs(datetime.datetime.now(datetime.timezone.utc) - events[0].time) < datetime.timedelta(minutes=10)
    assert db.events() == []
    assert [record.getMessage() for record in caplog.records] == [f"{db.path}: {event.text}" for event in events]
    assert {(record.name, record.levelname) for record in caplog.records} == {("vdbx", "INFO")}


def test_events_are_logged_without_being_asked_for(notes: vdbx.Collection, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "vdbx")
    notes.compact()
    notes.database.collection("notes")
    assert len(caplog.records) == 1
    notes.compact()
    notes.database.close()
    assert len(caplog.records) == 2


def test_events_may_be_asked_for_after_closing(notes: vdbx.Collection, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "vdbx")
    db = notes.database
    notes.compact()
    db._core.close()  # what comes while it closes is in no list yet
    db.close()
    assert len(caplog.records) == 1
    assert [event.text for event in db.events()] == ["collection 'notes' has a new generation of 3 records"]
    assert db.events() == []


def test_events_are_for_who_has_the_database_open(notes: vdbx.Collection) -> None:
    with vdbx.open(notes.database.path) as other:
        notes.compact()
        notes.database.close()
        assert notes.database.events() == []
        assert [event.text for event in other.events()] == ["collection 'notes' has a new generation of 3 records"]


def test_damage_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "d.vdb"
    with vdbx.open(path) as db:
        notes = db.collection("notes", dim=8)
        notes.upsert([f"{i}" for i in range(3_000)], np.random.default_rng(1).random((3_000, 8)))
        notes.wait_for_index()
        notes._core.publish()
    links = [file for file in path.rglob("links*") if file.is_file()]
    assert links
    for file in links:
        file.write_bytes(b"no links")
    with vdbx.open(path) as db:
        notes = db.collection("notes")
        notes.verify()
        assert len(notes.search(np.ones(8))) == 10 and notes.stats().damage
        events = db.events()
    assert "warning" in {event.level for event in events}
    assert any(record.levelname == "WARNING" and "collection 'notes': " in record.getMessage() for record in caplog.records)
