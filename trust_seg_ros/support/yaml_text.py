"""YAML of others, read within limits: no key twice, no value that grows without bound, no foreign exception.

Values are built from the parser's events, so that nesting, repeated values and duplicate keys are seen while they come
and not after they have filled the memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.support.reading import cut, lfs_pointer, reading, reason, shown

MAX_DEPTH = 64
"""Mappings and lists within each other; parameters and labels need five."""
MAX_VALUES = 100_000
"""Values of a document; the largest label set has a thousand."""
MAX_REPEATED = 10_000
"""Values that aliases (``*name``) may add by repetition."""
MAX_BYTES = 64 << 20

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT = "tag:yaml.org,2002:str"
_NOTHING = object()

ReadScalar = Callable[[Any], Any]
"""The value of a ``yaml.ScalarEvent``; raises an exception if it has none."""


class YamlError(TrustSegError):
    """A YAML text is damaged, ambiguous or beyond the limits; the text names the line."""


@dataclass(frozen=True)
class Schema:
    """How scalars are read.

    Attributes:
        value: of a scalar that is a value.
        key: of a scalar that is a key.
        aliases: whether ``*name`` may stand for an earlier value.
        most: largest number of values.
    """

    value: ReadScalar
    key: ReadScalar
    aliases: bool = True
    most: int = MAX_VALUES


def read_yaml(path: Path, what: str, kind: Callable[[str], TrustSegError], schema: Schema | None = None) -> Any:
    """The content of a YAML file of one document; None if it is empty.

    Args:
        path: the file.
        what: kind of file, for error texts.
        kind: class of the error.
        schema: how scalars are read; None: as YAML 1.1.

    Raises:
        TrustSegError: of that kind; the text names the file and the reason.
    """
    found = read_documents(path, what, kind, yaml11() if schema is None else schema)
    if len(found) > 1:
        raise kind(f"{path}: not a readable {what} (it holds {len(found)} documents, expected one: remove the '---')")
    return found[0] if found else None


def read_documents(path: Path, what: str, kind: Callable[[str], TrustSegError], schema: Schema) -> list[Any]:
    """The contents of all documents of a YAML file; arguments and errors as of :func:`read_yaml`."""
    with reading(path, what, kind):
        if (size := path.stat().st_size) > MAX_BYTES:
            raise kind(f"{path}: not a readable {what} (it has {size >> 20} MiB, expected at most {MAX_BYTES >> 20})")
        content = path.read_bytes()
        if pointer := lfs_pointer(content):  # it is valid YAML
            raise kind(f"{path}: {pointer}")
        try:
            return load_documents(content, schema)
        except YamlError as error:
            raise kind(f"{path}: not a readable {what} ({error})") from error


def load_documents(text: bytes | str, schema: Schema) -> list[Any]:
    """The contents of all documents of a YAML text.

    Raises:
        YamlError: the text is no YAML, holds a key twice, or goes beyond the limits.
    """
    try:
        parser = _PARSER(text)
    except Exception as error:  # a reader of bytes looks at the encoding first
        raise YamlError(reason(error)) from error
    builder = _Builder(schema)
    try:
        while parser.check_event():
            builder.take(parser.get_event())
    except YamlError:
        raise
    except Exception as error:
        raise YamlError(reason(error)) from error
    finally:
        parser.dispose()
    return builder.documents


def yaml11() -> Schema:
    """Scalars as in YAML 1.1: ``yes`` is true, ``2026-11-29`` a date."""
    loader: Any = yaml.SafeLoader("")  # its methods have no types

    def value(event: Any) -> Any:
        tag = event.tag
        if tag in (None, "!"):
            tag = loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        try:
            return loader.construct_object(yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark))
        except Exception as error:  # tags lead to any
            why = "too many digits" if len(event.value) > 1000 else cut(reason(error), 100)
            raise YamlError(
                f"{shown(event.value, 60)} on {line_of(event)} has no value ({why}); put it in quotes to make it a text"
            ) from error
        finally:
            loader.constructed_objects = {}

    return Schema(value, value)


def yaml12(most: int = MAX_VALUES) -> Schema:
    """Scalars as in YAML 1.2: only ``true`` and ``false`` are true or false, only digits a number."""
    return Schema(_value12, _value12, most=most)


def _value12(event: Any) -> Any:
    text: str = event.value
    if event.tag == _TEXT or not event.implicit[0]:
        return text
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch("[-+]?[0-9]+", text):
        return int(text)
    return float(text) if re.fullmatch(r"[-+]?([0-9]*\.)?[0-9]+([eE][-+]?[0-9]+)?", text) else text


@dataclass
class _Open:
    """A mapping or list whose end has not come yet."""

    content: Any
    anchor: str | None
    before: int
    key: Any = _NOTHING


@dataclass
class _Builder:
    """Builds values from events; an explicit stack, so that nesting costs no recursion."""

    schema: Schema
    documents: list[Any] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    count: int = 0
    repeated: int = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = self.stack.pop()
            self._keep(ended.anchor, ended.content, ended.before)
            self._put(ended.content, event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.anchors, self.repeated = {}, 0

    def _scalar(self, event: Any) -> None:
        self._counted(event)
        read = self.schema.key if self._at_key else self.schema.value
        value = read(event)
        self._keep(event.anchor, value, self.count - 1)
        self._put(value, event)

    def _start(self, event: Any) -> None:
        self._counted(event)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise YamlError(f"the tag {shown(event.tag)} on {line_of(event)} is not known; remove it")
        if self._at_key:
            raise YamlError(f"a {'mapping' if is_mapping else 'list'} is a key on {line_of(event)}, expected a text")
        if len(self.stack) >= MAX_DEPTH:
            raise YamlError(f"more than {MAX_DEPTH} mappings and lists within each other on {line_of(event)}")
        self.stack.append(_Open({} if is_mapping else [], event.anchor, self.count - 1))

    def _alias(self, event: Any) -> None:
        if not self.schema.aliases:
            raise YamlError(f"*{cut(event.anchor, 60)} on {line_of(event)}: ROS takes no aliases; write the value out")
        if self._at_key or event.anchor not in self.anchors:
            raise YamlError(
                f"*{cut(event.anchor, 60)} on {line_of(event)} stands for no value before it; write the value out"
            )
        value, size = self.anchors[event.anchor]
        self.count, self.repeated = self.count + size, self.repeated + size
        if self.repeated > MAX_REPEATED:
            raise YamlError(
                f"aliases repeat more than {MAX_REPEATED:,} values, seen on {line_of(event)}; write the values out"
            )
        self._put(value, event)

    @property
    def _at_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].content, dict) and self.stack[-1].key is _NOTHING

    def _counted(self, event: Any) -> None:
        self.count += 1
        if self.count > self.schema.most:
            raise YamlError(f"more than {self.schema.most:,} values, on {line_of(event)}")

    def _keep(self, anchor: str | None, value: Any, before: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, self.count - before)

    def _put(self, value: Any, event: Any) -> None:
        if not self.stack:
            self.documents.append(value)
            return
        top = self.stack[-1]
        if isinstance(top.content, list):
            top.content.append(value)
        elif top.key is _NOTHING:
            if value in top.content:
                raise YamlError(
                    f"the key {shown(value)} is given twice, the second time on {line_of(event)}; remove one"
                )
            top.key = value
        else:
            top.content[top.key] = value
            top.key = _NOTHING


def line_of(event: Any) -> str:
    """Where an event stands, in words."""
    return f"line {event.start_mark.line + 1}"
