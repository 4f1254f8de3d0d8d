"""Writes a film picture by picture: H.264 where PyAV is installed, which browsers play, else MPEG-4 through OpenCV."""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from trust_seg_ros.errors import TrustSegError


class FilmError(TrustSegError):
    """The film cannot be written."""


class Film(Protocol):
    """A film that is being written."""

    def write(self, bgr: np.ndarray) -> None:
        """Add a picture (H, W, 3) uint8, blue first."""

    def close(self) -> None:
        """Write what is left; a film that is not closed cannot be played."""


def open_film(path: Path, rate: float, size: tuple[int, int]) -> Film:
    """Start a film.

    Args:
        path: the file, ending in ``.mp4``; what is there is replaced.
        rate: pictures per second.
        size: (H, W) of the pictures; of odd ones the last row or column is left out, as H.264 takes even sizes only.

    Raises:
        FilmError: the file cannot be written.
    """
    even = size[0] // 2 * 2, size[1] // 2 * 2
    return (_H264 if importlib.util.find_spec("av") else _Mpeg4)(path, rate, even)


class _H264:
    """By PyAV; at the quickest setting, as the demo shares its cores with a node."""

    def __init__(self, path: Path, rate: float, size: tuple[int, int]) -> None:
        import av

        self._size, self._frame = size, av.VideoFrame
        try:
            path.touch()  # PyAV opens the file with the first picture only
        except OSError as error:
            raise FilmError(f"{path} cannot be written; is the folder writable? ({error.strerror})") from error
        self._file = av.open(str(path), "w", options={"movflags": "faststart"})
        self._stream = self._file.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000))
        self._stream.height, self._stream.width = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"preset": "ultrafast", "crf": "21"}

    def write(self, bgr: np.ndarray) -> None:
        height, width = self._size
        frame = self._frame.from_ndarray(np.ascontiguousarray(bgr[:height, :width]), format="bgr24")
        self._file.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._file.mux(self._stream.encode(None))
        self._file.close()


class _Mpeg4:
    """By OpenCV: of the kinds that it writes everywhere the one that is quick enough; some browsers do not play it."""

    def __init__(self, path: Path, rate: float, size: tuple[int, int]) -> None:
        self._size = size
        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, size[::-1])
        if not self._writer.isOpened():
            raise FilmError(f"{path} cannot be written as MPEG-4; is the folder writable?")

    def write(self, bgr: np.ndarray) -> None:
        height, width = self._size
        self._writer.write(np.ascontiguousarray(bgr[:height, :width]))

    def close(self) -> None:
        self._writer.release()
