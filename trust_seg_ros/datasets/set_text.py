"""Texts that name a set of images by words, such as ``pasted:objects=FOLDER:seeds=0-99``."""

from __future__ import annotations

import re

from trust_seg_ros.datasets.errors import DatasetError


def words_of(text: str, form: str) -> dict[str, str]:
    """The words of a text, name -> value.

    Args:
        text: what the user typed, ``PREFIX:NAME=VALUE:NAME=VALUE``.
        form: the form that is expected; its names are those there are.

    Raises:
        DatasetError: another name, a name without a value, or one given twice.
    """
    given: dict[str, str] = {}
    known = re.findall(r"(\w+)=", form)
    for word in filter(None, text.partition(":")[2].split(":")):
        name, _, value = word.partition("=")
        if name not in known or not value or name in given:
            raise DatasetError(f"{text!r}: {word!r} is not understood; expected {form}")
        given[name] = value
    return given


def patterns_of(given: dict[str, str], name: str) -> tuple[str, ...]:
    """The patterns of a word, ``cow*+goat*``; () if it is not given."""
    return tuple(filter(None, given.get(name, "").split("+")))
