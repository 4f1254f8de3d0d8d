"""The unknown objects of one image: rows for a terminal and for JSON, labels for the picture."""

from __future__ import annotations

import math

import numpy as np
from rich.table import Table
from rich.text import Text

from trust_seg_ros.drawing.wording import unknown_object, unknown_score
from trust_seg_ros.evaluation.show.show import Findings
from trust_seg_ros.types import UNLABELLED, Json


def kept_order(findings: Findings) -> list[int]:
    """Positions of the OoD segments that were kept, the likeliest unknown object first."""
    found = findings.ood
    if found is None:
        return []
    worth = found.score if found.p_ood is None else np.nan_to_num(found.p_ood, nan=-1.0)
    return [k for k in np.argsort(-worth, kind="stable").tolist() if found.kept[k]]


def unknown_rows(findings: Findings) -> list[Json]:
    """One object per OoD segment that was kept; unknown values are None."""
    found, rows = findings.ood, []
    for k in kept_order(findings):
        assert found is not None
        left, top, right, bottom = found.boxes[k].tolist()
        box = {"left": left, "top": top, "right": right, "bottom": bottom}
        rows.append(
            {
                "object": k + 1,
                "p_ood": _p_ood(findings, k),
                "score": float(found.score[k]),
                **_most_like(findings, k),
                "size": int(found.sizes[k]),
                **box,
            }
        )
    return rows


def unknown_table(findings: Findings, name: str, top: int) -> Table:
    """The same for a terminal, at most ``top`` rows."""
    rows = unknown_rows(findings)
    table = Table(title=Text(f"{name}: {len(rows[:top])} of {len(rows)} unknown objects"), title_justify="left")
    for head in ("object", "P(OoD)", "score", "looks like", "size", "box"):
        table.add_column(head, justify="left" if head in ("looks like", "box") else "right")
    for row in rows[:top]:
        p_ood = "-" if row["p_ood"] is None else f"{row['p_ood']:.2f}"
        like = "-" if row["class"] is None else f"{row['class']} {row['p_class']:.2f}"
        box = f"{row['left']},{row['top']} - {row['right']},{row['bottom']}"
        table.add_row(str(row["object"]), p_ood, f"{row['score']:.2f}", Text(like), f"{row['size']:,}", box)
    return table


def unknown_label(findings: Findings, k: int) -> str:
    """What is written beside the OoD segment at a position, such as "unknown, 91 %"."""
    found = findings.ood
    assert found is not None
    p_ood = _p_ood(findings, k)
    return unknown_score(float(found.score[k])) if p_ood is None else unknown_object(p_ood)


def _p_ood(findings: Findings, k: int) -> float | None:
    assert findings.ood is not None
    values = findings.ood.p_ood
    return None if values is None or math.isnan(values[k]) else float(values[k])


def _most_like(findings: Findings, k: int) -> Json:
    found = findings.ood
    assert found is not None
    if found.class_ids is None or found.p_class is None or found.class_ids[k] == UNLABELLED:
        return {"class": None, "p_class": None}
    return {"class": findings.labels.names[found.class_ids[k]], "p_class": float(found.p_class[k])}
