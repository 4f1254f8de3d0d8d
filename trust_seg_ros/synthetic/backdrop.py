"""Backdrop at the far end of the street: a strip of trees and houses, drawn once per stretch."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from trust_seg_ros.synthetic import plants, textures
from trust_seg_ros.synthetic.camera import Camera, depth_code
from trust_seg_ros.synthetic.canvas import Canvas, Sprite, make_sprite
from trust_seg_ros.synthetic.dice import Dice
from trust_seg_ros.synthetic.ground import FAR_M
from trust_seg_ros.synthetic.layout import DISTRICT_M, Street
from trust_seg_ros.synthetic.settings import BUILDING, TREE

PER_METRE = 6.0
HALF_WIDTH_M, HEIGHT_M = 120.0, 22.0
SHAPES = 24


@lru_cache(maxsize=SHAPES)
def _strip(variant: int) -> tuple[Sprite, np.ndarray]:
    """The sprite of a strip, and its class ids where it is opaque."""
    dice = Dice(61, variant)
    canvas = Canvas(int(HEIGHT_M * PER_METRE), int(2 * HALF_WIDTH_M * PER_METRE))
    canvas.truth[:, :, 0] = 255
    foot = canvas.height
    field = np.array([[0, foot], [canvas.width, foot], [canvas.width, foot - 20], [0, foot - 20]], np.float32)
    canvas.polygon(field, (70.0, 78.0, 62.0), (TREE, 0, 0))
    x = 0.0
    while x < canvas.width:
        if dice.random() < 0.45:
            chain, width, height = textures.facade(dice.integer(textures.FACADES), dice.random() < 0.5)
            w, h = width * PER_METRE, min(height, 16.0) * PER_METRE
            corners = np.array([[x, foot - h], [x + w, foot - h], [x + w, foot], [x, foot]], np.float32)
            canvas.textured(chain, corners)
            canvas.mark(corners, (BUILDING, 0, 0))
        else:
            sprite = plants.tree(dice.integer(plants.TREES))
            canvas.sprite(sprite, x, foot, PER_METRE * dice.uniform(0.9, 1.3), (TREE, 0, 0), dice.random() < 0.5)
        x += dice.uniform(4, 11) * PER_METRE
    labels = np.ascontiguousarray(canvas.truth[:, :, 0])
    alpha = np.where(labels < 255, 255, 0).astype(np.uint8)
    return make_sprite(canvas.image, alpha, PER_METRE), labels


def draw_backdrop(canvas: Canvas, camera: Camera, street: Street, s: float) -> None:
    """Draw the strip ``FAR_M`` metres ahead."""
    sprite, labels = _strip(Dice(street.seed, 3, int((s + FAR_M) // DISTRICT_M)).integer(SHAPES))
    column, row = (float(v) for v in camera.project(np.array([[0.0, 0.0, FAR_M]]))[0])
    scale = camera.focal / FAR_M
    code = max(2, depth_code(FAR_M))
    canvas.sprite(sprite, column, row, scale, (TREE, code, 0))
    ratio = scale / PER_METRE
    top, left = row - labels.shape[0] * ratio, column - labels.shape[1] / 2 * ratio
    y0, y1 = int(np.clip(np.floor(top), 0, canvas.height)), int(np.clip(np.ceil(row), 0, canvas.height))
    if y1 <= y0:
        return
    matrix = np.array(
        [[1 / ratio, 0, (0.5 - left) / ratio - 0.5], [0, 1 / ratio, (y0 - top + 0.5) / ratio - 0.5]], np.float32
    )
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    found = cv2.warpAffine(labels, matrix, (canvas.width, y1 - y0), flags=flags, borderValue=255)
    part = canvas.truth[y0:y1]
    part[(found == BUILDING) & (part[:, :, 1] == code)] = (BUILDING, code, 0)
