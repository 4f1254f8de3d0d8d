"""What the things of a street cover on the ground."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.ground.placing import Pose
from trust_seg_ros.synthetic import movers
from trust_seg_ros.synthetic.canvas import Sprite
from trust_seg_ros.synthetic.ground_truth import Footprint
from trust_seg_ros.synthetic.houses import DEPTH_M
from trust_seg_ros.synthetic.layout import House, Thing
from trust_seg_ros.synthetic.settings import BICYCLIST, BUILDING, CAR, FENCE, NO_CLASS, PEDESTRIAN, POLE, TREE
from trust_seg_ros.synthetic.survey import Standing, Survey, rectangle
from trust_seg_ros.synthetic.vehicle_mesh import BODIES
from trust_seg_ros.synthetic.vehicles import Vehicle

_DEEP_M = {
    "deer": 0.5, "cow": 0.7, "dog": 0.3, "sheep": 0.5, "box": 0.5, "tyre": 0.6, "debris": 0.8, "sofa": 0.9,
    "ladder": 0.4, "barrel": 0.6, "ball": 0.5, "crate": 0.6, "suitcase": 0.3, "trolley": 0.6, "person": 0.4,
}  # fmt: skip
"""How far flat figures reach away from the camera."""


def of_vehicle(vehicle: Vehicle, number: int) -> Standing:
    """A rectangle from bumper to bumper."""
    length, width, *outlines = BODIES[vehicle.body]
    corners = rectangle(vehicle.x - width / 2, vehicle.x + width / 2, vehicle.s, vehicle.s + length)
    return Standing(number, vehicle.body, CAR, corners, max(h for line in outlines for _, h in line))


def of_house(house: House) -> Standing:
    """The whole ground of the house."""
    corners = rectangle(house.x, house.x + float(np.sign(house.x)) * DEPTH_M, house.s, house.end)
    return Standing(0, "house", BUILDING, corners, house.height + house.roof)


def of_fence(thing: Thing, height: float) -> Standing:
    """A long rectangle, a hand thick for fences and as hedges are; its side to the road is what is drawn."""
    deep = 0.6 if thing.kind == "hedge" else 0.1
    corners = rectangle(thing.x, thing.x + float(np.sign(thing.x)) * deep, thing.s, thing.s + 6.0)
    return Standing(0, thing.kind, TREE if thing.kind == "hedge" else FENCE, corners, height)


def of_post(thing: Thing, number: int) -> Standing:
    """A pole, with or without a lamp, a sign or a light on it."""
    wide = 0.14 if thing.kind == "lamp" else 0.09
    corners = rectangle(thing.x - wide / 2, thing.x + wide / 2, thing.s, thing.s + wide)
    return Standing(number, thing.kind, POLE, corners, thing.size)


def of_tree(thing: Thing, sprite: Sprite, flip: bool, number: int) -> Standing:
    """The foot of its trunk."""
    left, right = sprite.width_m(0.04, thing.size, flip)
    corners = rectangle(thing.x + left, thing.x + right, thing.s, thing.s + right - left)
    return Standing(number, "tree", TREE, corners, sprite.height_m * thing.size)


def of_walker(walker: movers.Walker, sprite: Sprite) -> Standing:
    """A person, a cyclist or an unknown object, from where it is drawn."""
    left, right = sprite.width_m(1.0, walker.size, walker.flip)
    deep = _DEEP_M.get(walker.kind, 0.5 if walker.step else 1.7) * walker.size
    class_id = NO_CLASS if walker.unknown else PEDESTRIAN if walker.kind == "person" else BICYCLIST
    corners = rectangle(walker.x + left, walker.x + right, walker.s, walker.s + deep)
    return Standing(walker.number, walker.kind, class_id, corners, sprite.height_m * walker.size)


def footprints(survey: Survey, surfaces: np.ndarray, base_in_fixed: Pose) -> tuple[Footprint, ...]:
    """All that stands on the street, in the base frame; ``surfaces`` (H, W) is what the pixels of the camera show."""
    back = base_in_fixed.inverse()
    found = []
    for one, pixels in zip(survey.standing, survey.pixels(surfaces).tolist(), strict=True):
        fixed = np.column_stack([one.corners[:, 1], -one.corners[:, 0], np.zeros(len(one.corners))])
        polygon = back.apply(fixed)[:, :2]
        found.append(Footprint(one.number, one.kind, one.class_id, polygon, one.height, pixels))
    return tuple(found)
