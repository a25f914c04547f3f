"""Conditions as frameworks mean them: Python's comparisons, which are true or false where SQL's would be null."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from vdbx._filter import Condition, _quoted

NEVER = Condition("FALSE")
ALWAYS = Condition("TRUE")


def path_of(names: Iterable[str]) -> str:
    """A path of a filter's text. Each name is one key, whatever it contains."""
    return ".".join(_quoted(name) for name in names)


def every(conditions: Sequence[Condition]) -> Condition:
    return _joined(conditions, is_or=False)


def one_of(conditions: Sequence[Condition]) -> Condition:
    return _joined(conditions, is_or=True)


def _joined(conditions: Sequence[Condition], is_or: bool) -> Condition:
    if not conditions:
        return NEVER if is_or else ALWAYS
    first, *others = conditions
    for other in others:
        first = first | other if is_or else first & other
    return first


def is_text_or_bool(path: str) -> Condition:
    """That there is one of these, and no number, list or dict."""
    return Condition(f"({path} >= FALSE OR {path} >= '')")


def is_single(path: str) -> Condition:
    """That there is a bool, a number or a text, and no list or dict: these compare with nothing."""
    return Condition(f"({path} >= FALSE OR {path} >= 0 OR {path} < 0 OR {path} >= '')")


def not_(condition: Condition) -> Condition:
    """Everything that the condition is not true of: also what lacks the field, or has a value of another type there."""
    return Condition(f"({condition.text}) IS NOT TRUE", condition.params)


def equal(path: str, values: Iterable[Any]) -> Condition:
    """Equal to one of the values."""
    listed = _with_equals(values)
    return Condition(f"{path} = ?", tuple(listed)) if len(listed) == 1 else Condition(f"{path} IN ?", (listed,))


def contains_any(path: str, values: Iterable[Any]) -> Condition:
    """A list with one of the values."""
    return Condition(f"{path} CONTAINS ANY ?", (_with_equals(values),))


def has_text(path: str, text: str, *, ignore_case: bool = False) -> Condition:
    """A string in which the text stands somewhere."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return Condition(f"{path} {'ILIKE' if ignore_case else 'LIKE'} ? ESCAPE '\\'", (f"%{escaped}%",))


def is_empty_list(path: str) -> Condition:
    # CONTAINS is false of an empty list only: an element equals '' or 0, or is of another type than one of them.
    return Condition(f"NOT ({path} CONTAINS ANY ('', 0))")


def _with_equals(values: Iterable[Any]) -> list[Any]:
    """The values, and what Python holds for equal to them: True == 1, False == 0."""
    listed: list[Any] = []
    for value in values:
        listed.append(value)
        if isinstance(value, bool):
            listed.append(int(value))
        elif isinstance(value, (int, float)) and value in (0, 1):
            listed.append(bool(value))
    return listed
