"""Readable names of metrics: mathematical notation for figures, and the class a metric belongs to."""

from __future__ import annotations

from collections.abc import Sequence

_PER_CLASS = {"cprob": "P({})", "ndist": "next to {}", "class": "is {}"}
_SYMBOLS = {"E": r"\bar{E}", "D": r"\bar{D}", "V": r"\bar{V}", "S": "S"}
_WORDS = {"row": "centroid row", "column": "centroid column"}


def class_of(metric: str, class_names: Sequence[str]) -> str:
    """Name of the class a metric belongs to; "" for a metric of all classes.

    >>> class_of("cprob_1", ("road", "sky"))
    'sky'
    """
    prefix, _, number = metric.rpartition("_")
    if prefix in _PER_CLASS and number.isdigit() and int(number) < len(class_names):
        return class_names[int(number)]
    return ""


def symbol(metric: str, class_names: Sequence[str]) -> str:
    """A metric in the notation of MetaSeg, as matplotlib writes it.

    >>> symbol("E_bd", ())
    '$\\\\bar{E}_{bd}$'
    """
    of = class_of(metric, class_names)
    if of:
        return _PER_CLASS[metric.rpartition("_")[0]].format(of)
    first, *parts = metric.split("_")
    if first not in _SYMBOLS or not set(parts) <= {"in", "bd", "rel", "var"}:
        return _WORDS.get(metric, metric)
    inner = _SYMBOLS[first]
    below = [part for part in parts if part in ("in", "bd")]
    written = (rf"\tilde{{{inner}}}" if "rel" in parts else inner) + (f"_{{{below[0]}}}" if below else "")
    return rf"var(${written}$)" if "var" in parts else f"${written}$"
