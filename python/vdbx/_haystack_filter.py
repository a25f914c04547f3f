"""Haystack's filters as conditions: dicts of field, operator and value, joined by dicts of operator and conditions."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from haystack.errors import FilterError

from vdbx import _comparisons as compare
from vdbx._collection import TEXT_KEY
from vdbx._filter import Condition

Filters = Mapping[str, Any]


def condition_of(filters: Filters | None) -> Condition | None:
    """As Haystack's document_matches_filter: what lacks the field matches !=, "not in" and NOT, too."""
    if not filters:
        return None
    return _comparison(filters) if "field" in filters else _logic(filters)


def _logic(filters: Filters) -> Condition:
    operator, conditions = _key("operator", filters), _key("conditions", filters)
    if operator not in ("AND", "OR", "NOT"):
        raise FilterError(f"unknown logical operator {operator!r}; wanted AND, OR or NOT")
    if not isinstance(conditions, (list, tuple)) or not all(isinstance(part, Mapping) for part in conditions):
        raise FilterError(f"conditions of {operator} are {conditions!r}; wanted a list of filters")
    parts = [_comparison(part) if "field" in part else _logic(part) for part in conditions]
    if operator == "OR":
        return compare.one_of(parts)
    return compare.every(parts) if operator == "AND" else compare.not_(compare.every(parts))


def _comparison(filter: Filters) -> Condition:
    operator, value = _key("operator", filter), _key("value", filter)
    path = _path(filter["field"])
    if operator in ("==", "!="):
        equal = _equal(path, [value])
        return equal if operator == "==" else compare.not_(equal)
    if operator in ("in", "not in"):
        if not isinstance(value, list):
            raise FilterError(f"{filter['field']} {operator} {value!r}: wanted a list")
        within = _equal(path, value)
        return within if operator == "in" else compare.not_(within)
    if operator in (">", ">=", "<", "<="):
        return _ordered(path, operator, value)
    raise FilterError(f"unknown comparison operator {operator!r}; wanted ==, !=, >, >=, <, <=, in or not in")


def _key(name: str, filters: Filters) -> Any:
    if name not in filters:
        raise FilterError(f"a filter without {name!r}: {dict(filters)!r}")
    return filters[name]


def _path(field: Any) -> str:
    if not isinstance(field, str) or not field:
        raise FilterError(f"field {field!r}; wanted e.g. 'meta.year'")
    if field in ("id", "content"):
        return "$id" if field == "id" else TEXT_KEY
    if field in ("blob", "embedding", "meta", "score", "sparse_embedding"):
        raise FilterError(f"field {field!r} cannot be filtered by; wanted 'id', 'content' or 'meta.…'")
    root, *names = field.split(".")
    if names and root != "meta":
        raise FilterError(f"field {field!r}; wanted 'meta.{field}'")
    if not all(names):
        raise FilterError(f"field {field!r} has an empty name")
    return compare.path_of(names or [root])


def _equal(path: str, values: Sequence[Any]) -> Condition:
    """Equal to one of the values. Times are equal that are the same moment, however they are written."""
    for value in values:
        if not isinstance(value, (bool, int, float, str, datetime.date, type(None))):
            raise FilterError(f"{path}: compared with {value!r}; wanted a str, number, bool, date or None")
    plain = [value for value in values if value is not None and not isinstance(value, datetime.date)]
    moments = [moment for moment in map(_moment, values) if moment is not None]
    conditions = [compare.equal(path, plain)] if plain else []
    if moments:
        conditions.append(Condition(f"{path} IN ?", (moments,)))
    if None in values:
        conditions.append(Condition(f"{path} IS NULL"))
    return compare.one_of(conditions)


def _ordered(path: str, operator: str, value: Any) -> Condition:
    if value is None:
        return compare.NEVER
    if isinstance(value, str):
        moment = _moment(value)
        if moment is None:
            raise FilterError(f"{path} {operator} {value!r}: of strings only ISO 8601 dates have an order")
        value = moment
    if not isinstance(value, (bool, int, float, datetime.date)):
        raise FilterError(f"{path} {operator} {value!r}: wanted a number or a date")
    return Condition(f"{path} {operator} ?", (value,))


def _moment(value: Any) -> datetime.date | None:
    if isinstance(value, datetime.date):
        return value
    if not isinstance(value, str) or len(value) < len("2024-01-02"):
        return None
    try:
        # Python 3.10 does not read the Z.
        return datetime.datetime.fromisoformat(f"{value[:-1]}+00:00" if value[-1] in "Zz" else value)
    except ValueError:
        return None
