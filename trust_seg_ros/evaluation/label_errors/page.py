"""The folder of a list: label_errors.csv, index.html and a picture of every place."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from trust_seg_ros.datasets.folders import DatasetError, LabelledFolder
from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.label_errors.find import LabelErrors, decoded
from trust_seg_ros.evaluation.label_errors.pictures import place_picture
from trust_seg_ros.support.resumable import whole_file, whole_folder, write_text
from trust_seg_ros.types import Json

COLUMNS = (
    "rank",
    "p",
    "image",
    "kind",
    "labelled",
    "predicted",
    "size",
    "left",
    "top",
    "right",
    "bottom",
    "p_labelled",
    "p_predicted",
)
"""Columns of label_errors.csv."""
PAGE, TABLE, PICTURES = "index.html", "label_errors.csv", "pictures"
_STYLE = """body{font:16px/1.4 system-ui,sans-serif;margin:1.5rem;max-width:80rem;background:#fff;color:#222}
figure{margin:1.5rem 0;padding:0}img{max-width:100%;height:auto;display:block}figcaption{margin:.2rem 0}
.key span{display:inline-block;margin-right:1rem;white-space:nowrap}.key i{display:inline-block;width:1em;height:1em;
margin-right:.3em;border:1px solid #888;vertical-align:-.15em}b{font-weight:600}
small{color:#555;overflow-wrap:anywhere}"""


def rows(found: LabelErrors, names: Sequence[str]) -> list[Json]:
    """The list as rows of ``COLUMNS``; places in pixels of the labels, right and bottom exclusive.

    Args:
        found: the list.
        names: of the classes.
    """
    return [
        {
            "rank": rank,
            "p": round(error.p, 4),
            "image": found.samples[error.image].name,
            "kind": error.kind,
            "labelled": names[error.labelled],
            "predicted": names[error.predicted],
            "size": len(error.pixels),
            **dict(zip(("left", "top", "right", "bottom"), error.box, strict=True)),
            "p_labelled": round(error.p_labelled, 4),
            "p_predicted": round(error.p_predicted, 4),
        }
        for rank, error in enumerate(found.errors, 1)
    ]


def write_folder(
    out: Path,
    found: LabelErrors,
    folder: LabelledFolder,
    names: Sequence[str],
    palette: np.ndarray,
    title: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Write the table, the pictures and the page; what an earlier run wrote under these names is replaced.

    Args:
        out: the folder; made if missing.
        found: the list.
        folder: the data set, whose images are read again.
        names: of the classes.
        palette: (q, 3) uint8 RGB colours of the classes.
        title: of the page.
        progress: called with the number of pictures drawn and of all.

    Returns:
        Table and page.

    Raises:
        DatasetError: an image can no longer be read.
        EvaluationError: a file cannot be written.
    """
    table = rows(found, names)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with whole_folder(out / PICTURES, out / f".{PICTURES}.part") as draft:
            for done, index in enumerate(sorted(range(len(table)), key=lambda k: (found.errors[k].image, k))):
                _draw(draft / f"{index + 1:04d}.jpg", found, index, folder, palette)
                progress(done + 1, len(table))
        write_text(out / TABLE, csv_text(table))
        write_text(out / PAGE, page_html(table, found, names, palette, title))
    except OSError as error:
        raise EvaluationError(f"{out}: cannot be written ({error.strerror or error})") from error
    return [out / TABLE, out / PAGE]


def csv_text(table: Sequence[Json]) -> str:
    """The rows as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def page_html(table: Sequence[Json], found: LabelErrors, names: Sequence[str], palette: np.ndarray, title: str) -> str:
    """The page; names from the data set are escaped, and no script runs."""
    used = sorted({c for error in found.errors for c in (error.labelled, error.predicted)})
    colours = {c: "#" + "".join(f"{int(v):02x}" for v in palette[c]) for c in used}
    key = "".join(f'<span><i style="background:{colours[c]}"></i>{html.escape(names[c])}</span>' for c in used)
    places = "\n".join(_figure(row) for row in table) or "<p>Labels and network agree everywhere.</p>"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
content="script-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'">
<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{html.escape(title)}</h1>
<p>{len(table)} places where the labels are probably wrong, the likeliest first, of {found.regions} where labels and
network disagree in {len(found.samples)} images. Each row: the image; the same part of image, labels and prediction.
The table is <a href="{TABLE}">{TABLE}</a>.</p>
<p class="key">{key}</p>
{places}
</body></html>
"""


def _figure(row: Json) -> str:
    words = f"labelled {row['labelled']}, the network says {row['predicted']}"
    name = f"{PICTURES}/{row['rank']:04d}.jpg"
    return (
        f'<figure id="{row["rank"]}"><img loading="lazy" src="{name}" alt="{html.escape(words)}"><figcaption>'
        f"<b>{row['rank']}. {html.escape(words)}</b>, {html.escape(row['kind'])}, P {row['p']:.2f} "
        f"<small>{html.escape(row['image'])}, {row['size']} pixels at {row['left']}, {row['top']}</small>"
        "</figcaption></figure>"
    )


def _draw(path: Path, found: LabelErrors, index: int, folder: LabelledFolder, palette: np.ndarray) -> None:
    error = found.errors[index]
    sample = found.samples[error.image]
    image, truth = folder.read(sample)
    classes = decoded(found.classes[error.image])
    if classes.shape != truth.shape:
        raise DatasetError(f"{sample.image}: the image has another size than a moment ago; start again")
    picture = place_picture(error, image, truth, classes, palette)
    with whole_file(path) as place:
        place.write_bytes(cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes())
