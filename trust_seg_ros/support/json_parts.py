"""Checked entries of JSON objects from untrusted files; errors name the entry, its value and what was expected."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from trust_seg_ros.errors import TrustSegError

T = TypeVar("T", dict[str, Any], list[Any], str)
_KINDS = {dict: "an object", list: "a list", str: "a text"}


class JsonError(TrustSegError):
    """A JSON file is missing, damaged or of another format, or an entry is invalid."""


def part(content: Any, key: str, kind: type[T]) -> T:
    """The entry as an object, list or text; raises JsonError."""
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, kind):
        raise JsonError(f"{key}: {_short(value)}, expected {_KINDS[kind]}")
    return value


def number(content: Any, key: str) -> float:
    """The entry as a finite number; raises JsonError."""
    return _finite(content.get(key) if isinstance(content, dict) else None, key)


def pair(content: Any, key: str) -> list[float]:
    """The entry as two finite numbers, the first not above the second; raises JsonError."""
    value = part(content, key, list)
    found = [_finite(end, key) for end in value]
    if len(found) != 2 or found[0] > found[1]:
        raise JsonError(f"{key}: {_short(value)}, expected the smallest and the largest value")
    return found


def texts(content: Any, key: str) -> tuple[str, ...]:
    """The entry as a list of texts; raises JsonError."""
    value = part(content, key, list)
    if not all(isinstance(text, str) for text in value):
        raise JsonError(f"{key}: {_short(value)}, expected texts")
    return tuple(value)


def plain(value: Any) -> Any:
    """Convert to values that JSON can hold: NumPy's numbers to Python's, non-finite numbers to null."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, np.ndarray)):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _finite(value: Any, key: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            if math.isfinite(found := float(value)):
                return found
        except OverflowError:  # an integer of more than 308 digits
            pass
    raise JsonError(f"{key}: {_short(value)}, expected a finite number")


def _short(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) < 60 else f"{text[:56]} …"
