"""A strip of pictures of a drive: segments in the colour of their track, with its number."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from trust_seg_ros import uncertainty
from trust_seg_ros.drawing.lettering import text_mask, write
from trust_seg_ros.evaluation.time.recorded import Recorded
from trust_seg_ros.evaluation.time.sequences import Sequence
from trust_seg_ros.grid import resized
from trust_seg_ros.pipeline.trust_pipeline import TrustPipeline
from trust_seg_ros.synthetic.settings import CLASS_NAMES, TREE
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import GridFrame

PICTURES, STEP_S, COLUMNS = 6, 0.5, 3
_WIDTH, _LETTERS, _LEAST = 400, 15, 150
_STUFF = (
    "Sky",
    "Building",
    "Road",
    "Pavement",
    CLASS_NAMES[TREE],
    "Fence",
    "Vegetation",
    "Terrain",
    "Wall",
    "Sidewalk",
)


def draw_strip(
    pipeline: TrustPipeline, thresholds: ThresholdSettings, sequence: Sequence, drive: Recorded, path: Path
) -> bool:
    """Write pictures from the middle of a drive on, ``STEP_S`` apart; the frames between are judged, too.

    Segments of stuff (sky, ground, buildings, plants) and small ones are left out.

    Returns:
        False if the drive is shorter than two pictures.
    """
    times = (drive.stamps - drive.stamps[0]) / 1e9
    wanted = np.unique(np.searchsorted(times, times[-1] / 2 + STEP_S * np.arange(PICTURES)))
    wanted = wanted[wanted < len(times)]
    if len(wanted) < 2:
        return False
    pipeline.reset()
    results: dict[int, GridFrame] = {}
    for k, (shot, answer) in enumerate(drive):
        if k > wanted[-1]:
            break
        found = pipeline.with_answer(shot.frame, uncertainty.on_grid(answer, pipeline.grid), thresholds).on_grid
        if k in wanted:
            results[k] = found
    names = tuple(pipeline.network.labels.names)
    tiles = [
        _tile(shot.frame.image, results[k], names, times[k])
        for k, shot in zip(range(int(wanted[-1]) + 1), sequence.shots([]), strict=False)
        if k in results
    ]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[k : k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)]
    return bool(cv2.imwrite(str(path), np.vstack(rows)[..., ::-1]))


def track_colour(track: int) -> tuple[int, int, int]:
    """A colour for a number of a track; neighbouring numbers differ."""
    hue = np.array([[[track * 0.381966 % 1.0 * 180, 200, 255]]], np.uint8)
    red, green, blue = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0].tolist()
    return red, green, blue


def _tile(image: np.ndarray, found: GridFrame, names: tuple[str, ...], seconds: float) -> np.ndarray:
    height = round(image.shape[0] * _WIDTH / image.shape[1])
    picture = cv2.resize(image, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    assert found.segments is not None and found.tracks is not None  # noqa: PT018
    table, tracks = found.segments, found.tracks
    ids, scale = resized(table.ids, (height, _WIDTH)), np.array([_WIDTH, height]) / table.ids.shape[::-1]
    for k in np.argsort(-table.sizes):
        if table.sizes[k] < _LEAST or names[table.class_ids[k]] in _STUFF:
            continue
        colour, inside = track_colour(int(tracks.ids[k])), (ids == k + 1).view(np.uint8)
        picture[inside > 0] = (0.6 * picture[inside > 0] + 0.4 * np.array(colour)).astype(np.uint8)
        outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, colour, 1)
        left, top = (table.boxes[k, :2] * scale).astype(int).tolist()
        _label(picture, str(int(tracks.ids[k])), left, max(0, top - _LETTERS), colour)
    _label(picture, f"{seconds:.1f} s", 2, 2, (255, 255, 255))
    return picture


def _label(picture: np.ndarray, text: str, left: int, top: int, colour: tuple[int, int, int]) -> None:
    left = max(0, min(left, picture.shape[1] - text_mask(text, _LETTERS).shape[1]))
    spot = picture[top : top + _LETTERS, left : left + text_mask(text, _LETTERS).shape[1]]
    spot[:] = spot // 3
    write(picture, text, left, top, _LETTERS, colour)
