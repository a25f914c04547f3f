"""Database: a folder with collections."""

from __future__ import annotations

import atexit
import contextlib
import datetime
import logging
import os
import weakref
from collections import deque
from types import TracebackType
from typing import Any, NamedTuple

from vdbx import _core
from vdbx._collection import Collection, _gathered, _vectors_or_none
from vdbx._convert import Array
from vdbx._errors import ClosedError, ForkError, InvalidArgumentError, NotFoundError, VdbError
from vdbx.embed._protocol import EmbedArgument, model_of
from vdbx.embed._stored import CollectionModel

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_logger = logging.getLogger("vdbx")
_open_databases: weakref.WeakSet[Database] = weakref.WeakSet()


def open(
    path: str | os.PathLike[str],
    *,
    create: bool = True,
    read_only: bool = False,
    sync: bool = True,
    threads: int = 0,
    memtable_bytes: int = 64 << 20,
    accept_data_loss: bool = False,
) -> Database:
    """Opens the database in a folder; makes it if it is not there.

    One process may have it open for writing, or any number with read_only=True (LockedError otherwise). A path that is
    open in this process already leads to the same database: it closes when each has been closed; other options are an
    error. sync: whether a write that has returned also survives a power cut, if the write does not say. threads: so
    many for what callers wait for and as many, at the lowest priority, for indexing in the background; 0: one per
    processor each. accept_data_loss: open although acknowledged data is missing (DataLossError otherwise).
    """
    core = _core.Database.open(os.fspath(path), create, read_only, threads, memtable_bytes, accept_data_loss)
    return Database(core, sync, read_only)


class Event(NamedTuple):
    """Something that a database did by itself, or noticed."""

    number: int  # from 1 on, since open; a gap means that older ones were dropped
    time: datetime.datetime
    level: str  # info, warning or error
    text: str


class Database:
    """An open database, made by vdbx.open. Safe to use from many threads; `with` closes it."""

    def __init__(self, core: _core.Database, sync: bool, read_only: bool) -> None:
        self._core = core
        self.sync = sync
        self.read_only = read_only
        self._events: deque[Event] = deque(maxlen=1000)
        self._log_events()
        _open_databases.add(self)

    @property
    def path(self) -> str:
        return self._core.path

    def collection(
        self,
        name: str,
        *,
        dim: int | None = None,
        metric: str | None = None,
        embed: EmbedArgument = None,
        create: bool = True,
        m: int | None = None,
        ef_construction: int | None = None,
        codes: str | None = None,
    ) -> Collection:
        """The collection of this name, made if it is not there.

        dim: components of a vector; without it they are those that embed makes, else those of the first vector written.
        metric: cosine (the default), l2 or ip. embed: "local", or a function of texts; give it again when the collection
        is opened again. What is stored is its name and the vector that it makes of a test text: another model is
        refused. m, ef_construction: of the graph, 16 and 200 if not given. codes: what the graph is built and walked on,
        "int8" (faster), "float32" or "auto" (the default: int8 from 64 dimensions on). Arguments that do not fit an
        existing collection are an error.
        """
        model = model_of(embed)
        try:
            core = self._core.open_collection(name)
        except NotFoundError:
            if not create:
                raise
            made_by = model.known_dim() if model and not dim else 0
            core = self._created(name, dim or made_by, metric, m, ef_construction, codes)
        asked = {"dim": dim, "metric": metric, "m": m, "ef_construction": ef_construction, "codes": codes}
        for option, wanted in asked.items():
            stored = getattr(core, option)
            if wanted is not None and wanted != stored:
                has = f"{option} {stored}" if stored else "no dim before its first vector, which sets it"
                raise InvalidArgumentError(f"collection '{name}' has {has}; {wanted} was asked for")
        self._log_events()
        return Collection(self, core, CollectionModel(core, model) if model else None)

    def _created(
        self,
        name: str,
        dim: int,
        metric: str | None,
        m: int | None,
        ef_construction: int | None,
        codes: str | None,
    ) -> _core.Collection:
        try:
            return self._core.create_collection(
                name, dim, metric or "cosine", m or 16, ef_construction or 200, codes or "auto"
            )
        except InvalidArgumentError:
            # Another thread may have made it in the meantime.
            if name in self._core.collections():
                return self._core.open_collection(name)
            raise

    def collections(self) -> list[str]:
        """The names of the collections, sorted."""
        return self._core.collections()

    def drop(self, name: str) -> None:
        """Removes a collection and all its records."""
        self._core.drop_collection(name)

    def write(self, *, sync: bool | None = None) -> Batch:
        """Writes to several collections, all or nothing: with db.write() as batch: batch.upsert(notes, …)."""
        return Batch(self, self.sync if sync is None else sync)

    def checkpoint(self, folder: str | os.PathLike[str]) -> None:
        """Writes a copy of the database, as of now, into a new folder, which opens like any other. Reads go on."""
        self._core.checkpoint(os.fspath(folder))

    def events(self) -> list[Event]:
        """What happened in the background since the last call, oldest first, at most 1,000.

        Each also goes to logging.getLogger("vdbx"): here, and when collections are opened and the database is closed.
        After closing, too: what closing told is among them, unless another object has the database open and gets it.
        """
        self._log_events()
        events = []
        with contextlib.suppress(IndexError):  # empty, perhaps since another thread took the last
            while True:
                events.append(self._events.popleft())
        return events

    def _log_events(self) -> None:
        try:
            drained = self._core.drain_events()
        except ClosedError:  # and open in another object
            return
        for number, micros, level, text in drained:
            time = _EPOCH + datetime.timedelta(microseconds=micros)
            self._events.append(Event(number, time, level, text))
            _logger.log(_LEVELS.get(level, logging.WARNING), "%s: %s", self.path, text)

    def stats(self) -> _core.DatabaseStats:
        return self._core.stats()

    def close(self) -> None:
        """Waits for calls that are under way and closes. Closing twice is fine.

        Where the path was opened more than once, the last close does that; this object fails from now on anyway.
        """
        try:
            self._core.close()
        finally:
            with contextlib.suppress(ForkError):
                self._log_events()
        _open_databases.discard(self)

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Database({self.path!r})"


class Batch:
    """Writes gathered for one commit, which happens where the `with` block ends without an exception."""

    def __init__(self, database: Database, sync: bool) -> None:
        self._database = database
        self._sync = sync
        self._core = _core.WriteBatch()

    def upsert(
        self,
        collection: Collection,
        ids: Any = None,
        vectors: Any = None,
        payloads: Any = None,
        *,
        texts: Any = None,
    ) -> None:
        """As Collection.upsert, at commit. The last word on an id wins."""
        batch = _gathered(ids, payloads, texts)
        if vectors is None and batch.texts is not None:
            array: Array | None = collection._embedding("upsert(texts=…)").texts(batch.texts)
        else:
            array = _vectors_or_none(vectors)
        collection._core.check_rows(batch.ids, array, batch.payloads)
        self._core.upsert(collection._core, batch.ids, array, batch.payloads)

    def delete(self, collection: Collection, ids: Any) -> None:
        """Removes the records of these ids, at commit."""
        self._core.delete(collection._core, (ids,) if isinstance(ids, str) else tuple(ids))

    def __len__(self) -> int:
        return len(self._core)

    def commit(self) -> None:
        """Writes what was gathered so far, all or nothing."""
        self._database._core.write(self._core, self._sync)
        self._core.clear()

    def __enter__(self) -> Batch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()


@atexit.register
def _close_all() -> None:
    for database in list(_open_databases):
        try:
            database.close()
        except VdbError:  # in the child of a fork, say
            continue
