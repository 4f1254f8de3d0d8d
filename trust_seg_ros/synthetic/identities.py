"""Numbers that the objects of a drive keep, whatever frame they are seen in."""

from __future__ import annotations

GROUPS = ("oncoming", "traffic", "walker0", "walker1", "walker2", "walker3", "walker4", "unknown", "thing", "plate")
"""What an object belongs to; within a group its place in the street's plan numbers it."""

_THINGS_OF_DISTRICT = 1 << 12


def object_number(group: str, n: int) -> int:
    """The number of member ``n``, any integer, of one of ``GROUPS``; no two members of any groups share one."""
    return 1 + GROUPS.index(group) + len(GROUPS) * (2 * n if n >= 0 else -2 * n - 1)


def thing_number(group: str, district: int, index: int) -> int:
    """The number of thing ``index`` of a district: of the thing itself, or of the plate on it."""
    return object_number(group, district * _THINGS_OF_DISTRICT + index)
