"""Reliability by predicted class, from the sums kept by the replay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from trust_seg_ros.recordings.replay.records import ClassSums, Drive
from trust_seg_ros.recordings.report import formats, summary


def add(sums: Iterable[ClassSums], classes: int) -> ClassSums:
    """The sums over several cameras; zeros (q,) for no camera."""
    names = ClassSums.__dataclass_fields__
    total = {name: np.zeros(classes, np.float64) for name in names}
    for one in sums:
        for name in names:
            total[name] += getattr(one, name)
    return ClassSums(**total)


def class_means(sums: ClassSums) -> dict[str, np.ndarray]:
    """Means and shares by class, each (q,) float64; NaN where a class has nothing to average over.

    Returns:
        ``pixels``: share of all pixels, 0..1; ``unreliable_pixels``: share of its judged pixels that lies on unreliable
        segments, 0..1; ``entropy``: mean normalised entropy of its pixels, 0..1; ``segments``: their number;
        ``unreliable``: share of the judged segments flagged unreliable, 0..1; ``p_wrong``: mean over its judged pixels
        of the P(false positive) of their segment; ``iou``: the same of the predicted IoU.
    """
    return {
        "pixels": _over(sums.pixels, np.sum(sums.pixels)),
        "unreliable_pixels": _over(sums.unreliable_pixels, sums.judged_pixels),
        "entropy": _over(sums.entropy, sums.pixels),
        "segments": np.asarray(sums.segments, np.float64),
        "unreliable": _over(sums.unreliable, sums.judged),
        "p_wrong": _over(sums.p_wrong, sums.judged_pixels),
        "iou": _over(sums.iou, sums.judged_pixels),
    }


def key_html(drive: Drive, most: int = 24) -> str:
    """The colours of the classes that were predicted, those with the most pixels first."""
    pixels = add(drive.classes.values(), len(drive.class_names)).pixels
    seen = [i for i in np.argsort(-pixels, kind="stable").tolist() if pixels[i] > 0]
    entries = "".join(
        f'<li><span class="swatch" style="background:{formats.colour(drive.palette[i])}"></span>'
        f"{formats.text(drive.class_names[i])}</li>"
        for i in seen[:most]
    )
    rest = f"<li>and {len(seen) - most} more, in the table below</li>" if len(seen) > most else ""
    return f'<ul class="key" aria-label="Colours of the classes">{entries}{rest}</ul>' if seen else ""


def _over(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    counts = np.broadcast_to(np.asarray(counts, np.float64), np.shape(sums))
    return np.divide(sums, counts, out=np.full(np.shape(sums), np.nan), where=counts > 0)


def classes_data(drive: Drive) -> dict[str, Any]:
    """Rows of the class table: for all cameras, then for each; never predicted classes have only their name."""
    q = len(drive.class_names)
    tables = [add(drive.classes.values(), q)]
    tables += [add([drive.classes[c]] if c in drive.classes else [], q) for c in summary.cameras(drive)]
    seen = np.flatnonzero(tables[0].pixels > 0)
    return {
        "names": [str(drive.class_names[i]) for i in seen.tolist()],
        "colours": [formats.colour(drive.palette[i]) for i in seen],
        "never": [str(name) for i, name in enumerate(drive.class_names) if i not in set(seen.tolist())],
        "tables": [{name: formats.rounded(v[seen]) for name, v in class_means(t).items()} for t in tables],
    }
