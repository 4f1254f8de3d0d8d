"""Error texts for unknown names: the known names, and the nearest of them."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """The sentence that refuses a name.

    Args:
        what: the kind of thing, in the singular, for example "score".
        name: the given name.
        known: the known names.

    Example:
        >>> unknown("score", "enrgy", ("entropy", "energy"))
        "no score 'enrgy'; choose one of: entropy, energy; did you mean energy or entropy?"
    """
    names = tuple(known)
    return f"no {what} {name!r}; choose one of: {', '.join(names)}{did_you_mean(name, names)}"


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The end of such a sentence: ``"; did you mean energy?"``, at most three names, upper and lower case alike."""
    lower = {other.lower(): other for other in known}
    near = [lower[found] for found in get_close_matches(name.lower(), lower, n=3)] if isinstance(name, str) else []
    return f"; did you mean {' or '.join(near)}?" if near else ""


def nearest(name: str, known: Iterable[str], least: float = 0.6) -> list[str]:
    """Known dotted names like a given one, the likest first, at most three.

    Args:
        name: the given name; without a dot it is also compared with each part of a known name.
        known: the known names.
        least: smallest likeness, 0 to 1.

    Example:
        >>> nearest("treshold", ("ood.threshold", "mode"))
        ['ood.threshold']
    """
    likeness = {other: _likeness(name, other) for other in known}
    found = sorted((other for other in likeness if likeness[other] >= least), key=lambda other: -likeness[other])
    return found[:3]


def _likeness(name: str, other: str) -> float:
    parts = [] if "." in name else other.split(".")[::-1]
    # a part weighs less than the whole name, and the last part of the other more than its group
    scores = [SequenceMatcher(None, name, part).ratio() * (0.99 - 0.01 * i) for i, part in enumerate(parts)]
    return max([SequenceMatcher(None, name, other).ratio(), *scores])
