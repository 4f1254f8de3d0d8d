"""Tables of shifted images beside clean ones."""

from __future__ import annotations

import math

from trust_seg_ros.evaluation.meta.study import Spread
from trust_seg_ros.evaluation.report.tabular import IN_FILE, IN_REPORT, ON_SCREEN, Column, Table, Value
from trust_seg_ros.evaluation.trust.draws import Arrangement
from trust_seg_ros.evaluation.trust.study import Study
from trust_seg_ros.evaluation.trust.tables import ORDERING, OUTCOME, POLICY, SCORE, measured, shares
from trust_seg_ros.thresholds.policies.base import Calibrated

DATA = Column("data", "text")
_MANY = 12


def overview(s: Study) -> Table:
    """Effect of the shift on the network and on the best score; the file has all scores."""
    columns = (
        DATA,
        Column("images", "count"),
        Column("wrong, %"),
        Column("ECE, %"),
        Column("overconfidence, points"),
        *ORDERING,
    )
    rows: list[tuple[Value, ...]] = []
    for judged in (s.clean, *s.shifted):
        reliable = judged.reliability
        found = measured(judged.orderings[s.best_score])
        rows.append((judged.name, len(judged.images), judged.wrong, reliable.ece, reliable.overconfidence, *found))
    note = (
        "Wrong: share of misclassified pixels. ECE: expected calibration error of the softmax confidence; "
        "overconfidence: mean confidence - accuracy. The other columns are of the score alone, without any threshold."
    )
    return Table("shift", f"Clean and shifted, {s.best_score}", columns, tuple(rows), note, _place(s))


def every_score(s: Study) -> Table:
    """The same measures of every score."""
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (judged.name, score, *measured(found))
        for judged in (s.clean, *s.shifted)
        for score, found in judged.orderings.items()
    )
    return Table("shift_scores", "Clean and shifted, every score", (DATA, SCORE, *ORDERING), rows, place=IN_FILE)


def matrix(s: Study) -> tuple[Table, ...]:
    """AUROC of every score under every condition."""
    if len(s.clean.orderings) < 2:
        return ()
    columns = (DATA, *(Column(f"{score}, %") for score in s.clean.orderings))
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (judged.name, *(found.auroc for found in judged.orderings.values())) for judged in (s.clean, *s.shifted)
    )
    return (Table("shift_auroc", "AUROC under shift", columns, rows, "Higher is better.", IN_REPORT),)


def policies(s: Study, arrangement: Arrangement) -> tuple[Table, Table]:
    """Thresholds of clean images applied to shifted ones: the best score on the page, all scores in the file."""
    best: list[tuple[Value, ...]] = []
    everything: list[tuple[Value, ...]] = []
    for judged in (s.clean, *s.shifted):
        for o in judged.outcomes[arrangement.name]:
            everything.append((judged.name, o.score, o.policy.name, *shares(o)))
            if o.score == s.best_score:
                best.append((o.policy.name, judged.name, *shares(o)))
    order = [policy.name for policy in s.policies]
    best.sort(key=lambda row: order.index(str(row[0])))  # stable: conditions stay in their order
    note = "Thresholds come from clean calibration images; per-image policies compute their own."
    title = f"Policies under shift, {s.best_score}, calibrated on {arrangement.name}"
    place = IN_REPORT if len(s.shifted) <= _MANY else IN_FILE
    return (
        Table("shift_policies", title, (POLICY, DATA, *OUTCOME), tuple(best), note, place),
        Table(
            "shift_policies_all",
            "Policies under shift, every score",
            (DATA, SCORE, POLICY, *OUTCOME),
            tuple(everything),
            place=IN_FILE,
        ),
    )


def guarantee(s: Study, arrangement: Arrangement) -> tuple[Table, ...]:
    """Whether conformal and target_recall keep their promises under the shift."""
    promising = [p for p in s.policies if p.calibrated]
    if not promising:
        return ()
    columns = [DATA]
    for policy in promising:
        what = "missed" if policy.policy.needs == "risk" else "recall"
        columns += [Column(f"{what} {policy.name}, %"), Column(f"kept {policy.name}, %")]
    rows = []
    for judged in (s.clean, *s.shifted):
        cells: list[Value] = [judged.name]
        for policy in promising:
            found = judged.outcome(arrangement.name, s.best_score, policy.name)
            value = found.missed if policy.policy.needs == "risk" else found.recall
            cells += [Spread.of(value), found.kept]
        rows.append(tuple(cells))
    note = (
        "Missed: mean over images of the share of misclassified pixels that is not flagged; conformal promises at most "
        "alpha in the mean over draws, for images like the calibration images. Kept: share of the draws in which it "
        "held."
    )
    title = f"Is the promise kept under shift? {s.best_score}, calibrated on {arrangement.name}"
    return (Table("shift_promise", title, tuple(columns), tuple(rows), note, _place(s)),)


def broken(s: Study, arrangement: Arrangement) -> list[tuple[str, str]]:
    """(policy, condition) pairs whose mean risk over draws exceeds the promise, for the best score."""
    found = []
    for policy in s.policies:
        if isinstance(policy.policy, Calibrated) and policy.policy.needs == "risk":
            for judged in s.shifted:
                missed = Spread.of(judged.outcome(arrangement.name, s.best_score, policy.name).missed).mean
                if not math.isnan(missed) and missed > policy.policy.promise:
                    found.append((policy.name, judged.name))
    return found


def _place(s: Study) -> int:
    return ON_SCREEN if len(s.shifted) <= 2 * _MANY else IN_REPORT
