"""The segments of a result as a table."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from trust_seg_ros.library.errors import ExportError
from trust_seg_ros.library.judged import JudgedImage
from trust_seg_ros.support.libraries import how_to_install

if TYPE_CHECKING:
    import pandas as pd


def columns(result: JudgedImage) -> dict[str, np.ndarray]:
    """Name -> (n,), one entry for each segment, for whatever library makes tables.

    Raises:
        ExportError: the result has no segments.
    """
    segments = result.needed_segments("a table of segments")
    names = np.array([*segments.labels.names, ""], object)
    found = {
        "number": np.arange(1, len(segments) + 1),
        "class_id": segments.class_ids,
        "class_name": names[segments.class_ids] if len(segments) else np.zeros(0, object),
    }
    if segments.trust is not None:
        trust = segments.trust
        found |= {"p_wrong": trust.p_wrong, "iou": trust.iou, "unreliable": trust.unreliable}
        if trust.outside is not None:
            found["outside"] = trust.outside
    found |= {"area": segments.areas, "size": segments.sizes, "interior_size": segments.interior_sizes}
    found |= dict(zip(("left", "top", "right", "bottom"), segments.boxes.T, strict=True))
    return found | {name: segments.metrics[:, k] for k, name in enumerate(segments.names)}


def to_pandas(result: JudgedImage) -> pd.DataFrame:
    """See :meth:`TrustFrame.to_pandas`.

    Raises:
        ExportError: pandas is missing, or the result has no segments.
    """
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise ExportError(f"to_pandas needs the library pandas; install it: {how_to_install('pandas')}") from error
    return pd.DataFrame(columns(result))


def as_csv(result: JudgedImage) -> str:
    """The same as comma-separated values, one line of names first.

    Raises:
        ExportError: the result has no segments.
    """
    found, out = columns(result), io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(found)
    writer.writerows(zip(*(column.tolist() for column in found.values()), strict=True))
    return out.getvalue()
