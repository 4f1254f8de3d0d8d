"""Roles of classes, and P(hazard) of pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged_grids import CAR, NAMES, PAVEMENT, ROAD, SKY, judged

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.hazards import HazardMaps, HazardSettings, hazard_maps, reference_maps
from trust_seg_ros.ground.roles import FLAT, GROUND, IGNORED, OBSTACLE, ClassRoles

ROLES = ClassRoles.of(NAMES)
CLASSES = np.array([[SKY, SKY, CAR, 255], [ROAD, ROAD, PAVEMENT, PAVEMENT]], np.uint8)


def test_well_known_names_have_their_roles() -> None:
    names = ("Road", "lane_marking", "road, route", "sidewalk;pavement", "Terrain", "sky", "car", "traffic-sign")
    assert ClassRoles.of(names).table[:8].tolist() == [GROUND] * 3 + [FLAT] * 2 + [IGNORED] + [OBSTACLE] * 2
    assert (ClassRoles.of(names).table[8:] == OBSTACLE).all()


def test_given_names_come_before_well_known_ones() -> None:
    roles = ClassRoles.of(("road", "grass", "dirt track", "sky"), ground=["Dirt-Track", "grass"])
    assert roles.table[:4].tolist() == [OBSTACLE, GROUND, GROUND, IGNORED]
    assert ClassRoles.of(("road", "sky"), ignored=[]).table[:2].tolist() == [GROUND, OBSTACLE]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ClassRoles.of(("car", "sky")), "none of the classes car, sky"),
        (lambda: ClassRoles.of(("road", "sky"), flat=["lawn"]), "'lawn' is none of the network's"),
        (lambda: ClassRoles.of(("road", "sky"), ground=["road"], flat=["road"]), "two roles"),
        (lambda: ClassRoles.of(["road"] * 256), "at most 255"),
        (lambda: ClassRoles(np.zeros(256, np.uint8)), "at least one"),
        (lambda: ClassRoles(np.full(256, GROUND)), "class 255"),
        (lambda: ClassRoles(np.zeros(3)), "256 numbers"),
        (lambda: HazardSettings(floor=float("nan")), "floor"),
        (lambda: HazardSettings(entropy_weight=2), "entropy_weight"),
        (lambda: HazardMaps(*(np.zeros(s, np.uint8) for s in ((2, 2), (2, 2), (2, 3), (2, 2)))), "one size"),
    ],
)
def test_what_cannot_be_used_is_refused(make, text: str) -> None:
    with pytest.raises(GroundError, match=text):
        make()


def test_ground_is_as_doubtful_as_the_worst_that_is_said_of_it() -> None:
    entropy = np.array([[0, 0, 0.9, 1], [0.1, 0.6, 0.0, 0.0]])
    maps = hazard_maps(judged(CLASSES, entropy, {ROAD: 0.3, CAR: 0.4}), ROLES)
    assert maps.p[1] == pytest.approx([0.3, 0.6, 0, 0])
    assert maps.kind[1].tolist() == [0, 0, 0, 0]
    assert maps.p[0] == pytest.approx([0, 0, 0.8, 0.5]), "the sky; a car that may be something else; nothing known"
    assert maps.kind[0].tolist() == [0, 0, 1, 2]
    assert maps.trusted_ground.tolist() == [[False] * 4, [True, True, False, False]]


def test_flagged_ground_is_a_hazard_of_its_own_kind() -> None:
    zero = np.zeros((2, 4))
    maps = hazard_maps(judged(CLASSES, zero, {ROAD: 0.7}, unreliable=(ROAD, CAR)), ROLES)
    assert maps.kind.tolist() == [[0, 0, 2, 2], [2, 2, 0, 0]]
    assert maps.p[1, 0] == pytest.approx(0.7)


def test_kept_unknown_objects_are_hazards_and_false_alarms_only_doubt() -> None:
    zero, ood = np.zeros((2, 4)), np.array([[0, 0, 0, 0], [1, 2, 3, 4]])
    frame = judged(CLASSES, zero, ood=ood, p_ood=[0.8, 0.2, np.nan, np.nan], kept=[True, False, True, False])
    maps = hazard_maps(frame, ROLES)
    assert maps.kind[1].tolist() == [3, 0, 3, 0]
    assert maps.p[1] == pytest.approx([0.8, 0.2, 0.5, 0.0]), "one that nobody judged is kept at the floor"


def test_an_unreliable_obstacle_is_still_an_obstacle() -> None:
    for p_wrong in (0.0, 0.5, 1.0):
        maps = hazard_maps(judged(CLASSES, np.zeros((2, 4)), {CAR: p_wrong}), ROLES, HazardSettings(floor=0.6))
        assert maps.p[0, 2] == pytest.approx(1 - 0.4 * p_wrong)


def test_without_trust_and_unknown_objects_the_entropy_speaks_alone() -> None:
    frame = judged(CLASSES, np.full((2, 4), 0.25))
    bare = type(frame)(frame.maps)
    maps = hazard_maps(bare, ROLES, HazardSettings(entropy_weight=0.5))
    assert maps.p[1] == pytest.approx(0.125)
    assert maps.kind.tolist() == [[0, 0, 1, 2], [0, 0, 0, 0]]


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1))
def test_the_kernel_does_what_the_reference_says(seed: int, floor: float, weight: float) -> None:
    rng = np.random.default_rng(seed)
    classes = rng.choice(np.array([0, 1, 2, 3, 255], np.uint8), (20, 13))
    p = dict(enumerate(rng.random(4)))
    frame = judged(
        classes, rng.random((20, 13)), p, (int(rng.integers(4)),), rng.integers(0, 4, (20, 13)), list(rng.random(3)),
        list(rng.random(3) < 0.5),
    )  # fmt: skip
    settings = HazardSettings(floor, weight)
    fast, plain = hazard_maps(frame, ROLES, settings, threads=2), reference_maps(frame, ROLES, settings)
    assert np.array_equal(fast.kind, plain.kind)
    assert np.array_equal(fast.role, plain.role)
    assert np.allclose(fast.p, plain.p, atol=1e-6)
