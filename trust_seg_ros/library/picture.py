"""The picture of a result, as a notebook shows it and a file holds it."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np

from trust_seg_ros.drawing.panels import PanelContent, panel
from trust_seg_ros.drawing.pictures import SIGNAL, UNKNOWN, FlagLabel, PictureError
from trust_seg_ros.drawing.wording import not_class, unknown_object, unknown_score
from trust_seg_ros.library.errors import ExportError
from trust_seg_ros.library.judged import JudgedImage
from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.support.resumable import whole_file

PICTURES = (".png", ".jpg", ".jpeg")
"""Endings of the files that a picture can be written to."""
_JPEG_QUALITY = 90
_MOST_LABELS = 12
_TALLEST = 10  # times as high as wide; four such pictures side by side show nothing


class Picture:
    """A picture (height, width, 3) of uint8, red, green, blue, that notebooks show.

    NumPy, PIL and matplotlib take it as an array: ``plt.imshow(result.plot())``.

    Args:
        array: the pixels.
    """

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width, 3)."""
        return self.array.shape

    def save(self, path: str | Path) -> Path:
        """Write it as PNG or JPEG, by the ending of the path; folders are made.

        Raises:
            ExportError: another ending, or a file that cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() not in PICTURES:
            raise ExportError(f"{path}: a picture is written as {', '.join(PICTURES)}; expected one of these endings")
        return write_whole(path, self.encoded(path.suffix.lower()))

    def encoded(self, ending: str = ".png") -> bytes:
        """The bytes of a file."""
        bgr = cv2.cvtColor(self.array, cv2.COLOR_RGB2BGR)
        quality = () if ending == ".png" else (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY)
        _, data = cv2.imencode(ending, bgr, quality)
        return data.tobytes()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        found = self.array if dtype is None else self.array.astype(dtype, copy=False)
        return found.copy() if copy else found

    def _repr_png_(self) -> bytes:
        return self.encoded()

    def __repr__(self) -> str:
        return f'Picture({self.shape[1]}×{self.shape[0]}; write it with .save("picture.png"))'


def plot(result: JudgedImage, width: int) -> Picture:
    """Camera image, classes, entropy and flags side by side.

    Args:
        result: any parts of it may be missing, and are left out.
        width: of the picture in pixels, 640 or more.

    Raises:
        PictureError: a width out of range, or an image too narrow to draw.
    """
    height, columns = result.size
    if height > _TALLEST * columns:
        raise PictureError(
            f"an image of {columns}×{height} is too narrow to draw four times side by side; expected at most "
            f"{_TALLEST} times as high as wide: cut it"
        )
    view = Rendering(result, MessageOptions(result.labels.names, result.labels.palette))
    content = PanelContent(
        result.frame.image,
        view.classes,
        view.entropy_bytes,
        view.unreliable,
        _labels(result),
        _notes(result),
        None if result.trust is None else result.thresholds.get("unreliable"),
        None if result.ood is None else view.ood,
    )
    return Picture(panel(content, result.labels.palette, result.labels.names, width))


def _labels(result: JudgedImage) -> list[FlagLabel]:
    """What is written beside flags: unknown objects first, then the largest segments."""
    found = [
        FlagLabel(
            thing.box, unknown_score(thing.score) if thing.p_ood is None else unknown_object(thing.p_ood), UNKNOWN
        )
        for thing in sorted(result.unknown_objects, key=lambda thing: _extent(thing.box))
    ]
    flagged = [] if result.segments is None else sorted(result.segments.unreliable(), key=lambda s: _extent(s.box))
    found += [FlagLabel(s.box, not_class(s.class_name, s.p_wrong or 0.0), SIGNAL) for s in flagged[:_MOST_LABELS]]
    return found[:_MOST_LABELS]


def _extent(box: tuple[int, int, int, int]) -> int:
    """Sort key: large boxes first."""
    return -(box[2] - box[0]) * (box[3] - box[1])


def _notes(result: JudgedImage) -> tuple[str, ...]:
    segments, *others = result.on_grid.counts.removeprefix(", ").split(", ", 1)
    return tuple(note for note in (PurePath(result.name).name, segments, *others) if note)


def write_whole(path: Path, data: bytes) -> Path:
    """Write a file, atomically; its folder is made.

    Raises:
        ExportError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, path.with_name(f".{path.name}.part")) as place:
            place.write_bytes(data)
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({error.strerror or error})") from error
    return path
