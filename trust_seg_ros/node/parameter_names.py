"""Names of parameters that the node does not have: misspelt ones, those of ROS, and those of other nodes."""

from __future__ import annotations

from collections.abc import Collection

from trust_seg_ros.support.nearest import nearest

_OF_ROS = ("use_sim_time", "qos_overrides", "start_type_description_service")
_ALIKE = 0.85
_SHORTEST_PART = 6  # shorter ones resemble too much


def is_of_ros(name: str) -> bool:
    """Whether ROS itself reads the parameter on every node."""
    return name.partition(".")[0] in _OF_ROS


def is_misspelt(name: str, known: Collection[str]) -> bool:
    """Whether a name given to nodes of any name was meant for this one.

    ``treshold`` was. ``width`` may belong to another node, though ``model_input.width`` ends in it.
    """
    parts = {part for other in known for part in other.split(".")}
    if "." not in name and (name in parts or len(name) < _SHORTEST_PART):
        return False
    return name not in known and bool(nearest(name, known, _ALIKE))


def suggestion(name: str, known: Collection[str]) -> str:
    """The end of a sentence about an unknown name: ``"; did you mean ood.threshold?"``, or nothing."""
    near = nearest(name, known)
    return f"; did you mean {' or '.join(near)}?" if near else ""
