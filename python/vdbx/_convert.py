"""Python and NumPy values as the core takes them."""

from __future__ import annotations

import datetime
import os
import uuid
from typing import Any

import numpy as np
import numpy.typing as npt

from vdbx import _core
from vdbx._errors import InvalidArgumentError

Array = npt.NDArray[Any]

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_MICROSECOND = datetime.timedelta(microseconds=1)
_PLAIN = frozenset({type(None), bool, int, float, str})


def _is_missing(value: Any) -> bool:
    """Whether value is pandas' NaT, or NumPy's: a date that is none."""
    return bool(value != value)


def _utc(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(tzinfo=datetime.timezone.utc) if moment.tzinfo is None else moment


def payload_value(value: Any) -> Any:
    """A value that JSON does not know as one that it knows; the value itself if there is none. Called by vdbx._core."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else _utc(value.astype("datetime64[us]").item()).isoformat()
    if isinstance(value, np.generic):
        plain = value.item()
        return value if isinstance(plain, (bytes, complex, np.generic)) else plain
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, datetime.datetime):
        return None if _is_missing(value) else _utc(value).isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, os.PathLike):
        path = os.fspath(value)
        return path if isinstance(path, str) else value
    return value


def parameter(value: Any, place: str) -> Any:
    """A filter's parameter, a single value, as the core takes it."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, datetime.datetime):
        return _core.Timestamp((_utc(value) - _EPOCH) // _MICROSECOND)
    if isinstance(value, datetime.date):
        midnight = datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.timezone.utc)
        return _core.Timestamp((midnight - _EPOCH) // _MICROSECOND)
    if isinstance(value, (uuid.UUID, os.PathLike)):
        return str(value)
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        raise InvalidArgumentError(
            f"{place} is a {type(value).__name__}; wanted one value. A list stands after IN, CONTAINS ANY or "
            "CONTAINS ALL, as one parameter without parentheses: path IN ?"
        )
    raise InvalidArgumentError(
        f"{place} is of type {type(value).__name__}; wanted None, bool, int, float, str, datetime, UUID or Path"
    )


def list_parameter(values: Any, place: str) -> tuple[Any, ...]:
    """A filter's parameter that stands for a list, as the core takes it."""
    if not isinstance(values, (list, tuple, set, frozenset, range, np.ndarray)):
        raise InvalidArgumentError(f"{place} is of type {type(values).__name__}; wanted a list of values there")
    listed = values.tolist() if isinstance(values, np.ndarray) and values.dtype.kind in "biuf" else values
    return tuple(
        value if type(value) in _PLAIN else parameter(value, f"{place}, value {i},") for i, value in enumerate(listed)
    )


def vectors(values: Any, what: str) -> Array:
    """values as an array of float16, float32 or float64 that the core reads in place, copied only where it cannot."""
    array = values if type(values) is np.ndarray else _as_array(values, what)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind in "iu":
        array = array.astype(np.float32)
    elif kind == "O":
        array = _stacked(array, what)
    elif kind != "f":
        raise InvalidArgumentError(f"{what} are of type {array.dtype}; wanted float16, float32 or float64")
    elif size > 8:
        array = array.astype(np.float64)
    elif not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.ndim not in (1, 2):
        raise InvalidArgumentError(f"{what} have shape {array.shape}; wanted (rows, dim), or (dim,) for one")
    size = array.dtype.itemsize
    if any(stride % size for stride in array.strides):
        array = np.ascontiguousarray(array)
    return array


def rows(values: Any, what: str) -> Array:
    """As vectors, of two dimensions: one vector is one row, and nothing is no row."""
    array = vectors(values, what)
    if array.ndim == 2:
        return array
    return array.reshape(1, -1) if array.size else array.reshape(0, 1)


def _as_array(values: Any, what: str) -> Array:
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{what} make no array: {error}; wanted rows of equal length") from error


def _stacked(array: Array, what: str) -> Array:
    """An array of arrays, as data frames hold them, as one of two dimensions."""
    try:
        return np.stack([np.asarray(row, dtype=np.float32) for row in array])
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{what} make no array: {error}; wanted numbers, rows of equal length") from error
