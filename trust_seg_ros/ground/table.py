"""The image seen from the ground: azimuths and depressions around the point below the camera.

Along one azimuth, outward over the ground is upward through the image, whatever the lens and however the camera is
rolled and pitched. So one scan along azimuths finds the feet of obstacles for every camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground import table_kernels
from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.ground.view import GroundView, image_rays
from trust_seg_ros.uncertainty.threads import run_bands

MOST_AZIMUTHS = 960
_LENS_NODES = 257
_FINE_STEP, _BLOCK = 0.008, 4  # with finer steps the lens bends so little over four that a line is as good: 0.1 pixels
_WIDEST = (
    0.98 * math.pi
)  # the whole sphere but for what lies right behind the camera, where the projection has its pole


@dataclass(frozen=True, eq=False)
class LensTable:
    """Where a camera sees directions: its projection, sampled so finely that interpolation is as good.

    Directions (x, y, z) of the optical frame are given by their stereographic projection (x, y) / (1 + z), in which
    every lens is smooth.

    Attributes:
        nodes: (n, n, 2) float32 row and column of the judging grid, counted from its upper left corner, at
            ``reach`` * (-1 .. 1) down and along; NaN where the lens does not see.
        reach: largest coordinate of the stereographic projection.
        step: angle between two neighbouring pixels in the middle of the image, in radians.
        grid: (H', W') that rows and columns count on.
        camera: that it was made for.
    """

    nodes: np.ndarray
    reach: float
    step: float
    grid: tuple[int, int]
    camera: CameraModel

    @classmethod
    def of(cls, camera: CameraModel, grid: tuple[int, int]) -> LensTable:
        """For a camera and a judging grid; some 30 ms, once per camera.

        Raises:
            GroundError: the camera has no viewing ray.
        """
        widest = float(np.arccos(np.clip(image_rays(camera)[:, 2], -1, 1)).max())
        reach = math.tan(min(1.02 * widest, _WIDEST) / 2)
        along = np.linspace(-reach, reach, _LENS_NODES)
        a, b = np.meshgrid(along, along)
        norm = a * a + b * b
        directions = np.stack([2 * a, 2 * b, 1 - norm], -1) / (1 + norm)[..., None]
        u, v = camera.project(directions.reshape(-1, 3)).reshape(_LENS_NODES, _LENS_NODES, 2).transpose(2, 0, 1)
        (rows, columns), (height, width) = grid, camera.size
        nodes = np.stack([(v + 0.5) * rows / height, (u + 0.5) * columns / width], -1).astype(np.float32)
        return cls(nodes, reach, _pixel_angle(camera, grid), grid, camera)

    def fits(self, camera: CameraModel, grid: tuple[int, int]) -> bool:
        """Whether it is the table of this camera, told by its numbers, and of this grid."""
        own = self.camera
        if camera is own:
            return grid == self.grid
        same = camera.size == own.size and camera.distortion == own.distortion and grid == self.grid
        return same and all(np.array_equal(getattr(camera, name), getattr(own, name)) for name in ("k", "d", "r"))


def _pixel_angle(camera: CameraModel, grid: tuple[int, int]) -> float:
    height, width = camera.size
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    across, down = np.array([width / grid[1] / 2, 0.0]), np.array([0.0, height / grid[0] / 2])
    rays = camera.rays(np.stack([middle - across, middle + across, middle - down, middle + down]))
    if not np.isfinite(rays).all():
        raise GroundError(f"{camera} has no viewing ray in the middle of its image")
    return float(min(np.linalg.norm(rays[1] - rays[0]), np.linalg.norm(rays[3] - rays[2])))


@dataclass(frozen=True, eq=False)
class PolarTable:
    """Which pixel sees the ground at an azimuth and a depression.

    Azimuth 0 is where the camera looks, positive to the left; a depression is the angle below the horizon. Sample
    (a, j) lies at ``first_azimuth + a * azimuth_step`` and ``first_depression - j * depression_step``: near to far.

    Attributes:
        pixels: (A, D) int32 index of the pixel of the judging grid, -1 where none sees that place.
        first_azimuth, azimuth_step, first_depression, depression_step: radians.
        closed: the azimuths go all the way round.
        grid: (H', W') that the pixels count on.
        ahead, down: unit vectors in the optical frame that it was made for.
    """

    pixels: np.ndarray
    first_azimuth: float
    azimuth_step: float
    first_depression: float
    depression_step: float
    closed: bool
    grid: tuple[int, int]
    ahead: np.ndarray
    down: np.ndarray

    def __repr__(self) -> str:
        azimuths, depressions = self.pixels.shape
        return f"PolarTable({azimuths} azimuths, {depressions} depressions)"

    @property
    def numbers(self) -> tuple[float, float, float, float]:
        """First azimuth, its step, first depression, its step."""
        return self.first_azimuth, self.azimuth_step, self.first_depression, self.depression_step


def polar_table(
    view: GroundView, lens: LensTable, range_m: float, bonnet_share: float = 0.0, threads: int | None = None
) -> PolarTable:
    """The table of a view.

    Args:
        view: the camera over the ground.
        lens: of this camera.
        range_m: farthest ground, metres from the point below the camera.
        bonnet_share: share of the image's rows, from below, that show the vehicle itself, in [0, 1).
        threads: how many threads work; None for one per core, at most 8.

    Raises:
        GroundError: no pixel sees ground within ``range_m``.
    """
    first, azimuth_step, count, closed, steepest = _azimuths(view, lens, range_m)
    flattest = math.atan(view.height / (range_m + 1.0))  # a cell at the range ends beyond it
    depressions = max(2, math.ceil((steepest - flattest) / lens.step) + 1)
    pixels = np.empty((count, depressions), np.int32)
    rows = lens.grid[0] - round(bonnet_share * lens.grid[0])
    block = _BLOCK if lens.step < _FINE_STEP else 1
    left = np.cross(view.ahead, view.down)

    def band(start: int, stop: int) -> None:
        table_kernels.fill_pixels(
            lens.nodes, lens.reach, view.ahead, left, view.down, first + start * azimuth_step, azimuth_step,
            steepest, lens.step, block, rows, lens.grid[1], pixels[start:stop],
        )  # fmt: skip

    run_bands(band, count, threads)
    return PolarTable(pixels, first, azimuth_step, steepest, lens.step, closed, lens.grid, view.ahead, view.down)


def _azimuths(view: GroundView, lens: LensTable, range_m: float) -> tuple[float, float, int, bool, float]:
    """First azimuth, step, number, whether they close, and the steepest depression."""
    rays = image_rays(view.camera)
    sunk = rays @ view.down
    seen = sunk > math.sin(math.atan(view.height / (range_m * 1.1)))
    if not seen.any():
        raise GroundError(f"the camera sees no ground within {range_m:g} m, the range of the map")
    rays, sunk = rays[seen], np.minimum(sunk[seen], 1.0)
    steepest = math.asin(float(sunk.max()))
    left = np.cross(view.ahead, view.down)
    azimuths = np.arctan2(rays @ left, rays @ view.ahead)
    margin = 2 * lens.step
    first, last = float(azimuths.min()) - margin, float(azimuths.max()) + margin
    below = view.camera.inside(view.camera.project(view.down[None]))[0]
    closed = bool(below) or last - first > 1.9 * math.pi
    if below:
        steepest = math.pi / 2
    if closed:
        first, last = -math.pi, math.pi
    count = max(8, min(MOST_AZIMUTHS, math.ceil((last - first) / lens.step)))
    return first, (last - first) / count if closed else (last - first) / (count - 1), count, closed, steepest
