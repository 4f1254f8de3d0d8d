"""The node's parameters for a replay, from the same YAML files and ``-p`` options that the node takes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from trust_seg_ros.node.parameter import ParameterError
from trust_seg_ros.node.parameters import BY_NAME
from trust_seg_ros.node.settings import NodeSettings, settings_from

NODE = "trust_seg"
_NOT_OURS = ("use_sim_time", "qos_overrides", "start_type_description_service")


def replay_parameters(file: Path | None, single: Iterable[str]) -> NodeSettings:
    """Settings from a parameter file and from single parameters, which override the file.

    Args:
        file: YAML as ROS 2 takes it with ``--params-file``; None for the defaults.
        single: ``name:=value``, as with ``-p``.

    Raises:
        ParameterError: the file cannot be read, or a name or value is wrong.
    """
    values = {} if file is None else read_parameters(file)
    for text in single:
        name, separator, value = text.partition(":=")
        if not separator:
            raise ParameterError(f"parameter {text!r}: expected name:=value, for example thresholds.pixel:=0.5")
        values[name] = _value(name, value)
    for name in values:
        _check_name(name)
    return settings_from(values)


def read_parameters(file: Path) -> dict[str, Any]:
    """Name -> value of the node's parameters in a YAML file; first the ones for every node, then the node's own.

    Raises:
        ParameterError: the file cannot be read, or is not a parameter file.
    """
    try:
        loaded = yaml.safe_load(file.expanduser().read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ParameterError(f"parameter file {file} cannot be read: {error}") from error
    if not isinstance(loaded, Mapping):
        raise ParameterError(f"parameter file {file}: expected nodes with ros__parameters, as in config/trust_seg.yaml")
    values: dict[str, Any] = {}
    for node in sorted(loaded, key=lambda name: str(name) != "/**"):
        if str(node) == "/**" or str(node).rpartition("/")[2] == NODE:
            section = loaded[node]
            if not isinstance(section, Mapping) or not isinstance(section.get("ros__parameters"), Mapping):
                raise ParameterError(f"parameter file {file}: {node} has no ros__parameters")
            own = _flat(section["ros__parameters"])
            # /** is for other nodes, too: a name unlike any of ours belongs to them, a similar one is a typo
            values.update({n: v for n, v in own.items() if str(node) != "/**" or n in BY_NAME or _alike(n)})
    return {name: value for name, value in values.items() if name.partition(".")[0] not in _NOT_OURS}


def _flat(section: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in section.items():
        values.update(_flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value})
    return values


def _value(name: str, text: str) -> Any:
    parameter = BY_NAME.get(name)
    if parameter is not None and parameter.kind == "string":
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ParameterError(f"parameter {name}: {text!r} is not a YAML value: {error}") from error


def _alike(name: str, cutoff: float = 0.8) -> list[str]:
    return difflib.get_close_matches(name, BY_NAME, 3, cutoff)


def _check_name(name: str) -> None:
    if name not in BY_NAME:
        close = _alike(name, 0.5)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise ParameterError(f"there is no parameter {name!r}{hint} (trust-seg params lists them all)")
