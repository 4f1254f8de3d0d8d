"""A picture and its ground truth per pixel; everything is drawn into both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from trust_seg_ros.synthetic.survey import Survey

SHIFT = 4
ONE = 1 << SHIFT


@dataclass(frozen=True)
class Sprite:
    """A flat cut-out, stored at full size and repeatedly halved.

    Attributes:
        colours: per level (h, w, 3) uint8, multiplied by the opacity.
        clears: per level (h, w, 3) uint8 transparency: 255 minus the opacity.
        per_metre: pixels per metre at level 0.
        foot: row and column (level 0) of the point that touches the ground.
    """

    colours: tuple[np.ndarray, ...]
    clears: tuple[np.ndarray, ...]
    per_metre: float
    foot: tuple[float, float]

    @cached_property
    def _solid(self) -> np.ndarray:
        return np.asarray(self.clears[0][:, :, 0] < 128)

    @cached_property
    def sunk(self) -> float:
        """Pixels (level 0) between its lowest opaque row and its foot."""
        rows = np.flatnonzero(self._solid.any(1))
        return self.foot[0] - (float(rows[-1]) + 1) if len(rows) else 0.0

    @cached_property
    def height_m(self) -> float:
        """Height of what is opaque, metres."""
        rows = np.flatnonzero(self._solid.any(1))
        return float(rows[-1] + 1 - rows[0]) / self.per_metre if len(rows) else 0.0

    @cached_property
    def reach_m(self) -> float:
        """How far it reaches to either side of its foot at most, metres."""
        return max(-self.width_m(1.0, 1.0, False)[0], self.width_m(1.0, 1.0, False)[1])

    def width_m(self, share: float, size: float, flip: bool) -> tuple[float, float]:
        """Metres left (negative) and right of its foot that the lowest ``share`` of it covers, drawn at ``size``."""
        key = f"_width{share}"
        if key not in self.__dict__:
            bottom = int(self.foot[0] - self.sunk)
            columns = np.flatnonzero(self._solid[int(bottom * (1 - share)) : bottom].any(0))
            ends = (float(columns[0]), float(columns[-1]) + 1) if len(columns) else (self.foot[1], self.foot[1])
            self.__dict__[key] = tuple((end - self.foot[1]) / self.per_metre for end in ends)
        left, right = self.__dict__[key]
        return (-right * size, -left * size) if flip else (left * size, right * size)


def make_sprite(
    colour: np.ndarray, alpha: np.ndarray, per_metre: float, foot: tuple[float, float] | None = None
) -> Sprite:
    """Sprite of (h, w, 3) colour and (h, w) opacity, both uint8; ``foot`` is the bottom centre by default."""
    colour = cv2.multiply(colour, cv2.merge([alpha] * 3), scale=1 / 255)
    colours, clears = [colour], [cv2.merge([255 - alpha] * 3)]
    while min(colours[-1].shape[:2]) > 6:
        half = (max(1, colours[-1].shape[1] // 2), max(1, colours[-1].shape[0] // 2))
        colours.append(cv2.resize(colours[-1], half, interpolation=cv2.INTER_AREA))
        clears.append(cv2.resize(clears[-1], half, interpolation=cv2.INTER_AREA))
    h, w = alpha.shape
    return Sprite(tuple(colours), tuple(clears), per_metre, foot or (float(h), w / 2))


def mip_chain(texture: np.ndarray) -> tuple[np.ndarray, ...]:
    """A texture and its halved versions down to 8 pixels."""
    chain = [texture]
    while min(chain[-1].shape[:2]) > 8:
        h, w = chain[-1].shape[:2]
        chain.append(cv2.resize(chain[-1], (w // 2, h // 2), interpolation=cv2.INTER_AREA))
    return tuple(chain)


class Canvas:
    """The picture being drawn.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        truth: (H, W, 3) uint8: class id, depth code, number of the unknown object.
        objects: (H, W) int32 ``number`` at the time of drawing, wherever ``truth`` was drawn; None = not drawn.
        number: number of the object that is drawn next; 0 = none.
        survey: numbers of surfaces, drawn as ``objects`` is, but only pixels whose centre is inside: geometry is exact
            then, where pictures without it are half a pixel wider all around; None = not drawn.
    """

    def __init__(self, height: int, width: int, objects: bool = False, survey: Survey | None = None) -> None:
        self.height, self.width = height, width
        self.image = np.zeros((height, width, 3), np.uint8)
        self.truth = np.zeros((height, width, 3), np.uint8)
        self.objects = np.zeros((height, width), np.int32) if objects else None
        self.number = 0
        self.survey = survey

    def polygon(
        self, points: np.ndarray, colour: tuple[float, ...], truth: tuple[int, int, int] | None, convex: bool = True
    ) -> None:
        """Fill the (N, 2) pixel polygon; without ``truth`` only into the picture."""
        fixed = self._fixed(points)
        if convex:
            cv2.fillConvexPoly(self.image, fixed, colour, cv2.LINE_AA, SHIFT)
            if truth is not None:
                self._fill_truth(fixed, truth)
        else:
            cv2.fillPoly(self.image, [fixed], colour, cv2.LINE_AA, SHIFT)
            if truth is not None:
                cv2.fillPoly(self.truth, [fixed], truth, cv2.LINE_8, SHIFT)
                for plane, number in self._planes():
                    cv2.fillPoly(plane, [fixed], number, cv2.LINE_8, SHIFT)

    def mark(self, points: np.ndarray, truth: tuple[int, int, int]) -> None:
        """Fill the (N, 2) convex polygon in the truth only."""
        self._fill_truth(self._fixed(points), truth)

    def _fill_truth(self, fixed: np.ndarray, truth: tuple[int, int, int]) -> None:
        cv2.fillConvexPoly(self.truth, fixed, truth, cv2.LINE_8, SHIFT)
        for plane, number in self._planes():
            cv2.fillConvexPoly(plane, fixed, number, cv2.LINE_8, SHIFT)

    def _fixed(self, points: np.ndarray) -> np.ndarray:
        if self.survey is not None:  # OpenCV fills half a pixel more on all sides
            beside = points - np.add.reduce(points) / len(points)
            points = points - np.minimum(np.maximum(beside, -0.5), 0.5)
        return (points * ONE).astype(np.int32)

    def _planes(self) -> list[tuple[np.ndarray, int]]:
        """The maps of numbers beside the truth, and what to draw into them."""
        planes = [] if self.objects is None else [(self.objects, self.number)]
        return planes if self.survey is None else [*planes, (self.survey.map, self.survey.number)]

    def _clip(self, left: float, top: float, right: float, bottom: float) -> tuple[int, int, int, int] | None:
        x0, y0 = max(0, int(np.floor(left))), max(0, int(np.floor(top)))
        x1, y1 = min(self.width, int(np.ceil(right)) + 1), min(self.height, int(np.ceil(bottom)) + 1)
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    def textured(self, chain: tuple[np.ndarray, ...], corners: np.ndarray) -> None:
        """Map a texture onto the quadrilateral ``corners`` (4, 2): top left, top right, bottom right, bottom left."""
        box = self._clip(*corners.min(0), *corners.max(0))
        if box is None:
            return
        x0, y0, x1, y1 = box
        h, w = chain[0].shape[:2]
        wide = max(np.hypot(*(corners[1] - corners[0])), np.hypot(*(corners[2] - corners[3])), 1.0)
        tall = max(abs(corners[3, 1] - corners[0, 1]), abs(corners[2, 1] - corners[1, 1]), 1.0)
        shrink = max(w / wide, h / tall) * 0.75 if wide > 2 else w / wide
        texture = chain[min(len(chain) - 1, max(0, int(np.log2(max(shrink, 1.0)) + 0.3)))]
        th, tw = texture.shape[:2]
        source = np.array([[-0.5, -0.5], [tw - 0.5, -0.5], [tw - 0.5, th - 0.5], [-0.5, th - 0.5]], np.float32)
        target = (corners - np.array([x0, y0], np.float32)).astype(np.float32)
        matrix = cv2.getPerspectiveTransform(source, target)
        roi = self.image[y0:y1, x0:x1]
        cv2.warpPerspective(texture, matrix, (x1 - x0, y1 - y0), roi, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)

    def cutout(
        self,
        chain: tuple[np.ndarray, ...],
        clears: tuple[np.ndarray, ...],
        corners: np.ndarray,
        truth: tuple[int, int, int] | None,
        gain: float = 1.0,
    ) -> None:
        """Like ``textured``, for a texture with holes (``clears`` as in :class:`Sprite`)."""
        box = self._clip(*corners.min(0), *corners.max(0))
        if box is None:
            return
        x0, y0, x1, y1 = box
        tall = max(abs(corners[3, 1] - corners[0, 1]), abs(corners[2, 1] - corners[1, 1]), 1.0)
        wide = max(abs(corners[1, 0] - corners[0, 0]), 1.0)
        shrink = max(chain[0].shape[0] / tall, 0.5 * chain[0].shape[1] / wide)
        level = min(len(chain) - 1, max(0, int(np.log2(max(shrink, 1.0)) + 0.3)))
        th, tw = chain[level].shape[:2]
        source = np.array([[-0.5, -0.5], [tw - 0.5, -0.5], [tw - 0.5, th - 0.5], [-0.5, th - 0.5]], np.float32)
        matrix = cv2.getPerspectiveTransform(source, (corners - np.array([x0, y0], np.float32)).astype(np.float32))
        size = (x1 - x0, y1 - y0)
        colour = cv2.warpPerspective(chain[level], matrix, size, flags=cv2.INTER_LINEAR)
        clear = cv2.warpPerspective(clears[level], matrix, size, flags=cv2.INTER_LINEAR, borderValue=(255, 255, 255))
        self._blend(box, colour, clear, truth, gain)

    def sprite(
        self,
        sprite: Sprite,
        column: float,
        row: float,
        per_metre: float,
        truth: tuple[int, int, int] | None,
        flip: bool = False,
        gain: float = 1.0,
    ) -> None:
        """Draw a sprite with its foot on pixel (row, column) at ``per_metre`` pixels per metre."""
        scale = per_metre / sprite.per_metre
        if self.survey is not None:  # pixel centres at whole numbers, and nothing hovers
            column, row = column + 0.5, row + 0.5 + sprite.sunk * scale
        level = min(len(sprite.colours) - 1, max(0, int(np.log2(max(1.0 / max(scale, 1e-6), 1.0)) + 0.25)))
        h, w = sprite.colours[level].shape[:2]
        sx = scale * sprite.colours[0].shape[1] / w
        sy = scale * sprite.colours[0].shape[0] / h
        foot_row, foot_col = sprite.foot[0] * scale, sprite.foot[1] * scale
        wide, tall = w * sx, h * sy
        left = column - (wide - foot_col if flip else foot_col)
        top = row - foot_row
        box = self._clip(left, top, left + wide, top + tall)
        if box is None or tall < 1.0:
            return
        x0, y0, x1, y1 = box
        ax, bx = (-1 / sx, (left + wide - x0) / sx - 0.5 - 0.5 / sx) if flip else (1 / sx, (x0 - left + 0.5) / sx - 0.5)
        matrix = np.array([[ax, 0, bx], [0, 1 / sy, (y0 - top + 0.5) / sy - 0.5]], np.float32)
        size = (x1 - x0, y1 - y0)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        colour = cv2.warpAffine(sprite.colours[level], matrix, size, flags=flags)
        clear = cv2.warpAffine(sprite.clears[level], matrix, size, flags=flags, borderValue=(255, 255, 255))
        self._blend(box, colour, clear, truth, gain)

    def _blend(
        self,
        box: tuple[int, int, int, int],
        colour: np.ndarray,
        clear: np.ndarray,
        truth: tuple[int, int, int] | None,
        gain: float,
    ) -> None:
        x0, y0, x1, y1 = box
        roi = self.image[y0:y1, x0:x1]
        if gain != 1.0:
            colour = cv2.convertScaleAbs(colour, alpha=gain)
        cv2.multiply(roi, clear, roi, 1 / 255)
        cv2.add(roi, colour, roi)
        if truth is not None:
            solid = clear[:, :, 0] < 128
            self.truth[y0:y1, x0:x1][solid] = truth
            for plane, number in self._planes():
                plane[y0:y1, x0:x1][solid] = number

    def shadow(self, points: np.ndarray, gain: float) -> None:
        """Darken the picture inside the (N, 2) convex polygon by the factor ``gain``, with soft edges."""
        box = self._clip(*points.min(0), *points.max(0))
        if box is None:
            return
        x0, y0, x1, y1 = box
        mask = np.full((y1 - y0, x1 - x0, 3), 255, np.uint8)
        fixed = ((points - np.array([x0, y0], np.float32)) * ONE).astype(np.int32)
        value = 255 * gain
        cv2.fillConvexPoly(mask, fixed, (value, value, value), cv2.LINE_AA, SHIFT)
        soft = max(3, min(31, (y1 - y0) // 3 * 2 + 1))
        softened = cv2.blur(mask, (soft, max(3, soft // 2 * 2 + 1)), borderType=cv2.BORDER_REPLICATE)
        roi = self.image[y0:y1, x0:x1]
        cv2.multiply(roi, softened, roi, 1 / 255)

    def shine_on(self, shine: np.ndarray, bounds: tuple[float, float, float, float], truth: tuple[int, int]) -> None:
        """Multiply by ``shine`` / 128, stretched over ``bounds``, where class and depth code equal ``truth``."""
        box = self._clip(*bounds)
        if box is None:
            return
        x0, y0, x1, y1 = box
        h, w = shine.shape
        sx, sy = w / max(bounds[2] - bounds[0], 1.0), h / max(bounds[3] - bounds[1], 1.0)
        matrix = np.array([[sx, 0, (x0 - bounds[0]) * sx], [0, sy, (y0 - bounds[1]) * sy]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        gain = cv2.warpAffine(shine, matrix, (x1 - x0, y1 - y0), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        roi, part = self.image[y0:y1, x0:x1], self.truth[y0:y1, x0:x1]
        mask = cv2.inRange(part, (*truth, 0), (*truth, 255))
        shiny = cv2.multiply(roi, cv2.cvtColor(gain, cv2.COLOR_GRAY2RGB), scale=1 / 128)
        cv2.copyTo(shiny, mask, roi)
