"""Draws one moment of the street, from far to near."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from trust_seg_ros.datasets.synthetic import layout, movers, people, plants, textures, vehicles
from trust_seg_ros.datasets.synthetic.backdrop import draw_backdrop
from trust_seg_ros.datasets.synthetic.camera import Camera, depth_code
from trust_seg_ros.datasets.synthetic.canvas import Canvas
from trust_seg_ros.datasets.synthetic.ground import draw_ground
from trust_seg_ros.datasets.synthetic.settings import (
    BICYCLIST,
    BUILDING,
    FENCE,
    NO_CLASS,
    PEDESTRIAN,
    POLE,
    SIGN,
    TREE,
)  # fmt: skip
from trust_seg_ros.datasets.synthetic.unknowns import unknown

VIEW_M = 140.0


class Scene:
    """Draws into a canvas what the camera sees at place ``s`` and time ``time_s``.

    Attributes:
        kinds: kind of the unknown objects drawn; number i in the truth is ``kinds[i - 1]``.
        lights: burning lamps in view.
    """

    def __init__(self, canvas: Canvas, camera: Camera, street: layout.Street, s: float, lit: bool) -> None:
        self.canvas, self.camera, self.street, self.s, self.lit = canvas, camera, street, s, lit
        self.kinds: list[str] = []
        self.lights: list[vehicles.Lamp] = []

    def draw(self, time_s: float, speed: float, unknowns: tuple[str, ...], rate: float, wet: float, sun: float) -> None:
        """Everything but the sky."""
        draw_backdrop(self.canvas, self.camera, self.street, self.s)
        draw_ground(self.canvas, self.camera, self.street, self.s, wet)
        sun_shadows(self.canvas, self.camera, self.street, self.s, sun)
        low, high = int(self.s // layout.DISTRICT_M), int((self.s + VIEW_M) // layout.DISTRICT_M)
        districts = [self.street.district(k) for k in range(low, high + 1)]
        queue: list[tuple[float, Callable[[], None]]] = []
        for house in (h for d in districts for h in d.houses):
            if self.s + 1 < house.end and house.s < self.s + VIEW_M:
                # by its far end and a fence's length: what stands before the wall comes later
                queue.append((house.end + 6.0 - self.s, partial(self._house, house)))
        for thing in (t for d in districts for t in d.things):
            if thing.last - self.s > 1.5 and thing.s - self.s < VIEW_M:
                queue.append(((thing.last if thing.outer else thing.s) - self.s, partial(self._thing, thing)))
        for vehicle in movers.vehicles(self.street, self.s, time_s, speed):
            queue.append((vehicle.s - self.s, partial(self._vehicle, vehicle)))
        for walker in movers.walkers(self.street, self.s, time_s):
            queue.append((walker.s - self.s, partial(self._walker, walker)))
        for walker in movers.unknown_things(self.street, self.s, time_s, unknowns, rate):
            queue.append((walker.s - self.s, partial(self._walker, walker)))
        for _, action in sorted(queue, key=lambda entry: -entry[0]):
            action()

    def _place(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        point = self.camera.project(np.array([[x, y, z]]))[0]
        return float(point[0]), float(point[1]), self.camera.focal / z

    def _house(self, house: layout.House) -> None:
        chain, _, _ = textures.facade(house.variant, house.shade)
        side = np.sign(house.x)
        z0, z1, h = house.s - self.s, house.end - self.s, house.height
        wall = chain[-1].reshape(-1, 3).mean(0)
        back = house.x + side * 9.0
        if z0 > self.camera.near:
            gable = [[house.x, 0, z0], [back, 0, z0], [back, h, z0]]
            gable += [[house.x + side * 4.5, h + house.roof, z0]] * bool(house.roof) + [[house.x, h, z0]]
            pixels = self.camera.project(np.array(gable, np.float64))
            tone = tuple(float(v) for v in wall * (0.72 if house.shade else 0.9))
            self.canvas.polygon(pixels, tone, (BUILDING, depth_code(z0), 0))
        near = max(z0, self.camera.near)
        if house.roof:
            ridge = house.x + side * 4.5
            roof = [[house.x, h, near], [house.x, h, z1], [ridge, h + house.roof, z1], [ridge, h + house.roof, near]]
            self.canvas.polygon(self.camera.project(np.array(roof)), house.roof_rgb, (BUILDING, depth_code(near), 0))
        if z0 < near:  # what is behind the camera is cut off the texture
            cut = (near - z0) / (z1 - z0)
            chain = tuple(t[:, int(cut * t.shape[1]) :] for t in chain if int(cut * t.shape[1]) < t.shape[1] - 1)
            if not chain:
                return
        corners = np.array([[house.x, h, near], [house.x, h, z1], [house.x, 0, z1], [house.x, 0, near]])
        self.canvas.textured(chain, self.camera.project(corners))
        pieces = 1 if near > 50 else 4
        cuts = 1 / np.linspace(1 / near, 1 / z1, pieces + 1)
        top = self.camera.project(np.stack([np.full(pieces + 1, house.x), np.full(pieces + 1, h), cuts], 1))
        low = self.camera.project(np.stack([np.full(pieces + 1, house.x), np.zeros(pieces + 1), cuts], 1))
        for k in range(pieces):
            piece = np.stack([top[k], top[k + 1], low[k + 1], low[k]])
            self.canvas.mark(piece, (BUILDING, depth_code((cuts[k] + cuts[k + 1]) / 2), 0))

    def _vehicle(self, vehicle: vehicles.Vehicle) -> None:
        self.lights += vehicles.draw_vehicle(self.canvas, self.camera, vehicle, self.s, self.lit)

    def _thing(self, thing: layout.Thing) -> None:
        z = thing.s - self.s
        if thing.vehicle is not None:
            self._vehicle(thing.vehicle)
        elif thing.kind in ("fence", "hedge"):
            self._fence(thing, z)
        elif z > self.camera.near:
            column, row, scale = self._place(thing.x, 0, z)
            code = depth_code(z)
            if thing.kind == "tree":
                self._blot(column, row, scale * 1.1)
                self.canvas.sprite(
                    plants.tree(thing.variant),
                    column,
                    row,
                    scale * thing.size,
                    (TREE, code, 0),
                    bool(thing.variant % 2),
                )
            else:
                self._post(thing, column, row, scale, code)

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
        corners = [[thing.x, height, near], [thing.x, height, end], [thing.x, 0, end], [thing.x, 0, near]]
        code = depth_code(2 / (1 / near + 1 / end))
        self.canvas.cutout(colours, clears, self.camera.project(np.array(corners)), (label, code, 0))

    def _post(self, thing: layout.Thing, column: float, row: float, scale: float, code: int) -> None:
        tall = thing.size * scale
        wide = max(0.9, (0.14 if thing.kind == "lamp" else 0.09) * scale) / 2
        grey = 60.0 + 25.0 * (thing.variant % 5)
        tone = (grey, grey, grey * 1.02) if thing.variant % 3 else (52.0, 60.0, 54.0)
        truth = (POLE, code, 0)
        pole = np.float32(
            [
                [column - wide, row],
                [column + wide, row],
                [column + wide * 0.8, row - tall],
                [column - wide * 0.8, row - tall],
            ]
        )
        self.canvas.polygon(pole, tone, truth)
        self.canvas.polygon(
            pole[[0, 0, 3, 3]] + np.float32([[0, 0], [wide, 0], [wide, 0], [0, 0]]), tuple(1.35 * c for c in tone), None
        )
        if thing.kind == "lamp":
            reach = -np.sign(thing.x) * 1.3 * scale
            arm = np.float32(
                [
                    [column, row - tall],
                    [column + reach, row - tall - 0.25 * scale],
                    [column + reach, row - tall - 0.1 * scale],
                    [column, row - tall + 0.12 * scale],
                ]
            )
            self.canvas.polygon(arm, tone, truth)
            head = arm[1] + np.float32([[-0.3, -0.08], [0.3, -0.08], [0.3, 0.16], [-0.3, 0.16]]) * scale
            self.canvas.polygon(head, (120.0, 120.0, 116.0), truth)
            if self.lit:
                self.lights.append(vehicles.Lamp(*(float(v) for v in arm[1]), 1.5 * scale, -1.0, (255.0, 214.0, 150.0)))
        elif thing.kind in ("sign", "light"):
            self.canvas.sprite(
                people.sign(thing.variant), column, row - tall + 0.4 * scale, scale * 1.05, (SIGN, code, 0)
            )

    def _blot(self, column: float, row: float, wide: float, gain: float = 0.6) -> None:
        """A soft dark spot where something touches the ground."""
        if wide > 9:
            spot = np.float32([[-1, 0], [-0.6, -0.22], [0.6, -0.22], [1, 0], [0.6, 0.2], [-0.6, 0.2]]) * (wide * 0.5)
            self.canvas.shadow(spot + np.float32([column, row]), gain)

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
                self.canvas.sprite(
                    sprite, column, row, scale * walker.size, (NO_CLASS, code, len(self.kinds)), walker.flip
                )
        elif walker.kind == "person":
            self._blot(column, row, scale)
            self.canvas.sprite(
                people.person(walker.variant, walker.step), column, row, scale, (PEDESTRIAN, code, 0), walker.flip
            )
        else:
            self._blot(column, row, scale)
            self.canvas.sprite(
                people.cyclist(walker.variant, walker.step), column, row, scale, (BICYCLIST, code, 0), walker.flip
            )


def sun_shadows(canvas: Canvas, camera: Camera, street: layout.Street, s: float, strength: float) -> None:
    """Shadows that the houses on the sunny side cast over the ground."""
    if strength <= 0:
        return
    mask = np.full((canvas.height, canvas.width), 255, np.uint8)
    for number in range(int(s // layout.DISTRICT_M), int((s + 90) // layout.DISTRICT_M) + 1):
        for house in street.district(number).houses:
            z0, z1 = max(house.s - s, camera.near), min(house.end - s, 110.0)
            if not house.shade or z1 <= z0:
                continue
            tip = house.x - np.sign(house.x) * (house.height + house.roof) * 0.8
            quad = np.array([[house.x, 0, z0], [tip, 0, z0 + 2], [tip, 0, z1 + 2], [house.x, 0, z1]])
            points = np.rint(np.clip(camera.project(quad), -30000, 30000) * 16).astype(np.int32)
            cv2.fillConvexPoly(mask, points, 255 * (1 - strength), cv2.LINE_AA, 4)
    top = int(np.clip(camera.horizon, 0, canvas.height - 1))
    roi = canvas.image[top:]
    cv2.multiply(roi, cv2.cvtColor(cv2.blur(mask[top:], (5, 3)), cv2.COLOR_GRAY2RGB), roi, 1 / 255)
