"""From a judged frame to P(hazard) of every pixel.

Of a pixel of ground, a hazard is that the ground is not there: P = max(P(wrong) of its segment, P(OoD) of the OoD
segment it lies in, ``entropy_weight`` times its entropy). Of a pixel of an obstacle, it is that something stands there:
the class may be wrong with P(wrong), and then something else stands there with ``floor``, so
P = 1 - (1 - floor) P(wrong), and at least P(OoD).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground import hazard_kernels
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.roles import FLAT, GROUND, OBSTACLE, ClassRoles
from trust_seg_ros.types import UNLABELLED, GridFrame, OodSegments, SegmentTable, SegmentTrust
from trust_seg_ros.uncertainty.threads import run_bands

NO_HAZARD, AN_OBSTACLE, UNRELIABLE, OUT_OF_DISTRIBUTION = range(4)
"""Kinds of a hazard: none; a class that is an obstacle; a segment flagged as unreliable, or without a class; an OoD
segment that was kept. The later ones win."""
KIND_NAMES = ("none", "obstacle", "unreliable", "out of distribution")


@dataclass(frozen=True)
class HazardSettings:
    """How P(hazard) comes from a judged frame.

    Attributes:
        floor: P that something stands where an obstacle was named wrongly, in [0, 1]; also P of what has no class, and
            of OoD segments that no meta model judged.
        entropy_weight: what a pixel's entropy (in [0, 1]) counts on the ground, in [0, 1].

    Raises:
        GroundError: a value is out of range.
    """

    floor: float = 0.5
    entropy_weight: float = 1.0

    def __post_init__(self) -> None:
        for name in ("floor", "entropy_weight"):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0.0 <= value <= 1.0):
                raise GroundError(f"{name} = {value}: expected a number from 0 to 1")


@dataclass(frozen=True, eq=False)
class HazardMaps:
    """What every pixel of the judging grid (H', W') means to a vehicle.

    Attributes:
        role: uint8, see ``roles``.
        p: float32 in [0, 1], P(hazard).
        classes: uint8 predicted class.
        kind: uint8 kind of hazard, see ``KIND_NAMES``; 0 for trusted ground, trusted flat ground and the sky.
    """

    role: np.ndarray
    p: np.ndarray
    classes: np.ndarray
    kind: np.ndarray

    def __post_init__(self) -> None:
        shapes = [getattr(self, name).shape for name in ("role", "p", "classes", "kind")]
        if len(set(shapes)) != 1 or len(shapes[0]) != 2 or 0 in shapes[0]:
            raise GroundError(f"maps of hazards {shapes}: expected four of one size (H', W')")

    def __repr__(self) -> str:
        height, width = self.size
        return f"HazardMaps({width}×{height}, {100 * float((self.kind > 0).mean()):.1f} % hazards)"

    @property
    def size(self) -> tuple[int, int]:
        """(H', W')."""
        height, width = self.role.shape
        return height, width

    @property
    def trusted_ground(self) -> np.ndarray:
        """(H', W') bool, ground that nothing speaks against."""
        found: np.ndarray = (self.role == GROUND) & (self.kind == NO_HAZARD)
        return found


@dataclass(frozen=True, eq=False)
class _Lookup:
    """P and flag by number of a segment, number 0 = none.

    Attributes:
        ids: (H', W') int32.
        p: (n + 1,) float32.
        flagged: (n + 1,) bool.
    """

    ids: np.ndarray
    p: np.ndarray
    flagged: np.ndarray


def hazard_maps(
    result: GridFrame, roles: ClassRoles, settings: HazardSettings | None = None, threads: int | None = None
) -> HazardMaps:
    """P(hazard) and its kind for every pixel.

    Args:
        result: on the grid that it was judged on; without trust or OoD segments, the other parts speak alone.
        roles: of the network's classes.
        settings: None = the defaults.
        threads: how many threads work; None for one per core, at most 8.
    """
    settings = settings or HazardSettings()
    classes, entropy = result.maps.classes.numpy(), result.maps.entropy.numpy()
    numbers, by_number = _by_segment(result, roles, settings)
    ood = _of_ood(result.ood, settings.floor, classes.shape)
    ood_kinds = np.where(ood.flagged, OUT_OF_DISTRIBUTION, NO_HAZARD).astype(np.uint8)
    role, kind, p = np.empty_like(classes), np.empty_like(classes), np.empty(classes.shape, np.float32)

    def band(first: int, last: int) -> None:
        part = slice(first, last)
        found = (role[part], p[part], kind[part])
        hazard_kernels.fill(entropy[part], numbers[part], *by_number, ood.ids[part], ood.p, ood_kinds, *found)

    run_bands(band, len(classes), threads)
    return HazardMaps(role, p, classes, kind)


def _by_segment(
    result: GridFrame, roles: ClassRoles, settings: HazardSettings
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Numbers of segments (H', W'), and by number: role, P(hazard) but for the entropy, its weight, and kind.

    All pixels of a segment have one class; without segments, the classes are the numbers.
    """
    table, trust = result.segments, result.trust
    if table is None:
        numbers, classes = result.maps.classes.numpy(), np.arange(256)
        wrong = _Lookup(numbers, np.zeros(256, np.float32), np.zeros(256, bool))
    else:
        numbers, classes = table.ids, np.concatenate([[UNLABELLED], table.class_ids])
        wrong = _of_segments(table, trust, numbers.shape)
        if trust is None:
            wrong = _Lookup(numbers, np.zeros(len(classes), np.float32), np.zeros(len(classes), bool))
    role = roles.table[classes]
    floor, ground = np.float32(settings.floor), (role == GROUND) | (role == FLAT)
    standing = np.where(classes == UNLABELLED, floor, np.float32(1) - (np.float32(1) - floor) * wrong.p)
    values = np.where(role == OBSTACLE, standing, wrong.p).astype(np.float32)
    kinds = np.where(role == OBSTACLE, AN_OBSTACLE, NO_HAZARD)
    kinds = np.where(wrong.flagged | (classes == UNLABELLED), UNRELIABLE, kinds).astype(np.uint8)
    return numbers, (role, values, np.where(ground, settings.entropy_weight, 0.0).astype(np.float32), kinds)


def reference_maps(result: GridFrame, roles: ClassRoles, settings: HazardSettings) -> HazardMaps:
    """The same as :func:`hazard_maps`, as it is defined."""
    classes, entropy = result.maps.classes.numpy(), result.maps.entropy.numpy()
    wrong = _of_segments(result.segments, result.trust, classes.shape)
    ood = _of_ood(result.ood, settings.floor, classes.shape)
    role, p_wrong, p_ood = roles.table[classes], wrong.p[wrong.ids], ood.p[ood.ids]
    floor, weight = np.float32(settings.floor), np.float32(settings.entropy_weight)
    on_ground = np.maximum(p_wrong, weight * entropy)
    standing = np.where(classes == UNLABELLED, floor, np.float32(1) - (np.float32(1) - floor) * p_wrong)
    p = np.where((role == GROUND) | (role == FLAT), on_ground, np.where(role == OBSTACLE, standing, p_wrong))
    kind = np.where(role == OBSTACLE, AN_OBSTACLE, NO_HAZARD)
    kind = np.where(wrong.flagged[wrong.ids] | (classes == UNLABELLED), UNRELIABLE, kind)
    kind = np.where(ood.flagged[ood.ids], OUT_OF_DISTRIBUTION, kind)
    return HazardMaps(role, np.maximum(p, p_ood).astype(np.float32), classes, kind.astype(np.uint8))


def _of_segments(table: SegmentTable | None, trust: SegmentTrust | None, size: tuple[int, ...]) -> _Lookup:
    if table is None or trust is None:
        return _nothing(size)
    return _Lookup(table.ids, _from_one(trust.p_wrong, 0.0), _from_one(trust.unreliable, False).astype(bool))


def _of_ood(ood: OodSegments | None, floor: float, size: tuple[int, ...]) -> _Lookup:
    if ood is None:
        return _nothing(size)
    p = np.full(len(ood.kept), np.nan) if ood.p_ood is None else ood.p_ood
    known = np.isfinite(p) if ood.outside is None else np.isfinite(p) & ~ood.outside
    # a kept one that was not judged, or beyond what the judge knows, is one all the same
    p = np.where(known, p, np.where(ood.kept, np.fmax(p, floor), 0.0))
    return _Lookup(ood.ids, _from_one(p, 0.0), _from_one(ood.kept, False).astype(bool))


def _from_one(values: np.ndarray, none: float) -> np.ndarray:
    return np.concatenate([[none], np.asarray(values, np.float64)]).astype(np.float32)


def _nothing(size: tuple[int, ...]) -> _Lookup:
    """No segment anywhere; one row of memory stands for all."""
    ids = np.broadcast_to(np.zeros((1, size[1]), np.int32), size)
    return _Lookup(ids, np.zeros(1, np.float32), np.zeros(1, bool))
