"""Tables of the study of clean images."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.evaluation.meta.study import Spread
from trust_seg_ros.evaluation.report.tabular import IN_FILE, IN_REPORT, Column, Table, Value
from trust_seg_ros.evaluation.trust.draws import Arrangement
from trust_seg_ros.evaluation.trust.measures import Ordering
from trust_seg_ros.evaluation.trust.outcomes import Outcome
from trust_seg_ros.evaluation.trust.study import Study

SCORE, POLICY = Column("score", "text"), Column("policy", "text")
ORDERING = tuple(Column(title) for title in ("AUROC, %", "AuPRC, %", "FPR95, %", "AURC, %", "excess AURC, %"))
OUTCOME = (
    Column("threshold", "number"),
    *(Column(t) for t in ("recall, %", "precision, %", "flagged, %", "missed per image, %", "error left, %")),
    Column("promise kept, %"),
)
_HOW = (
    "Recall, precision: of misclassified pixels. Missed per image: mean over images of the share of their misclassified"
    " pixels that is not flagged, which conformal keeps at alpha or below in the mean. Error left: error rate of the "
    "pixels that are not flagged. Promise kept: share of the draws in which the promised recall, or alpha, held."
)


def scores(s: Study) -> Table:
    """Measures of every score that need no threshold."""
    columns = (SCORE, *ORDERING, Column("time, ms", "number"))
    rows: list[tuple[Value, ...]] = []
    for score, found in s.clean.orderings.items():
        times = s.counts.scores[score].milliseconds
        rows.append((score, *measured(found), float(np.median(times[1:] if len(times) > 1 else times))))
    blur = max(o.blur for judged in (s.clean, *s.shifted) for o in judged.orderings.values())
    note = (
        "Is a pixel misclassified? Pooled over all images, void left out; pixels of one bin count as equal, which "
        f"moves AUROC and AuPRC by {100 * blur:.2f} points at most. AURC: mean over all numbers of pixels kept, the "
        "most trusted first, of their error rate; excess: beyond that of the best possible order. Time: median per "
        f"image beside the network's {s.counts.network_ms:.0f} ms; softmax scores are made in one go."
    )
    return Table("scores", "Scores", columns, tuple(rows), note)


def reliability(s: Study) -> Table:
    """The bins of the reliability diagram."""
    found = s.clean.reliability
    columns = (
        Column("confidence from", "number"),
        Column("to", "number"),
        Column("pixels", "count"),
        Column("mean confidence, %"),
        Column("accuracy, %"),
    )
    n, rows = len(found.pixels), []
    for k, (pixels, right, total) in enumerate(zip(found.pixels, found.right, found.confidence, strict=True)):
        shares = (total / pixels, right / pixels) if pixels else (np.nan, np.nan)
        rows.append((k / n, (k + 1) / n, int(pixels), *map(float, shares)))
    note = f"Softmax confidence; expected calibration error {100 * found.ece:.2f} %, {n} bins (Guo et al. 2017)."
    return Table("reliability", "Reliability", columns, tuple(rows), note, IN_FILE)


def policies(s: Study, arrangement: Arrangement) -> tuple[Table, Table]:
    """Policies: the best score on the page, all scores in the file."""
    found = s.clean.outcomes[arrangement.name]
    best = tuple((o.policy.name, *shares(o)) for o in found if o.score == s.best_score)
    everything = tuple((o.score, o.policy.name, *shares(o)) for o in found)
    title = f"Policies, {s.best_score}, calibrated on {arrangement.name}"
    text = arrangement.text[0].upper() + arrangement.text[1:]
    runs = "mean ± standard deviation over draws. " if len(arrangement.draws) > 1 else ""
    return (
        Table("policies", title, (POLICY, *OUTCOME), best, f"{text}; {runs}{_HOW}"),
        Table("policies_all", "Policies on every score", (SCORE, POLICY, *OUTCOME), everything, place=IN_FILE),
    )


def cost(s: Study, arrangement: Arrangement) -> tuple[Table, ...]:
    """Cost of the calibrated policies with every score: the share of the image that they flag."""
    names = [p.name for p in s.policies if p.calibrated]
    if not names or len(s.clean.orderings) < 2:
        return ()
    columns = [SCORE]
    columns += [Column(f"{what} {name}, %") for name in names for what in ("recall", "flagged")]
    rows = []
    for score in s.clean.orderings:
        row: list[Value] = [score]
        for name in names:
            found = s.clean.outcome(arrangement.name, score, name)
            row += [Spread.of(found.recall), Spread.of(found.flagged)]
        rows.append(tuple(row))
    note = "At the promised recall or risk, the score that flags least is the best."
    title = f"What calibrated policies cost, calibrated on {arrangement.name}"
    return (Table("cost", title, tuple(columns), tuple(rows), note, IN_REPORT),)


def draws(s: Study, arrangement: Arrangement) -> Table:
    """Every single draw, for every score and policy."""
    rows = []
    for o in s.clean.outcomes[arrangement.name]:
        values = (o.thresholds, o.recall, o.precision, o.flagged, o.missed, o.left)
        for draw, numbers in zip(arrangement.draws, np.stack(values, 1).tolist(), strict=True):
            rows.append((draw.name, o.score, o.policy.name, *numbers))
    columns = (Column("draw", "text"), SCORE, POLICY, *OUTCOME[:-1])
    return Table("draws", "Every draw", columns, tuple(rows), place=IN_FILE)


def measured(found: Ordering) -> tuple[float, ...]:
    """The values of ``ORDERING``."""
    return found.auroc, found.auprc, found.fpr95, found.aurc, found.excess


def shares(o: Outcome) -> tuple[Value, ...]:
    """The values of ``OUTCOME``."""
    values = (o.thresholds, o.recall, o.precision, o.flagged, o.missed, o.left)
    return (*(Spread.of(value) for value in values), o.kept)
