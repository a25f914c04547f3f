"""Filters: SQL-like text with parameters, or conditions built with F. Both become text and parameters of the core."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Union

from vdbx._convert import list_parameter, parameter
from vdbx._errors import InvalidArgumentError

Params = Union[Sequence[Any], Mapping[str, Any], None]

_KEYWORDS = frozenset(
    "all and any between contains false ilike in is like not null or timestamp true".split()
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_BEFORE_LIST = re.compile(r"\b(?:IN|ANY|ALL)\s*\Z", re.IGNORECASE)
# What is not to be looked into, and what stands for a parameter.
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(?P<mark>\?)|:(?P<name>[A-Za-z_]\w*)|\$(?P<number>\d+)")


class Condition:
    """A filter made with F: text with ? in place of each parameter. Combine with &, | and ~."""

    __slots__ = ("_word", "params", "text")

    def __init__(self, text: str, params: tuple[Any, ...] = (), word: str = "") -> None:
        self.text = text
        self.params = params
        self._word = word  # AND or OR if joined by it, so that a long chain does not nest

    def __and__(self, other: Condition) -> Condition:
        return self._join("AND", other)

    def __or__(self, other: Condition) -> Condition:
        return self._join("OR", other)

    def __invert__(self) -> Condition:
        return Condition(f"NOT ({self.text})", self.params)

    def _join(self, word: str, other: Condition) -> Condition:
        if not isinstance(other, Condition):
            raise InvalidArgumentError(
                f"a condition joined with {other!r}; wanted another condition, each in parentheses: "
                "(F.year > 2000) & (F.lang == 'en')"
            )
        left, right = (c.text if c._word in ("", word) else f"({c.text})" for c in (self, other))
        return Condition(f"{left} {word} {right}", self.params + other.params, word)

    def __bool__(self) -> NoReturn:
        raise InvalidArgumentError(
            "a condition is neither true nor false by itself: join with & | ~ instead of and, or, not, and write "
            "(1 < F.a) & (F.a < 5), or F.a.between(1, 5), instead of 1 < F.a < 5"
        )

    def __repr__(self) -> str:
        return f"Condition({self.text!r}, {self.params!r})"


def _quoted(name: str) -> str:
    if _NAME.match(name) and name.lower() not in _KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def _path_text(path: str) -> str:
    """The path as a filter's text writes it: a.b, items[].sku, and names in quotes where they must be."""
    if not path:
        raise InvalidArgumentError("a path is empty; wanted F.name or F['name.below']")
    names = []
    for part in path.split("."):
        ending = "[]" if part.endswith("[]") else ""
        name = part[: len(part) - len(ending)]
        if not name:
            raise InvalidArgumentError(f"path {path!r} has an empty name")
        names.append(_quoted(name) + ending)
    return ".".join(names)


class Path:
    """A place in the payload: F.year, F['author.name'], F['items[].sku']. Compare it to make a condition."""

    __slots__ = ("_text",)
    _text: str
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def __getattr__(self, name: str) -> Path:
        if name.startswith(("__", "_repr_", "_ipython_")):  # what notebooks ask of every object
            raise AttributeError(name)
        return Path(f"{self._text}.{_path_text(name)}")

    def __getitem__(self, name: str) -> Path:
        if not isinstance(name, str):
            raise InvalidArgumentError(f"a path goes on with {name!r}; wanted a name")
        return Path(f"{self._text}.{_path_text(name)}")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise InvalidArgumentError("F describes filters; payloads are written with upsert")

    def _compare(self, operator: str, value: Any) -> Condition:
        if value is None:
            raise InvalidArgumentError(
                f"{self._text} {operator} None is never true, as in SQL; wanted .is_null() or .is_not_null()"
            )
        if isinstance(value, (Path, Condition)):
            raise InvalidArgumentError(f"{self._text} {operator} {value!r}: wanted a value, not a path or condition")
        return Condition(f"{self._text} {operator} ?", (value,))

    def __eq__(self, value: object) -> Condition:  # type: ignore[override]
        return self._compare("=", value)

    def __ne__(self, value: object) -> Condition:  # type: ignore[override]
        return self._compare("!=", value)

    def __lt__(self, value: Any) -> Condition:
        return self._compare("<", value)

    def __le__(self, value: Any) -> Condition:
        return self._compare("<=", value)

    def __gt__(self, value: Any) -> Condition:
        return self._compare(">", value)

    def __ge__(self, value: Any) -> Condition:
        return self._compare(">=", value)

    def _with_list(self, operator: str, values: Iterable[Any]) -> Condition:
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            raise InvalidArgumentError(f"{self._text} {operator} {values!r}: wanted a list of values")
        return Condition(f"{self._text} {operator} ?", (tuple(values),))

    def in_(self, values: Iterable[Any]) -> Condition:
        """Equal to one of the values; of none, never."""
        return self._with_list("IN", values)

    def not_in(self, values: Iterable[Any]) -> Condition:
        """There and equal to none of the values; of none, always."""
        return self._with_list("NOT IN", values)

    def between(self, low: Any, high: Any) -> Condition:
        """From low to high, both included."""
        return Condition(f"{self._text} BETWEEN ? AND ?", (low, high))

    def like(self, pattern: str) -> Condition:
        """Text that fits a pattern: % is any text, _ one character."""
        return self._compare("LIKE", pattern)

    def ilike(self, pattern: str) -> Condition:
        """As like, whatever the case of the letters."""
        return self._compare("ILIKE", pattern)

    def contains(self, value: Any) -> Condition:
        """A list that has the value."""
        return self._compare("CONTAINS", value)

    def contains_any(self, values: Iterable[Any]) -> Condition:
        """A list that has one of the values."""
        return self._with_list("CONTAINS ANY", values)

    def contains_all(self, values: Iterable[Any]) -> Condition:
        """A list that has all of the values."""
        return self._with_list("CONTAINS ALL", values)

    def is_null(self) -> Condition:
        """Missing, or null."""
        return Condition(f"{self._text} IS NULL")

    def is_not_null(self) -> Condition:
        return Condition(f"{self._text} IS NOT NULL")

    def __bool__(self) -> NoReturn:
        raise InvalidArgumentError(f"{self._text} alone is no condition; wanted e.g. F.sold == True")

    def __contains__(self, value: object) -> NoReturn:
        raise InvalidArgumentError(f"`in` cannot make a condition; wanted F.path.in_(values) or F.path.contains(value)")

    def __iter__(self) -> NoReturn:
        raise InvalidArgumentError(f"{self._text} is a path of a filter; it has no elements")

    def __repr__(self) -> str:
        return f"F[{self._text!r}]"


class Root:
    """F: the payload. F.year or F['year'] is a path in it; F['$id'] is the record's id."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Path:
        if name.startswith(("__", "_repr_", "_ipython_")):  # what notebooks ask of every object
            raise AttributeError(name)
        return Path(_path_text(name))

    def __getitem__(self, name: str) -> Path:
        if not isinstance(name, str):
            raise InvalidArgumentError(f"F[{name!r}]: wanted a path, e.g. F['author.name']")
        if name == "$id":
            return Path(name)
        return Path(_path_text(name))

    def __repr__(self) -> str:
        return "F"


F = Root()


@dataclass(frozen=True)
class _Translated:
    """A filter's text with $1, $2, … for its parameters."""

    text: str
    kind: str  # how they were written: ?, :name or $1; "" if there are none
    names: tuple[str, ...]  # of :name; "" otherwise
    lists: frozenset[int]  # numbers of those that stand for a list


_MAX_PARAMETER = 65_535  # the core says so, too; a larger number is not worth a list of names


@functools.lru_cache(maxsize=256)
def _translated(text: str) -> _Translated:
    kinds: set[str] = set()
    names: list[str] = []
    lists: set[int] = set()

    def place(match: re.Match[str]) -> str:
        if match["mark"]:
            kinds.add("?")
            names.append("")
            number = len(names)
        elif match["name"]:
            kinds.add(":name")
            if match["name"] not in names:
                names.append(match["name"])
            number = names.index(match["name"]) + 1
        elif match["number"]:
            kinds.add("$1")
            number = int(match["number"])
            names.extend([""] * (min(number, _MAX_PARAMETER) - len(names)))
        else:
            return match[0]
        if _BEFORE_LIST.search(text, max(0, match.start() - 32), match.start()):
            lists.add(number)
        return f"${number}"

    translated = _TOKEN.sub(place, text)
    if len(kinds) > 1:
        raise InvalidArgumentError(f"the filter mixes {' and '.join(sorted(kinds))} for its parameters: {text}")
    return _Translated(translated, kinds.pop() if kinds else "", tuple(names), frozenset(lists))


def compiled(filter: str | Condition | None, params: Params = None) -> tuple[str, tuple[Any, ...]]:
    """Text and parameters as the core takes them; empty text if there is no filter."""
    if filter is None:
        if params:
            raise InvalidArgumentError("params without a filter")
        return "", ()
    if isinstance(filter, Condition):
        if params:
            raise InvalidArgumentError("params beside a condition made with F, which has its own")
        params, filter = filter.params, filter.text
    elif not isinstance(filter, str):
        raise InvalidArgumentError(f"the filter is of type {type(filter).__name__}; wanted text or F.path > value")
    translated = _translated(filter)
    names = translated.names
    if isinstance(params, Mapping):
        return translated.text, _named(params, translated)
    if isinstance(params, (str, bytes)) or not isinstance(params, (Sequence, type(None))):
        raise InvalidArgumentError(f"params is of type {type(params).__name__}; wanted a list of values, or a dict")
    given: Sequence[Any] = params or ()
    if translated.kind == ":name":
        raise InvalidArgumentError(f"the filter has {', '.join(':' + name for name in names)}; wanted params as a dict")
    if len(given) != len(names):
        raise InvalidArgumentError(f"the filter has {len(names)} places for parameters; {len(given)} were given")
    lists = translated.lists
    return translated.text, tuple(
        list_parameter(value, f"parameter {i}") if i in lists else parameter(value, f"parameter {i}")
        for i, value in enumerate(given, 1)
    )


def _named(params: Mapping[str, Any], translated: _Translated) -> tuple[Any, ...]:
    names = translated.names
    if translated.kind not in ("", ":name"):
        raise InvalidArgumentError(f"the filter writes its parameters as {translated.kind}; wanted params as a list")
    missing = [name for name in names if name not in params]
    unknown = [name for name in params if name not in names]
    if missing or unknown:
        raise InvalidArgumentError(
            f"the filter has the parameters {', '.join(names) or 'none'}; "
            f"missing: {', '.join(missing) or 'none'}; not in the filter: {', '.join(map(str, unknown)) or 'none'}"
        )
    return tuple(
        (list_parameter if i in translated.lists else parameter)(params[name], f"parameter :{name}")
        for i, name in enumerate(names, 1)
    )
