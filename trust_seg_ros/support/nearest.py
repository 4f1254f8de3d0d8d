"""Error texts for unknown names: the known names, and the nearest of them."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


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
