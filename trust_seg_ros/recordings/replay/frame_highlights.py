"""Frames in the report: pictures, out-of-distribution objects, and the selection of the worst frames."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from trust_seg_ros.drawing import pictures
from trust_seg_ros.messages.output_size import AS_IMAGE
from trust_seg_ros.messages.render import Rendering, entropy_color, overlay
from trust_seg_ros.recordings.replay.records import FramePicture, OodObject
from trust_seg_ros.types import UNLABELLED, OodSegments, TrustFrame

_QUALITY = 85
_SURROUNDINGS = 0.6  # share of the longer side of the box, added on every side
_LEAST_SIDE = 32  # least image pixels in a crop, so that even a speck is shown in its surroundings
_BAD = ("flagged_pixels", "unreliable_pixels", "ood_pixels")


def frame_picture(view: Rendering, camera: str, recorded_ns: int, width: int = 480) -> FramePicture:
    """The image, the overlay and the entropy in colours, in the shape of the image; at most ``width`` columns wide.

    Args:
        view: the frame, with its segments and pixel flags; images already rendered are reused.
        camera: topic of the images.
        recorded_ns: when the recorder received the frame.
        width: largest width of the pictures in columns, >= 1.

    Raises:
        MessageError: the frame was computed without its segments.
    """
    if view.size != view.frame.size:
        view = Rendering(view.frame, replace(view.options, output_size=AS_IMAGE))
    three = (view.image, overlay(view).data, entropy_color(view).data)
    return FramePicture(camera, recorded_ns, *(_jpeg(_narrow(picture, width)) for picture in three))


def ood_objects(
    result: TrustFrame,
    names: Sequence[str],
    camera: str,
    recorded_ns: int,
    start_ns: int,
    crop_side: int = 128,
    with_crop: bool = True,
) -> list[OodObject]:
    """The kept OoD segments of a frame, in order of their numbers.

    Args:
        result: result of the pipeline; without OoD segments, nothing is returned.
        names: class names, index = class id.
        camera: topic of the images.
        recorded_ns: when the recorder received the frame.
        start_ns: beginning of the recording.
        crop_side: longer side of a crop in pixels; small objects are enlarged.
        with_crop: whether to cut the crops, which takes longer than everything else.
    """
    ood = result.ood
    if ood is None:
        return []
    offset_s = (recorded_ns - start_ns) / 1e9
    return [
        OodObject(
            camera,
            recorded_ns,
            result.frame.stamp_ns,
            offset_s,
            _box(ood, k),
            int(ood.sizes[k]),
            float(ood.score[k]),
            math.nan if ood.p_ood is None else float(ood.p_ood[k]),
            _class_name(ood, k, names),
            object_crop(result, k, crop_side) if with_crop else b"",
        )
        for k in np.flatnonzero(ood.kept).tolist()
    ]


def object_crop(result: TrustFrame, k: int, side: int = 128) -> bytes:
    """JPEG of :func:`ood_crop` for OoD segment ``k``; the frame must have OoD segments."""
    assert result.ood is not None
    return _jpeg(ood_crop(result.frame.image, result.ood, k, side))


def ood_crop(image: np.ndarray, ood: OodSegments, k: int, side: int) -> np.ndarray:
    """An OoD segment in its surroundings, outlined in cyan with a dark edge.

    Args:
        image: (H, W, 3) uint8 RGB.
        ood: the OoD segments of the frame.
        k: index of the segment, from 0.
        side: pixels of the longer side.

    Returns:
        (h, w, 3) uint8 RGB, max(h, w) = ``side``; square where the image allows it.
    """
    top, bottom, left, right = _window(_box(ood, k), image.shape[:2])
    cut, mask = image[top:bottom, left:right], ood.ids[top:bottom, left:right] == k + 1
    scale = side / max(cut.shape[:2])
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
    crop = cv2.resize(cut, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    # a line one pixel wide around it, so that it hides nothing of a small object
    shape = cv2.resize(mask.view(np.uint8) * 255, size, interpolation=cv2.INTER_LINEAR) >= 128
    ring, edge = (cv2.dilate(shape.view(np.uint8), np.ones((n, n), np.uint8)) > 0 for n in (3, 5))
    crop[edge & ~shape] = 0
    crop[ring & ~shape] = pictures.UNKNOWN
    return crop


def badness(numbers: Mapping[str, Any]) -> float:
    """How untrustworthy a frame is, 0..3; higher is worse.

    The share of the pixels that are flagged, plus the share on unreliable segments, plus the share on kept OoD
    segments. All three come from the user's thresholds and have the same unit, the area of the image. A pixel that
    fails two tests counts twice, since two tests agree on it. Means of scores are left out: they have other units,
    and are high throughout a dim frame in which nothing is wrong.

    Args:
        numbers: of ``frame_numbers``; shares that are missing or NaN count as 0.
    """
    shares = (float(numbers.get(name, 0.0)) for name in _BAD)
    return sum(share for share in shares if not math.isnan(share))


class WorstFrames:
    """Keeps the worst frames of a drive, no two closer than ``apart_s`` seconds. :meth:`merge` joins the selections of
    several cameras or chunks of a drive.

    The rule: time is cut into slots of ``apart_s`` from the epoch, each represented by its worst frame. Of these
    frames, the worst are taken one after another, skipping any within ``apart_s`` of one already taken. Ties go to the
    earlier frame, then to the camera whose name comes first. A frame taken excludes at most the frames of the two
    neighbouring slots, so the 3 · count worst slots contain every frame that can be chosen, and only they are kept.
    They are the same slots whether found in the whole drive or among the slots kept by its pieces. Frames with badness
    0 are never chosen.

    Args:
        count: number of frames to choose, >= 0.
        apart_s: shortest time between two of them in seconds, > 0.

    Example:
        >>> worst = WorstFrames(6)
        >>> bad = badness(frame_numbers(result, score))
        >>> if worst.wants(bad, camera, recorded_ns):
        ...     worst.add(bad, frame_picture(view, camera, recorded_ns))
    """

    def __init__(self, count: int, apart_s: float = 5.0) -> None:
        self.count, self.apart_ns = count, max(1, round(apart_s * 1e9))
        self._slots: dict[int, tuple[_Key, FramePicture]] = {}

    def wants(self, bad: float, camera: str, recorded_ns: int) -> bool:
        """Whether a frame would be kept, so that its picture is worth making."""
        if not bad > 0.0 or self.count < 1:
            return False
        key, there = (-bad, recorded_ns, camera), self._slots.get(recorded_ns // self.apart_ns)
        if there is not None:
            return key < there[0]
        return len(self._slots) < 3 * self.count or key < max(kept for kept, _ in self._slots.values())

    def add(self, bad: float, picture: FramePicture) -> None:
        """Offer a frame; it is dropped if it is not among the worst."""
        if not self.wants(bad, picture.camera, picture.recorded_ns):
            return
        slot = picture.recorded_ns // self.apart_ns
        self._slots[slot] = ((-bad, picture.recorded_ns, picture.camera), picture)
        if len(self._slots) > 3 * self.count:
            del self._slots[max(self._slots, key=lambda slot: self._slots[slot][0])]

    def kept(self) -> list[tuple[float, FramePicture]]:
        """Badness and picture of every frame kept, for :meth:`merge`: more frames than are finally chosen."""
        return [(-minus_bad, picture) for (minus_bad, _, _), picture in self._slots.values()]

    def merge(self, others: Iterable[WorstFrames]) -> None:
        """Add frames kept by another instance made with the same ``count`` and ``apart_s``."""
        for other in others:
            for (minus_bad, _, _), picture in other._slots.values():
                self.add(-minus_bad, picture)

    def chosen(self) -> list[tuple[float, FramePicture]]:
        """Badness and picture of the worst frames, worst first; at most ``count``."""
        taken: list[tuple[float, FramePicture]] = []
        for (minus_bad, at, _), picture in sorted(self._slots.values(), key=lambda kept: kept[0]):
            if len(taken) < self.count and all(abs(at - one.recorded_ns) >= self.apart_ns for _, one in taken):
                taken.append((-minus_bad, picture))
        return taken


_Key = tuple[float, int, str]


def _window(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of a square around a box, moved into the image, and cut if larger than the image."""
    left, top, right, bottom = box
    longer = max(right - left, bottom - top)
    side = max(_LEAST_SIDE, round(longer * (1 + 2 * _SURROUNDINGS)))
    rows = _span((top + bottom) // 2, side, shape[0])
    columns = _span((left + right) // 2, side, shape[1])
    return (*rows, *columns)


def _span(centre: int, side: int, end: int) -> tuple[int, int]:
    side = min(side, end)
    start = min(max(0, centre - side // 2), end - side)
    return start, start + side


def _box(ood: OodSegments, k: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = (int(side) for side in ood.boxes[k])
    return left, top, right, bottom


def _class_name(ood: OodSegments, k: int, names: Sequence[str]) -> str:
    if ood.class_ids is None or ood.class_ids[k] == UNLABELLED:
        return ""
    return names[ood.class_ids[k]]


def _narrow(picture: np.ndarray, width: int) -> np.ndarray:
    height, columns = picture.shape[:2]
    if columns <= width:
        return picture
    return cv2.resize(picture, (width, max(1, round(height * width / columns))), interpolation=cv2.INTER_AREA)


def _jpeg(picture: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB as JPEG."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()
