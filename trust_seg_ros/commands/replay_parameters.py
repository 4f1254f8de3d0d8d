"""The node's parameters for a replay or the demo, from the same YAML files and ``-p`` options that the node takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from trust_seg_ros.node.parameter import ParameterError
from trust_seg_ros.node.parameter_names import is_misspelt, is_of_ros, suggestion
from trust_seg_ros.node.parameters import BY_NAME
from trust_seg_ros.node.params_file import NODE, RosValue, check_for_node, rules_for
from trust_seg_ros.node.settings import NodeSettings, settings_from
from trust_seg_ros.support.reading import cut


def replay_parameters(file: Path | None, single: Iterable[str], nodes: Sequence[str] = (f"/{NODE}",)) -> NodeSettings:
    """Settings from a parameter file and from single parameters, which override the file.

    Args:
        file: YAML as ROS 2 takes it with ``--params-file``; None for the defaults.
        single: ``name:=value``, as with ``-p``.
        nodes: names with namespaces of the nodes that these settings stand for; at least one.

    Raises:
        ParameterError: the file cannot be read, says nothing to one of the nodes or different things to them, or a
            name or value is wrong.
    """
    values = {} if file is None else _same_for(nodes, file)
    values |= rules_for(nodes[0], single)
    for name in values:
        if name not in BY_NAME and not is_of_ros(name):
            raise ParameterError(
                f"there is no parameter {name!r}{suggestion(name, BY_NAME)} (trust-seg params lists them all)"
            )
    return settings_from(values)


def _same_for(nodes: Sequence[str], file: Path) -> dict[str, RosValue]:
    first, *others = (read_parameters(file, node) for node in nodes)
    for node, values in zip(nodes[1:], others, strict=True):
        if differing := sorted(name for name in {**first, **values} if first.get(name) != values.get(name)):
            raise ParameterError(
                f"parameter file {file} gives {nodes[0]} and {node} different values of {cut(', '.join(differing))}; "
                "replay these cameras one by one"
            )
    return first


def read_parameters(file: Path, node: str = f"/{NODE}") -> dict[str, RosValue]:
    """Name -> value of the parameters for a node in a YAML file; later sections override earlier ones.

    Names in sections for nodes of any name (``/**``) that resemble none of the node's belong to other nodes and are
    left out.

    Raises:
        ParameterError: the file cannot be read, is not a parameter file, or says nothing to the node.
    """
    values: dict[str, RosValue] = {}
    for section in check_for_node(file, node):
        values |= {
            name: value
            for name, value in section.values.items()
            if not section.shared or name in BY_NAME or is_misspelt(name, BY_NAME)
        }
    return {name: value for name, value in values.items() if not is_of_ros(name)}
