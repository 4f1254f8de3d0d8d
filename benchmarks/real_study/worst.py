"""The ten worst photographs of each kind, as a sheet: what does not work, to be looked at."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import cv2
import numpy as np
import shipped
from folders import RESULTS, Places
from sheets import Numbers, Sheet
from unknown import Found, found_in
from wrong_segments import street_photos

from trust_seg_ros.datasets.ood_images import open_ood_images
from trust_seg_ros.drawing.pictures import colour_map, overlay, spotlight
from trust_seg_ros.drawing.tiles import header, row_of
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.types import UNLABELLED, Frame, TrustFrame, Wanted

NUMBER = 10
MOST_BYTES = 250_000
CAPTIONS = "image; truth: unknown object cyan; entropy; kept cyan, discarded amber"
OBJECTS, STREETS = "worst_unknown.jpg", "worst_streets.jpg"


def measure(places: Places) -> list[Sheet]:
    """The sheets ``worst_unknown`` and ``worst_streets``, and their pictures.

    The pictures of street_photos are for research only: that sheet goes into ``places.runs``, not into the repository.
    """
    pipeline = shipped.load(places.runs)
    return [_objects(pipeline, places), _streets(pipeline, places)]


def _objects(pipeline: TrustPipeline, places: Places) -> Sheet:
    images = open_ood_images(str(places.data / "roadanomaly_open"))
    found = {k: found_in(pipeline, *images.read(k), images.names[k]) for k in range(len(images))}
    f1 = {k: f1_of(one) for k, one in found.items()}
    chosen = sorted(f1, key=lambda k: f1[k])[:NUMBER]
    rows, table = [], {}
    for k in chosen:
        image, truth = images.read(k)
        result = pipeline(Frame(image), shipped.thresholds(), Wanted(segments=False, pixel_flags=False))
        rows.append(_row_of_objects(result, truth, f"{images.names[k]}: F1 {100 * f1[k]:.1f} %"))
        table[images.names[k]] = _numbers(found[k], f1[k])
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_jpeg(RESULTS / OBJECTS, np.vstack([header(CAPTIONS.split("; ")), *rows]))
    note = f"![{CAPTIONS}](real/{OBJECTS})\n\n{credits(places, list(table))}"
    return Sheet("worst_unknown", "Unknown objects, the ten worst photographs", "photograph", table, note)


def credits(places: Places, names: list[str]) -> str:
    """Who made these photographs, and under which licence they may be shown."""
    with (places.data / "roadanomaly_open" / "licences.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    authors = {name: re.sub(r" https?://[^ ,]+", "", rows[name]["author and licence"]) for name in names}
    lines = [f"{name}: [{author}]({rows[name]['source']})" for name, author in authors.items()]
    return f"*Photographs, made smaller: {'; '.join(lines)}. The sheet is under CC BY-SA 4.0.*"


def f1_of(found: Found) -> float:
    """F1 over the pixels of one photograph, of the segments kept."""
    kept = found.ood.kept
    hit = found.met.shared[kept[found.met.pairs[:, 0]]].sum()
    return float(2 * hit / (found.met.found[kept].sum() + found.met.there.sum()))


def _numbers(found: Found, f1: float) -> Numbers:
    kept, large = found.ood.kept, ~found.ood.too_small
    return {
        "F1, %": f1,
        "anomaly covered by what is kept, %": found.covered(kept),
        "by what is found, %": found.covered(large),
        "kept false alarms": float((kept & found.judged & found.met.false_alarms).sum()),
    }


def _row_of_objects(result: TrustFrame, truth: np.ndarray, title: str) -> np.ndarray:
    image, ood = result.frame.image, result.ood
    assert ood is not None
    kept = np.append(False, ood.kept)[ood.ids]
    discarded = np.append(False, ood.false_alarm)[ood.ids]
    nothing = np.zeros(truth.shape, bool)
    tiles = (
        image,
        spotlight(image, nothing, ood=truth == 1),
        colour_map(result.maps.entropy.numpy()),
        spotlight(image, discarded, ood=kept),
    )
    return row_of(tiles, title)


def _streets(pipeline: TrustPipeline, places: Places) -> Sheet:
    folder = street_photos(places, pipeline)
    shares = {}
    for k, sample in enumerate(folder):
        image, truth = folder.read(sample)
        shares[k] = _missed(pipeline(Frame(image), shipped.thresholds(), Wanted(ood=False, pixel_flags=False)), truth)
    chosen = sorted(shares, key=lambda k: -shares[k]["wrong and not flagged, %"])[:NUMBER]
    rows, table = [], {}
    for k in chosen:
        image, truth = folder.read(folder.samples[k])
        result = pipeline(Frame(image), shipped.thresholds(), Wanted(ood=False, pixel_flags=False))
        name = folder.samples[k].name
        rows.append(_row_of_street(pipeline, result, truth, name))
        table[name] = shares[k]
    captions = ("image", "truth", "prediction", "wrong: flagged amber, missed cyan")
    places.runs.mkdir(parents=True, exist_ok=True)
    write_jpeg(places.runs / STREETS, np.vstack([header(captions), *rows]))
    return Sheet("worst_streets", "Other towns, the ten worst photographs", "photograph", table)


def _flagged(result: TrustFrame) -> np.ndarray:
    assert result.segments is not None
    assert result.trust is not None
    return np.append(False, result.trust.unreliable)[result.segments.ids]


def _missed(result: TrustFrame, truth: np.ndarray) -> Numbers:
    """Shares of the pixels with a truth."""
    known = truth != UNLABELLED
    wrong, flagged = (result.maps.classes.numpy() != truth)[known], _flagged(result)[known]
    return {
        "wrong and not flagged, %": float((wrong & ~flagged).mean()),
        "wrong, %": float(wrong.mean()),
        "flagged, %": float(flagged.mean()),
        "flagged though right, %": float((flagged & ~wrong).mean()),
    }


def _row_of_street(pipeline: TrustPipeline, result: TrustFrame, truth: np.ndarray, title: str) -> np.ndarray:
    image, palette = result.frame.image, pipeline.labels.palette
    flagged, classes = _flagged(result), result.maps.classes.numpy()
    wrong = (classes != truth) & (truth != UNLABELLED)
    tiles = (
        image,
        overlay(image, truth, palette),
        overlay(image, classes, palette),
        spotlight(image, flagged & wrong, ood=wrong & ~flagged),
    )
    return row_of(tiles, title)


def write_jpeg(path: Path, sheet: np.ndarray) -> None:
    """RGB (H, W, 3) at half its size, at the best quality that stays below ``MOST_BYTES``."""
    small = cv2.resize(sheet, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    for quality in range(85, 20, -5):
        _, coded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(coded) <= MOST_BYTES:
            break
    path.write_bytes(coded.tobytes())
