"""The ground: road, pavement, kerb and grass, row by row in perspective."""

from __future__ import annotations

import cv2
import numpy as np

from trust_seg_ros.synthetic import textures
from trust_seg_ros.synthetic.camera import DEPTH_SCALE_M, Camera
from trust_seg_ros.synthetic.canvas import Canvas
from trust_seg_ros.synthetic.layout import DISTRICT_M, JUNCTION_M, District, Street
from trust_seg_ros.synthetic.settings import PAVEMENT, ROAD, TREE

FAR_M = 150.0
_LABELS = np.array([ROAD, PAVEMENT, PAVEMENT, TREE], np.uint8)


def draw_ground(canvas: Canvas, camera: Camera, street: Street, s: float, wet: float) -> None:
    """Paint the ground from the horizon down, and its ground truth."""
    first = int(np.clip(np.floor(camera.horizon + camera.focal * camera.height / FAR_M), 0, canvas.height - 2))
    z, x = camera.ground(first)
    at = s + z[:, 0].astype(np.float64)
    rows = np.clip(((at + 1e-3) // DISTRICT_M).astype(np.int64), 0, None)
    rows_from = int(rows.min())
    districts = [street.district(number) for number in range(rows_from, int(rows.max()) + 1)]
    table = [(d.half, d.half + d.pave[0], d.half + d.pave[1]) for d in districts]
    edges = np.array(table, np.float32)[rows - rows_from]
    junction = (at - rows * DISTRICT_M < JUNCTION_M)[:, None]
    wide = np.where(junction[:, 0], 1e6, edges[:, 0]).astype(np.float32)[:, None]
    material = _material(x, wide, np.where(junction, np.float32(np.inf), edges[:, 1:]))
    canvas.image[first:] = _colours(districts, material, rows - rows_from, wet)
    _marks(canvas, camera, street, s)
    detail = _detail(z, x, s, material, street.surface)
    roi = canvas.image[first:]
    cv2.multiply(roi, cv2.cvtColor(detail, cv2.COLOR_GRAY2RGB), roi, 1 / 128)
    truth = canvas.truth[first:]
    truth[:, :, 0] = _LABELS[material]
    if canvas.survey is not None:
        canvas.survey.ground()
        canvas.survey.map[first:] = canvas.survey.number
    truth[:, :, 1] = np.clip(255 * np.exp(-z / DEPTH_SCALE_M) + 0.5, 1, 255).astype(np.uint8)


def _material(x: np.ndarray, wide: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """0 road, 1 pavement, 2 kerb, 3 grass, (h, W) uint8, from half the width of the road and the outer edges."""
    size = np.abs(x)
    kerb, road = (size < wide + 0.15).view(np.uint8), (size < wide).view(np.uint8)
    grass = ((x < -outer[:, :1]) | (x > outer[:, 1:])).view(np.uint8)
    found: np.ndarray = 1 + kerb - 2 * road + 2 * grass
    return found


def _colours(districts: list[District], material: np.ndarray, row_district: np.ndarray, wet: float) -> np.ndarray:
    """RGB of every pixel, (h, W, 3) uint8: each row has the colours of its district."""
    palette = np.array([(d.road_rgb, d.pave_rgb, d.kerb_rgb, d.grass_rgb) for d in districts], np.float32)
    palette[:, :3] *= 1 - 0.35 * wet
    code = material + (4 * row_district[:, None]).astype(np.uint8)
    table = np.zeros((1, 256, 3), np.uint8)
    table[0, : 4 * len(districts)] = palette.reshape(-1, 3).astype(np.uint8)
    return np.asarray(cv2.LUT(cv2.cvtColor(code, cv2.COLOR_GRAY2RGB), table))


def _detail(z: np.ndarray, x: np.ndarray, s: float, material: np.ndarray, variant: int) -> np.ndarray:
    """Brightness of the material around 128, (h, W) uint8."""
    out = _sample(textures.asphalt(variant % 6), x, z + np.float32(s % 25.6), 20.0)
    _fade(out, z, 45.0, 90.0)
    near = int(np.searchsorted(-z[:, 0], -40.0))
    if near < len(z):
        for kind, tile in ((1, textures.paving(variant % 8)), (3, textures.lawn())):
            mask = (material[near:] == kind).view(np.uint8)
            if mask.any():
                fine = _sample(tile, x[near:], z[near:] + np.float32(s % 6.4), 80.0)
                _fade(fine, z[near:], 9.0, 38.0)
                cv2.copyTo(fine, mask, out[near:])
    near = int(np.searchsorted(-z[:, 0], -13.0))
    if near < len(z):
        fine = _sample(textures.grain(), x[near:], z[near:] + np.float32(s % 5.12), 100.0)
        _fade(fine, z[near:], 5.0, 13.0)
        cv2.multiply(out[near:], fine, out[near:], 1 / 128)
    return out


def _sample(tile: np.ndarray, x: np.ndarray, along: np.ndarray, per_metre: float) -> np.ndarray:
    size = tile.shape[0] - 1
    across = x * np.float32(per_metre / size)
    across -= np.floor(across)
    across *= np.float32(size)
    down = np.broadcast_to(along * np.float32(per_metre) % np.float32(size), x.shape)
    # coordinates stay inside the tile, which repeats its first row and column, so OpenCV takes its fast path
    return cv2.remap(tile, across, np.ascontiguousarray(down), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _fade(detail: np.ndarray, z: np.ndarray, start: float, end: float) -> None:
    """Fade the detail into its mean between two distances; farther away it would only flicker."""
    stop = int(np.searchsorted(-z[:, 0], -start))
    keep = np.clip((end - z[:stop]) / (end - start), 0, 1)
    detail[:stop] = (128 + (detail[:stop].astype(np.float32) - 128) * keep).astype(np.uint8)


def _strip(
    canvas: Canvas, camera: Camera, x0: float, x1: float, z0: float, z1: float, colour: tuple[float, ...]
) -> None:
    z0 = max(z0, camera.near)
    if z1 <= z0:
        return
    # a long strip follows the bend: cut it into pieces of about equal height in the picture
    cuts = 1 / np.linspace(1 / z0, 1 / z1, 2 if z1 - z0 < 8 else 7)
    left = camera.project(np.stack([np.full_like(cuts, x0), np.zeros_like(cuts), cuts], 1))
    right = camera.project(np.stack([np.full_like(cuts, x1), np.zeros_like(cuts), cuts], 1))
    canvas.polygon(np.concatenate([left, right[::-1]]), colour, None, convex=len(cuts) == 2)


def _marks(canvas: Canvas, camera: Camera, street: Street, s: float) -> None:
    """Lane marks, which belong to the class Road."""
    for number in range(int(s // DISTRICT_M), int((s + 100) // DISTRICT_M) + 1):
        d = street.district(number)
        start, end = number * DISTRICT_M + JUNCTION_M - s, (number + 1) * DISTRICT_M - s
        z1 = min(end, 100.0)
        if z1 <= camera.near:
            continue
        for x, width, colour in d.edge_lines:
            _strip(canvas, camera, x - width / 2, x + width / 2, start, z1, colour)
        for x in d.dash_lines:
            first = int(np.floor((max(start, 0.0) + s) / d.dash_m))
            for k in range(first, int((min(z1, 80.0) + s) / d.dash_m) + 1):
                a = k * d.dash_m - s
                if a + d.dash_on > start:
                    _strip(canvas, camera, x - 0.07, x + 0.07, max(a, start), min(a + d.dash_on, end), d.paint_rgb)
        if end < 90:
            left, right = sorted((0.1, street.side * (d.half - 0.2)))
            _strip(canvas, camera, left, right, end - 2.2, end - 1.8, d.paint_rgb)
        if d.zebra:
            _zebra(canvas, camera, d, start + 3.0)
        if d.arrow_at > 0:
            _arrow(canvas, camera, street.side * d.half / 2, start + d.arrow_at, d.paint_rgb)


def _zebra(canvas: Canvas, camera: Camera, d: District, z: float) -> None:
    if camera.near < z + 3 and z < 80:
        for x in np.arange(-d.half + 0.4, d.half - 0.6, 1.1):
            _strip(canvas, camera, float(x), float(x) + 0.55, z, z + 3.0, d.paint_rgb)


def _arrow(canvas: Canvas, camera: Camera, x: float, z: float, colour: tuple[float, ...]) -> None:
    if camera.near < z < 60:
        _strip(canvas, camera, x - 0.12, x + 0.12, z, z + 3.0, colour)
        head = np.array([[x - 0.5, 0, z + 2.6], [x + 0.5, 0, z + 2.6], [x, 0, z + 5.0]])
        canvas.polygon(camera.project(head), colour, None)
