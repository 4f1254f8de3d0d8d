"""A picture of one frame: the camera's image and what its caution maps say, with and without flags."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from trust_seg_ros.drawing.ground_map import map_picture
from trust_seg_ros.drawing.lettering import write
from trust_seg_ros.evaluation.ground.judging import VARIANTS, Judge, Mappers
from trust_seg_ros.evaluation.ground.recording import Stretch, drive_of, recorded
from trust_seg_ros.ground.caution_frame import CautionFrame

_HEIGHT, _LETTERS, _INK = 260, 14, (236, 238, 240)
_PLANE = "estimated"
_FREE_BELOW = 0.2


def draw_frame(judge: Judge, stretch: Stretch, frame: int, cache: Path, path: Path) -> bool:
    """Draw one frame of a drive; returns False if the drive is shorter."""
    if frame >= stretch.frames:
        return False
    mappers = Mappers(judge, VARIANTS, (_PLANE,))
    maps: dict[tuple[str, str], CautionFrame] = {}
    for k, shot in enumerate(recorded(judge.network, stretch, cache)):
        maps, _, _ = mappers.frame(shot)
        if k == frame:
            break
    image = drive_of(stretch).frame_at(stretch.time(frame), stretch.place(frame), frame).image
    width = round(image.shape[1] * _HEIGHT / image.shape[0])
    tiles = [cv2.resize(image, (width, _HEIGHT), interpolation=cv2.INTER_AREA)]
    for name in (VARIANTS[0].name, VARIANTS[1].name, VARIANTS[3].name):
        found = maps[name, _PLANE]
        tile = map_picture(found.occupancy, found.free_at(_FREE_BELOW), 2)
        tile = cv2.resize(tile, (round(tile.shape[1] * _HEIGHT / tile.shape[0]), _HEIGHT), interpolation=cv2.INTER_AREA)
        write(tile, name, 6, 6, _LETTERS, _INK)
        tiles += [np.full((_HEIGHT, 6, 3), 255, np.uint8), tile]
    picture = Image.fromarray(np.hstack(tiles)).quantize(128, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    picture.save(path, "png", optimize=True)
    return True
