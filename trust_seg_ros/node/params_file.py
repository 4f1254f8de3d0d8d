"""Parameter files and ``-p`` options, read by the rules of ROS 2 (rcl). Imports neither rclpy nor torch.

What ROS refuses is refused here, and what both accept has the same values and types. Refused here only, because ROS
reads it in ways that no one expects: keys given twice, lists in lists, empty groups, dotted groups inside a group, and
a section beside ``ros__parameters``.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trust_seg_ros.node.parameter import ParameterError
from trust_seg_ros.support.reading import cut, shown
from trust_seg_ros.support.yaml_text import Schema, YamlError, line_of, load_documents, read_documents

RosValue = bool | int | float | str | list[Any]

NODE = "trust_seg"
_SECTION = "ros__parameters"
_TRUE = {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}
_FALSE = {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}
_C = ctypes.CDLL(None, use_errno=True)
_C.strtoll.restype, _C.strtod.restype = ctypes.c_longlong, ctypes.c_double
_DOTTED = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|\*\*?")
_RULE = re.compile(r"(?:([A-Za-z_]\w*):)?([A-Za-z_]\w*(?:[./]+[A-Za-z_]\w*)*):=(.*)", re.DOTALL | re.ASCII)


@dataclass(frozen=True)
class Section:
    """The parameters of one key of a file.

    Attributes:
        key: names nodes: ``trust_seg``, ``/front/trust_seg``, ``/**``, ``/*/trust_seg``.
        values: parameter -> value; names of groups joined by dots.
    """

    key: str
    values: Mapping[str, RosValue]

    def is_for(self, node: str) -> bool:
        """Whether it holds for a node, given by its name with namespace."""
        patterns = {"**": r"(/\w+)*", "*": r"/\w+"}
        tokens = self.key.removeprefix("/").split("/")
        return re.fullmatch("".join(patterns.get(t, "/" + re.escape(t)) for t in tokens), node) is not None

    @property
    def shared(self) -> bool:
        """Whether it is for nodes of any name, so that names in it may belong to other nodes."""
        return self.key.rpartition("/")[2] in ("*", "**")


def read_sections(file: Path) -> list[Section]:
    """The sections of a parameter file, in its order: later ones override earlier ones.

    Raises:
        ParameterError: the file cannot be read, or ROS would refuse it.
    """
    file = file.expanduser()
    found: dict[str, dict[str, RosValue]] = {}
    try:
        for document in read_documents(file, "parameter file", ParameterError, _SCHEMA):
            if not isinstance(document, dict):
                raise _RefusedError(f"expected nodes with {_SECTION}, found {shown(document)}")
            _add_nodes(document, "", found)
    except _RefusedError as error:
        raise ParameterError(f"parameter file {file}: {error}") from None
    return [Section(key, values) for key, values in found.items()]


def check_for_node(file: Path, node: str) -> list[Section]:
    """The sections of a file that are for a node.

    Args:
        file: the parameter file.
        node: name of the node with namespace, such as ``/front/trust_seg``.

    Raises:
        ParameterError: the file cannot be read, or none of its sections is for that node.
    """
    sections = read_sections(file)
    own = [section for section in sections if section.is_for(node)]
    if not own:
        keys = ", ".join(repr(section.key) for section in sections) or "none"
        raise ParameterError(
            f"parameter file {file} says nothing to the node {node}: its sections are {cut(keys)}, expected "
            f"{node!r} or '/**' with {_SECTION} below it"
        )
    return own


def read_rule(text: str) -> tuple[str, str, RosValue]:
    """Node ("" for every node), name and value of an option ``-p [node:]name:=value``.

    Raises:
        ParameterError: ROS would refuse it.
    """
    rule = _RULE.fullmatch(text)
    if rule is None:
        raise ParameterError(f"parameter {shown(text)}: expected name:=value, for example thresholds.pixel:=0.5")
    node, name, written = rule.groups(default="")
    if not written.strip():
        raise ParameterError(f"parameter {name}: no value after :=; an empty text is written {name}:=\"''\"")
    try:
        documents = load_documents(written, _SCHEMA)
        if len(documents) != 1 or isinstance(documents[0], dict):
            raise _RefusedError("expected a value or a list")
        return node, name, _checked(documents[0])
    except (YamlError, _RefusedError) as error:
        raise ParameterError(f"parameter {name}: {shown(written)} is not a value for ROS: {error}") from error


def rules_for(node: str, texts: Iterable[str]) -> dict[str, RosValue]:
    """Name -> value of the options that are for a node; the last of a name wins.

    Raises:
        ParameterError: ROS would refuse one, or it is for another node.
    """
    values: dict[str, RosValue] = {}
    for text in texts:
        whose, name, value = read_rule(text)
        if whose and node != f"/{whose}":
            raise ParameterError(f"parameter {shown(text)} is for a node /{whose}, this one is {node}")
        values[name] = value
    return values


class _RefusedError(Exception):
    """What ROS, or this reader, refuses; without the file."""


def _value(event: Any) -> RosValue:
    text: str = event.value
    if "\0" in text:
        raise YamlError(f"a value holds a zero byte on {line_of(event)}")
    if event.style in ("'", '"'):
        return text
    if not text:
        raise YamlError(f"there is no value on {line_of(event)}; an empty text is written ''")
    return text if event.tag == "tag:yaml.org,2002:str" else scalar(text)


def _key(event: Any) -> str:
    if not event.value or "\0" in event.value:
        raise YamlError(f"there is no key on {line_of(event)}")
    return str(event.value)


_SCHEMA = Schema(_value, _key, aliases=False)


def scalar(text: str) -> bool | int | float | str:
    """The value of a text without quotes, as C reads numbers: ``017`` is 15, ``1e999`` and ``1_000`` are texts."""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    integer = _number(_C.strtoll, text, 0)
    if integer is not None:
        return int(integer)
    if dotted := _DOTTED.fullmatch(text):
        return float(f"{dotted[1] or ''}{dotted[2] or dotted[3]}")
    double = _number(_C.strtod, text)
    return text if double is None else float(double)


def _number(read: Callable[..., float], text: str, *base: int) -> float | None:
    """The number that a function of C reads from the whole text; None if it refuses or leaves a part of it."""
    content = ctypes.create_string_buffer(text.encode())
    end = ctypes.c_void_p()
    ctypes.set_errno(0)
    number = read(content, ctypes.byref(end), *base)
    whole = end.value == ctypes.addressof(content) + len(content) - 1
    return number if whole and len(content) > 1 and ctypes.get_errno() == 0 else None


def _add_nodes(nodes: dict[str, Any], above: str, found: dict[str, dict[str, RosValue]]) -> None:
    for key, content in nodes.items():
        if key.startswith(_SECTION):
            if not above:
                raise _RefusedError(f"there is no name of a node above {key}; expected {NODE}: or /**:")
            if len(nodes) > 1:
                raise _RefusedError(f"{above} has other entries beside {key}; move them below it")
            _check_node(above)
            if not isinstance(content, dict):
                raise _RefusedError(f"{key} of {above} is {shown(content)}, expected names and values")
            _add_values(content, "", found.setdefault(above, {}), above)
            continue
        name = above + ("" if not above or above.endswith("/") else "/") + key
        if above and "/" in key:
            raise _RefusedError(f"{key!r} below {above!r} holds a slash; write the whole name as one key")
        if not isinstance(content, dict):
            raise _RefusedError(
                f"{name} has no {_SECTION}: found {shown(content)}, expected names and values below {_SECTION}"
            )
        _add_nodes(content, name, found)


def _check_node(name: str) -> None:
    if not all(_TOKEN.fullmatch(token) for token in name.removeprefix("/").split("/")):
        raise _RefusedError(
            f"{shown(name)} is no name of a node: expected letters, digits and _ between slashes, or * and **"
        )


def _add_values(group: dict[str, Any], prefix: str, values: dict[str, RosValue], node: str) -> None:
    for key, content in group.items():
        name = prefix + key
        if isinstance(content, dict):
            if not content:
                raise _RefusedError(f"{name} of {node} is an empty group; remove it")
            if prefix and "." in key:
                raise _RefusedError(f"{name} of {node}: the group {key!r} holds a dot; write a group for each part")
            _add_values(content, f"{name}.", values, node)
            continue
        if name in values:
            raise _RefusedError(f"{name} of {node} is given twice; remove one")
        try:
            values[name] = _checked(content)
        except _RefusedError as error:
            raise _RefusedError(f"{name} of {node} is {shown(content)}: {error}") from None


def _checked(value: Any) -> RosValue:
    if not isinstance(value, list):
        return value  # type: ignore[no-any-return]  # a scalar of _value
    if any(isinstance(item, (list, dict)) for item in value):
        raise _RefusedError("expected a list of numbers, texts or true and false")
    kinds = sorted({type(item).__name__ for item in value})
    if len(kinds) > 1:
        raise _RefusedError(
            f"a list of one type is expected, found {' and '.join(kinds)} (1 is an integer, 1.0 a double)"
        )
    return value
