"""What the classes of a network are to a vehicle: ground to drive on, flat ground beside it, obstacles, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.types.maps import UNLABELLED

IGNORED, GROUND, FLAT, OBSTACLE = range(4)
"""Roles of a class: nothing that stands anywhere (the sky); ground that may be driven on; flat ground that things stand
on, but that is neither free nor a hazard; everything else."""

GROUND_NAMES = frozenset(
    (
        "road", "roads", "street", "route", "asphalt", "lane", "lane marking", "lane markings", "lanemarking",
        "road marking", "road markings", "roadmarking", "lane marking general", "lane marking crosswalk",
        "crosswalk", "crosswalk plain", "zebra crossing", "drivable", "drivable area", "driveable area",
        "drivable surface", "driveable surface", "service lane", "bike lane", "manhole", "catch basin",
    )
)  # fmt: skip
FLAT_NAMES = frozenset(
    (
        "pavement", "sidewalk", "footpath", "footway", "path", "terrain", "grass", "ground", "earth", "dirt",
        "dirt track", "sand", "gravel", "field", "floor", "parking", "rail track", "curb", "kerb", "curb cut",
        "pedestrian area", "other ground", "other flat", "non drivable", "traffic island", "snow", "land",
    )
)  # fmt: skip
IGNORED_NAMES = frozenset(("sky",))


@dataclass(frozen=True, eq=False)
class ClassRoles:
    """The role of every class id.

    Attributes:
        table: (256,) uint8, class id -> ``IGNORED``, ``GROUND``, ``FLAT`` or ``OBSTACLE``; ``UNLABELLED`` is an
            obstacle: nothing is known of it.

    Raises:
        GroundError: another shape, an unknown role, no class that is ground, or ``UNLABELLED`` as another role.
    """

    table: np.ndarray

    def __post_init__(self) -> None:
        table = np.asarray(self.table)
        if table.shape != (256,) or table.min() < IGNORED or table.max() > OBSTACLE:
            raise GroundError(f"roles of classes {table.shape}: expected 256 numbers from {IGNORED} to {OBSTACLE}")
        if not (table == GROUND).any() or table[UNLABELLED] != OBSTACLE:
            raise GroundError("roles of classes: expected at least one that is ground, and class 255 as an obstacle")
        object.__setattr__(self, "table", table.astype(np.uint8))

    def __repr__(self) -> str:
        found = [np.flatnonzero(self.table == role).tolist() for role in (GROUND, FLAT, IGNORED)]
        return "ClassRoles(ground {}, flat {}, ignored {})".format(*found)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        ground: Iterable[str] | None = None,
        flat: Iterable[str] | None = None,
        ignored: Iterable[str] | None = None,
    ) -> ClassRoles:
        """The roles of a network's classes.

        Names are compared without regard to case, ``_`` and ``-``; "road, route" is both.

        Args:
            names: of the classes, in the order of their ids, at most 255.
            ground, flat, ignored: names of the classes with these roles; None = by well-known names, as far as the
                other two do not claim them.

        Raises:
            GroundError: a name that no class has or that has two roles, no class that is ground, or too many classes.
        """
        if len(names) > UNLABELLED:
            raise GroundError(f"{len(names)} classes: expected at most {UNLABELLED}")
        given = {GROUND: ground, FLAT: flat, IGNORED: ignored}
        table = np.full(256, OBSTACLE, np.uint8)
        for role, known in ((IGNORED, IGNORED_NAMES), (FLAT, FLAT_NAMES), (GROUND, GROUND_NAMES)):
            if given[role] is None:
                table[[i for i, name in enumerate(names) if _parts(name) & known]] = role
        claimed: set[int] = set()
        for role, wanted in given.items():
            ids = {i for name in wanted or () for i in _classes_named(name, names)}
            if twice := ids & claimed:
                raise GroundError(f"class {names[min(twice)]!r} has two roles: expected it in one of the lists")
            table[list(ids)] = role
            claimed |= ids
        if not (table == GROUND).any():
            raise GroundError(f"none of the classes {', '.join(names)} is known as ground: name those to drive on")
        return cls(table)


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())


def _parts(name: str) -> set[str]:
    """The names in a name: data sets write "road, route" or "earth;ground"."""
    return {_plain(part) for part in name.replace(";", ",").split(",")}


def _classes_named(wanted: str, names: Sequence[str]) -> list[int]:
    found = [i for i, name in enumerate(names) if _plain(name) == _plain(wanted) or _plain(wanted) in _parts(name)]
    if not found:
        raise GroundError(f"class {wanted!r} is none of the network's: {', '.join(names)}")
    return found
