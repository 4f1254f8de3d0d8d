"""Draws one moment of the street, from far to near."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from trust_seg_ros.synthetic import footprints, layout, movers, people, plants, vehicles
from trust_seg_ros.synthetic.backdrop import draw_backdrop
from trust_seg_ros.synthetic.camera import Camera, depth_code
from trust_seg_ros.synthetic.canvas import Canvas, Sprite
from trust_seg_ros.synthetic.ground import draw_ground
from trust_seg_ros.synthetic.houses import draw_house, sun_shadows
from trust_seg_ros.synthetic.identities import thing_number
from trust_seg_ros.synthetic.settings import (
    BICYCLIST,
    CAR,
    FENCE,
    NO_CLASS,
    PEDESTRIAN,
    POLE,
    SIGN,
    TREE,
    DriveObject,
)  # fmt: skip
from trust_seg_ros.synthetic.survey import Standing
from trust_seg_ros.synthetic.unknowns import unknown

VIEW_M = 140.0


class Scene:
    """Draws the camera's view at place ``s`` and time ``time_s`` into a canvas.

    Attributes:
        kinds: kinds of the unknown objects drawn; number i in the truth is ``kinds[i - 1]``.
        lights: burning lamps in view.
        objects: what was drawn with a number; i in the canvas' ``objects`` is ``objects[i - 1]``. Houses, hedges and
            fences are stuff: without a number.
    """

    def __init__(self, canvas: Canvas, camera: Camera, street: layout.Street, s: float, lit: bool) -> None:
        self.canvas, self.camera, self.street, self.s, self.lit = canvas, camera, street, s, lit
        self.kinds: list[str] = []
        self.lights: list[vehicles.Lamp] = []
        self.objects: list[DriveObject] = []

    def draw(self, crowd: movers.Crowd, wet: float, sun: float) -> None:
        """Everything but the sky."""
        draw_backdrop(self.canvas, self.camera, self.street, self.s)
        draw_ground(self.canvas, self.camera, self.street, self.s, wet)
        sun_shadows(self.canvas, self.camera, self.street, self.s, sun)
        low, high = int(self.s // layout.DISTRICT_M), int((self.s + VIEW_M) // layout.DISTRICT_M)
        districts = {k: self.street.district(k) for k in range(low, high + 1)}
        queue: list[tuple[float, Callable[[], None]]] = []
        for house in (h for d in districts.values() for h in d.houses):
            if self.s + 1 < house.end and house.s < self.s + VIEW_M:
                # sorted by its far end and a fence's length, so that things in front of the wall are drawn later
                queue.append((house.end + 6.0 - self.s, partial(self._house, house)))
        for at, thing in (((k, i), t) for k, d in districts.items() for i, t in enumerate(d.things)):
            if thing.vehicle and crowd.may_park and not crowd.may_park(thing.x, 0.95, thing.s):
                continue
            if thing.last - self.s > self.camera.near + 0.3 and thing.s - self.s < VIEW_M:
                queue.append(((thing.last if thing.outer else thing.s) - self.s, partial(self._thing, thing, at)))
        for vehicle in crowd.vehicles:
            queue.append((vehicle.s - self.s, partial(self._vehicle, vehicle, vehicle.number)))
        for walker in crowd.walkers:
            queue.append((walker.s - self.s, partial(self._walker, walker)))
        for _, action in sorted(queue, key=lambda entry: -entry[0]):
            self.canvas.number = 0
            if self.canvas.survey is not None:
                self.canvas.survey.nothing()
            action()

    def _begin(self, number: int, kind: str, class_id: int) -> None:
        """What is drawn next is the object ``number`` of the drive."""
        self.objects.append(DriveObject(number, kind, class_id))
        self.canvas.number = len(self.objects)
        if self.canvas.survey is not None:
            self.canvas.survey.belongs(self.canvas.number)

    def _stands(self, standing: Standing, z: float) -> None:
        """What is drawn next stands ``z`` metres ahead and is flat."""
        if self.canvas.survey is not None:
            self.canvas.survey.stands(standing)
            self.canvas.survey.flat(z)

    def _place(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        point = self.camera.project(np.array([[x, y, z]]))[0]
        return float(point[0]), float(point[1]), self.camera.focal / z

    def _house(self, house: layout.House) -> None:
        if self.canvas.survey is not None:
            self.canvas.survey.stands(footprints.of_house(house))
        draw_house(self.canvas, self.camera, house, self.s)

    def _vehicle(self, vehicle: vehicles.Vehicle, number: int) -> None:
        if self.canvas.survey is not None:
            self.canvas.survey.stands(footprints.of_vehicle(vehicle, number))
        self._begin(number, vehicle.body, CAR)
        self.lights += vehicles.draw_vehicle(self.canvas, self.camera, vehicle, self.s, self.lit)

    def _thing(self, thing: layout.Thing, at: tuple[int, int]) -> None:
        z = thing.s - self.s
        if thing.vehicle is not None:
            self._vehicle(thing.vehicle, thing_number("thing", *at))
        elif thing.kind in ("fence", "hedge"):
            self._fence(thing, z)
        elif z > self.camera.near:
            column, row, scale = self._place(thing.x, 0, z)
            code, number = depth_code(z), thing_number("thing", *at)
            self._begin(number, thing.kind, TREE if thing.kind == "tree" else POLE)
            if thing.kind == "tree":
                sprite, flip = plants.tree(thing.variant), bool(thing.variant % 2)
                self._stands(footprints.of_tree(thing, sprite, flip, number), z)
                self._blot(column, row, scale * 1.1)
                self.canvas.sprite(sprite, column, row, scale * thing.size, (TREE, code, 0), flip)
            else:
                self._stands(footprints.of_post(thing, number), z)
                self._post(thing, column, row, scale, code, thing_number("plate", *at))

    def _fence(self, thing: layout.Thing, z: float) -> None:
        if thing.kind == "hedge":
            colours, clears = plants.hedge(thing.variant % 6)
            height, label = 0.6 + thing.size, TREE
        else:
            colours, clears, height = plants.fence(thing.variant)
            label = FENCE
        near, end = max(z, self.camera.near), z + 6.0
        if end < near + 0.3:
            return
        cut = (near - z) / 6
        if cut > 0:
            colours, clears = (tuple(t[:, int(cut * t.shape[1]) :] for t in chain) for chain in (colours, clears))
        if self.canvas.survey is not None:
            self.canvas.survey.stands(footprints.of_fence(thing, height))
            self.canvas.survey.wall(thing.x, near, end)
        corners = [[thing.x, height, near], [thing.x, height, end], [thing.x, 0, end], [thing.x, 0, near]]
        code = depth_code(2 / (1 / near + 1 / end))
        self.canvas.cutout(colours, clears, self.camera.project(np.array(corners)), (label, code, 0))

    def _post(self, thing: layout.Thing, column: float, row: float, scale: float, code: int, plate: int) -> None:
        tall = thing.size * scale
        wide = max(0.9, (0.14 if thing.kind == "lamp" else 0.09) * scale) / 2
        grey = 60.0 + 25.0 * (thing.variant % 5)
        tone = (grey, grey, grey * 1.02) if thing.variant % 3 else (52.0, 60.0, 54.0)
        truth = (POLE, code, 0)
        pole = np.array(
            [
                [column - wide, row],
                [column + wide, row],
                [column + wide * 0.8, row - tall],
                [column - wide * 0.8, row - tall],
            ],
            np.float32,
        )
        self.canvas.polygon(pole, tone, truth)
        self.canvas.polygon(
            pole[[0, 0, 3, 3]] + np.array([[0, 0], [wide, 0], [wide, 0], [0, 0]], np.float32),
            tuple(1.35 * c for c in tone),
            None,
        )
        if thing.kind == "lamp":
            reach = -np.sign(thing.x) * 1.3 * scale
            arm = np.array(
                [
                    [column, row - tall],
                    [column + reach, row - tall - 0.25 * scale],
                    [column + reach, row - tall - 0.1 * scale],
                    [column, row - tall + 0.12 * scale],
                ],
                np.float32,
            )
            self.canvas.polygon(arm, tone, truth)
            head = arm[1] + np.array([[-0.3, -0.08], [0.3, -0.08], [0.3, 0.16], [-0.3, 0.16]], np.float32) * scale
            self.canvas.polygon(head, (120.0, 120.0, 116.0), truth)
            if self.lit:
                x, y = float(arm[1, 0]), float(arm[1, 1])
                self.lights.append(vehicles.Lamp(x, y, 1.5 * scale, -1.0, (255.0, 214.0, 150.0)))
        elif thing.kind in ("sign", "light"):
            self._begin(plate, "plate", SIGN)
            self.canvas.sprite(
                people.sign(thing.variant), column, row - tall + 0.4 * scale, scale * 1.05, (SIGN, code, 0)
            )

    def _blot(self, column: float, row: float, wide: float, gain: float = 0.6) -> None:
        """A soft dark spot where something touches the ground."""
        if wide > 9:
            spot = np.array([[-1, 0], [-0.6, -0.22], [0.6, -0.22], [1, 0], [0.6, 0.2], [-0.6, 0.2]], np.float32)
            self.canvas.shadow(spot * (wide * 0.5) + np.array([column, row], np.float32), gain)

    def _walker(self, walker: movers.Walker) -> None:
        z = walker.s - self.s
        column, row, scale = self._place(walker.x, 0, z)
        code = depth_code(z)
        if walker.unknown:
            sprite = unknown(walker.kind, walker.variant)
            wide = sprite.colours[0].shape[1] / sprite.per_metre * scale * walker.size
            self._blot(column, row - 0.02 * scale, wide * 1.15, 0.5)
            if len(self.kinds) < 254:
                self.kinds.append(walker.kind)
                self._figure(walker, sprite, NO_CLASS, (column, row, scale * walker.size), (code, len(self.kinds)))
            return
        drawn, class_id = (people.person, PEDESTRIAN) if walker.kind == "person" else (people.cyclist, BICYCLIST)
        self._blot(column, row, scale)
        self._figure(walker, drawn(walker.variant, walker.step), class_id, (column, row, scale), (code, 0))

    def _figure(
        self,
        walker: movers.Walker,
        sprite: Sprite,
        class_id: int,
        place: tuple[float, float, float],
        code: tuple[int, int],
    ) -> None:
        """``place`` is column, row and scale; ``code`` is that of the depth, and the number among the unknown."""
        self._begin(walker.number, walker.kind, class_id)
        self._stands(footprints.of_walker(walker, sprite), walker.s - self.s)
        self.canvas.sprite(sprite, *place, (class_id, *code), walker.flip)
