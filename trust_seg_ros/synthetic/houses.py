"""Buildings, and the shadows they cast."""

from __future__ import annotations

import cv2
import numpy as np

from trust_seg_ros.synthetic import textures
from trust_seg_ros.synthetic.camera import Camera, depth_code
from trust_seg_ros.synthetic.canvas import Canvas
from trust_seg_ros.synthetic.layout import DISTRICT_M, House, Street
from trust_seg_ros.synthetic.settings import BUILDING

DEPTH_M = 9.0


def draw_house(canvas: Canvas, camera: Camera, house: House, s: float) -> None:
    """Draw the end, the roof and the front of a building seen from ``s``."""
    if house.s - s > camera.near:
        _gable(canvas, camera, house, house.s - s)
    near, far = max(house.s - s, camera.near), house.end - s
    if house.roof:
        h, ridge = house.height, house.x + np.sign(house.x) * DEPTH_M / 2
        roof = [[house.x, h, near], [house.x, h, far], [ridge, h + house.roof, far], [ridge, h + house.roof, near]]
        if canvas.survey is not None:
            canvas.survey.through(np.array(roof))
        canvas.polygon(camera.project(np.array(roof)), house.roof_rgb, (BUILDING, depth_code(near), 0))
    _front(canvas, camera, house, s)


def _gable(canvas: Canvas, camera: Camera, house: House, z: float) -> None:
    """The end that faces the camera; with windows where no neighbour covers it."""
    side, h = np.sign(house.x), house.height
    chain, _, _ = textures.facade(house.variant, True)
    back = house.x + side * DEPTH_M
    ridge = [[house.x + side * DEPTH_M / 2, h + house.roof, z]] if house.roof else []
    outline = np.array([[house.x, 0, z], [back, 0, z], [back, h, z], *ridge, [house.x, h, z]])
    if canvas.survey is not None:
        canvas.survey.flat(z)
    tone = tuple(float(v) for v in chain[-1].reshape(-1, 3).mean(0) * 1.1)
    canvas.polygon(camera.project(outline), tone, (BUILDING, depth_code(z), 0))
    if house.free and z < 70:
        left, right = min(house.x, back), max(house.x, back)
        corners = np.array([[left, h, z], [right, h, z], [right, 0, z], [left, 0, z]])
        canvas.textured(chain, camera.project(corners))


def _front(canvas: Canvas, camera: Camera, house: House, s: float) -> None:
    chain, _, _ = textures.facade(house.variant, house.shade)
    z0, z1, h = house.s - s, house.end - s, house.height
    near = max(z0, camera.near)
    cut = (near - z0) / (z1 - z0)
    if cut > 0:  # the part behind the camera is cut off the texture
        chain = tuple(t[:, int(cut * t.shape[1]) :] for t in chain if int(cut * t.shape[1]) < t.shape[1] - 1)
    if not chain:
        return
    corners = np.array([[house.x, h, near], [house.x, h, z1], [house.x, 0, z1], [house.x, 0, near]])
    canvas.textured(chain, camera.project(corners))
    if canvas.survey is not None:
        canvas.survey.wall(house.x, near, z1)
    # the depth code is constant over a piece, so near walls are cut into pieces of equal width in the picture
    count = 2 if near > 50 else 5
    z = 1 / np.linspace(1 / near, 1 / z1, count)
    top = camera.project(np.stack([np.full(count, house.x), np.full(count, h), z], 1))
    low = camera.project(np.stack([np.full(count, house.x), np.zeros(count), z], 1))
    for k in range(count - 1):
        piece = np.stack([top[k], top[k + 1], low[k + 1], low[k]])
        canvas.mark(piece, (BUILDING, depth_code((z[k] + z[k + 1]) / 2), 0))


def sun_shadows(canvas: Canvas, camera: Camera, street: Street, s: float, strength: float) -> None:
    """Shadows of the houses on the sunny side."""
    if strength <= 0:
        return
    mask = np.full((canvas.height, canvas.width), 255, np.uint8)
    for number in range(int(s // DISTRICT_M), int((s + 90) // DISTRICT_M) + 1):
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
