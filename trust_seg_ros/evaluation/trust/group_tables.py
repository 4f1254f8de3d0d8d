"""Tables by class and by distance to the boundary."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.evaluation.report.tabular import IN_FILE, IN_REPORT, Column, Table, Value
from trust_seg_ros.evaluation.trust.distance import NAMES as RANGES
from trust_seg_ros.evaluation.trust.draws import Arrangement
from trust_seg_ros.evaluation.trust.measures import ordering
from trust_seg_ros.evaluation.trust.study import Study
from trust_seg_ros.evaluation.trust.tables import ORDERING, SCORE, measured

_RECALL = (
    "Over all images, with the thresholds of every draw, mean over draws; images that a constant was calibrated on are "
    "not left out here."
)


def group_tables(s: Study, arrangement: Arrangement) -> tuple[Table, ...]:
    """Tables by predicted class, by true class and by distance: the best score on the page, all scores in files."""
    q = len(s.counts.classes)
    kinds = (
        ("predicted", "predicted class", (*s.counts.classes, "none (faulty)"), 0),
        ("true", "true class", s.counts.classes, q + 1),
        ("distance", "distance to the boundary", RANGES, 2 * q + 1),
    )
    tables: list[Table] = []
    for name, title, names, start in kinds:
        unit = ", px" if name == "distance" else ""
        first = Column(f"{title}{unit}", "text")
        columns = (first, Column("pixels", "count"), Column("wrong, %"), *ORDERING)
        by_score = {score: _orderings(s, score, names, start) for score in s.clean.orderings}
        every = tuple((score, *row) for score, rows in by_score.items() for row in rows)
        note = "Within each group: how well the score ranks misclassified pixels above the others."
        best = tuple(by_score[s.best_score])
        tables.append(Table(f"by_{name}", f"By {title}, {s.best_score}", columns, best, note, IN_REPORT))
        tables += _flags(s, arrangement, name, first, names, start)
        tables.append(Table(f"by_{name}_all", f"By {title}, every score", (SCORE, *columns), every, place=IN_FILE))
    return tuple(tables)


def _orderings(s: Study, score: str, names: tuple[str, ...], start: int) -> list[tuple[Value, ...]]:
    counts = s.counts.scores[score].groups
    rows: list[tuple[Value, ...]] = []
    for k, group in enumerate(names):
        right, wrong = counts[start + k]
        found = ordering(wrong, right)
        if found.pixels:
            rows.append((group, found.pixels, found.wrong, *measured(found)))
    return rows


def _flags(
    s: Study, arrangement: Arrangement, name: str, first: Column, names: tuple[str, ...], start: int
) -> tuple[Table, Table]:
    """Recall of every policy in each group, and the share of the group that it flags."""
    found = [o for o in s.clean.outcomes[arrangement.name] if o.score == s.best_score and not o.reason]
    totals = s.counts.scores[s.best_score].groups.sum(-1)
    recalls: list[tuple[Value, ...]] = []
    shares: list[tuple[Value, ...]] = []
    for k, group in enumerate(names):
        pixels, wrong = int(totals[start + k].sum()), int(totals[start + k, 1])
        if pixels:
            flagged = [o.groups[start + k] for o in found]
            recalls.append((group, *(float(f[1] / wrong) if wrong else np.nan for f in flagged)))
            shares.append((group, *(float(f.sum() / pixels) for f in flagged)))
    columns = (first, *(Column(f"{o.policy.name}, %") for o in found))
    where, place = f"by {first.title.removesuffix(', px')}, {s.best_score}", IN_FILE if name == "true" else IN_REPORT
    return (
        Table(f"by_{name}_recall", f"Recall {where}", columns, tuple(recalls), _RECALL, place),
        Table(f"by_{name}_flagged", f"Share flagged {where}", columns, tuple(shares), place=IN_FILE),
    )
