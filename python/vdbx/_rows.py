"""Rows of data frames, Arrow tables and dicts, in blocks that upsert takes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from vdbx._convert import Array
from vdbx._errors import InvalidArgumentError


@dataclass(frozen=True)
class Columns:
    """Which columns are the record's own."""

    id: str
    vector: str | None
    text: str | None


@dataclass
class Block:
    size: int
    ids: list[str] | None
    vectors: Any
    payloads: list[dict[str, Any]]
    texts: list[str] | None


def blocks(rows: Any, columns: Columns, batch_size: int) -> Iterator[Block]:
    if batch_size < 1:
        raise InvalidArgumentError(f"batch_size is {batch_size}; wanted 1 or more")
    if _is_a(rows, "pandas", "DataFrame"):
        return _of_frame([str(name) for name in rows.columns], len(rows), _PandasFrame(rows), columns, batch_size)
    if _is_a(rows, "polars", "DataFrame"):
        return _of_frame(rows.columns, rows.height, _PolarsFrame(rows), columns, batch_size)
    if _is_a(rows, "pyarrow", "Table"):
        return _of_frame(rows.column_names, rows.num_rows, _ArrowFrame(rows), columns, batch_size)
    if isinstance(rows, (str, bytes, Mapping)) or not isinstance(rows, Iterable):
        raise InvalidArgumentError(
            f"rows are of type {type(rows).__name__}; wanted a pandas or polars data frame, an Arrow table, or dicts"
        )
    return _of_dicts(rows, columns, batch_size)


def _is_a(value: Any, module: str, name: str) -> bool:
    """Whether value is of that class, without importing what is not there."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name, ()))


def _of_dicts(rows: Iterable[Mapping[str, Any]], columns: Columns, batch_size: int) -> Iterator[Block]:
    iterator = iter(rows)
    first = 0
    while taken := list(islice(iterator, batch_size)):
        for row, values in enumerate(taken, first):
            if not isinstance(values, Mapping):
                raise InvalidArgumentError(f"row {row} is of type {type(values).__name__}; wanted a dict")
        has_id = _all_or_none(taken, columns.id, first)
        vector = columns.vector
        if vector is not None and not _all_or_none(taken, vector, first):
            vector = None
        own = {columns.id, columns.vector, columns.text}
        yield Block(
            len(taken),
            [values[columns.id] for values in taken] if has_id else None,
            None if vector is None else [values[vector] for values in taken],
            [{name: value for name, value in values.items() if name not in own} for values in taken],
            None if columns.text is None else [_present(values, columns.text, first) for values in taken],
        )
        first += len(taken)


def _all_or_none(rows: list[Mapping[str, Any]], name: str, first: int) -> bool:
    having = [name in values for values in rows]
    if any(having) and not all(having):
        raise InvalidArgumentError(f"row {first + having.index(False)} lacks '{name}', which other rows have")
    return all(having)


def _present(values: Mapping[str, Any], name: str, first: int) -> Any:
    if name not in values:
        raise InvalidArgumentError(f"a row from {first} on lacks the text column '{name}'")
    return values[name]


class _Frame:
    """Columns of a data frame as Python lists, and the vectors as an array, for rows begin to end."""

    def values(self, name: str, begin: int, end: int) -> list[Any]:
        raise NotImplementedError

    def vectors(self, name: str, begin: int, end: int) -> Any:
        return self.values(name, begin, end)


def _of_frame(names: list[str], rows: int, frame: _Frame, columns: Columns, batch_size: int) -> Iterator[Block]:
    for needed in (columns.text,) if columns.text else (columns.id, columns.vector):
        if needed is not None and needed not in names:
            raise InvalidArgumentError(f"there is no column '{needed}' among {', '.join(map(repr, names))}")
    own = {columns.id, columns.vector, columns.text}
    fields = [name for name in names if name not in own]
    for begin in range(0, rows, batch_size):
        end = min(begin + batch_size, rows)
        listed = [frame.values(name, begin, end) for name in fields]
        yield Block(
            end - begin,
            frame.values(columns.id, begin, end) if columns.id in names else None,
            frame.vectors(columns.vector, begin, end) if columns.vector and columns.vector in names else None,
            [dict(zip(fields, row)) for row in zip(*listed)] if fields else [{} for _ in range(begin, end)],
            frame.values(columns.text, begin, end) if columns.text else None,
        )


class _PandasFrame(_Frame):
    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def values(self, name: str, begin: int, end: int) -> list[Any]:
        column = self._frame[name].iloc[begin:end]
        is_missing = column.isna().to_numpy()
        values: list[Any] = column.tolist()
        if is_missing.any():
            values = [None if gone else value for gone, value in zip(is_missing, values)]
        return values

    def vectors(self, name: str, begin: int, end: int) -> Any:
        return self._frame[name].iloc[begin:end].tolist()


class _PolarsFrame(_Frame):
    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def values(self, name: str, begin: int, end: int) -> list[Any]:
        values: list[Any] = self._frame[name][begin:end].to_list()
        return [None if isinstance(value, float) and value != value else value for value in values]

    def vectors(self, name: str, begin: int, end: int) -> Any:
        import polars

        column = self._frame[name][begin:end]
        if isinstance(column.dtype, polars.List):
            _same_lengths(column.list.len().unique().to_list(), name)
        return _rectangle(column.explode().to_numpy(), end - begin, name)


class _ArrowFrame(_Frame):
    def __init__(self, table: Any) -> None:
        self._table = table

    def values(self, name: str, begin: int, end: int) -> list[Any]:
        values: list[Any] = self._table.column(name).slice(begin, end - begin).to_pylist()
        return [None if isinstance(value, float) and value != value else value for value in values]

    def vectors(self, name: str, begin: int, end: int) -> Any:
        import pyarrow
        import pyarrow.compute

        column = self._table.column(name).slice(begin, end - begin)
        _same_lengths(pyarrow.compute.list_value_length(column).unique().to_pylist(), name)
        flat = pyarrow.compute.list_flatten(column)
        return _rectangle(flat.to_numpy(), end - begin, name)


def _same_lengths(lengths: list[int | None], name: str) -> None:
    if len(lengths) > 1 or None in lengths:
        raise InvalidArgumentError(f"column '{name}' has vectors of different lengths, or none in some rows: {lengths}")


def _rectangle(flat: Array, rows: int, name: str) -> Array:
    if rows and len(flat) % rows:
        raise InvalidArgumentError(f"column '{name}' has rows without a vector")
    return np.asarray(flat).reshape(rows, -1)
