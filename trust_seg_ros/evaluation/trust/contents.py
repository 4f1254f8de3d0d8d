"""Contents of the study's report: sections, tables, figures and notes."""

from __future__ import annotations

from functools import partial

from trust_seg_ros.evaluation.report.report import Contents, Picture, Section, left_out
from trust_seg_ros.evaluation.report.tabular import Table
from trust_seg_ros.evaluation.trust import figures, shift_figures, shift_tables, tables
from trust_seg_ros.evaluation.trust.draws import Arrangement
from trust_seg_ros.evaluation.trust.group_tables import group_tables
from trust_seg_ros.evaluation.trust.monitor import Watch, monitor_table
from trust_seg_ros.evaluation.trust.panel import Panel
from trust_seg_ros.evaluation.trust.study import Study


def contents(s: Study, panel: Panel, watch: Watch) -> Contents:
    """Tables, figures and notes.

    Args:
        s: results of the study.
        panel: best and worst images.
        watch: how the shift monitor is tested.
    """
    pictures = tuple(Picture(name, caption, partial(draw, s)) for name, caption, draw in figures.DRAWN)
    sections = [
        Section("Scores", "", (tables.scores(s), tables.reliability(s)), pictures),
        *(_policies(s, arrangement) for arrangement in s.arrangements),
        Section("Classes and boundaries", "", group_tables(s, s.arrangements[0])),
    ]
    more: list[str] = []
    if s.shifted:
        sections.append(
            Section("Shift", "", (shift_tables.overview(s), *shift_tables.matrix(s), shift_tables.every_score(s)))
        )
        for arrangement in s.arrangements:
            table, said = monitor_table(s, arrangement, watch)
            sections.append(_shift(s, arrangement, table))
            more += said
    sections.append(Section("Images", "", (), (Picture("images", panel.caption, panel.draw),)))
    return Contents("Pixel trust: scores and threshold policies", tuple(sections), (*_notes(s), *more))


def _policies(s: Study, arrangement: Arrangement) -> Section:
    best, everything = tables.policies(s, arrangement)
    caption = f"Recall and flagged share of every policy on {s.best_score}, calibrated on {arrangement.name}"
    picture = Picture("policies", caption, partial(figures.trade, s, arrangement))
    title = f"Policies, calibrated on {arrangement.name}"
    made = (best, *tables.cost(s, arrangement), everything, tables.draws(s, arrangement))
    return Section(title, "", made, (picture,), _prefix(s, arrangement))


def _shift(s: Study, arrangement: Arrangement, monitor: Table) -> Section:
    caption = f"Misclassified pixels missed under shift, {s.best_score}, calibrated on {arrangement.name}"
    picture = Picture("shift_promise", caption, partial(shift_figures.promises, s, arrangement))
    made = (*shift_tables.guarantee(s, arrangement), monitor, *shift_tables.policies(s, arrangement))
    title = f"Promises under shift, calibrated on {arrangement.name}"
    return Section(title, "", made, (picture,), _prefix(s, arrangement))


def _prefix(s: Study, arrangement: Arrangement) -> str:
    """Prefix of file names, to distinguish several arrangements."""
    if len(s.arrangements) == 1:
        return ""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in arrangement.name) + "_"


def _notes(s: Study) -> list[str]:
    """Notes on undefined results, and on broken promises."""
    notes = []
    for judged in (s.clean, *s.shifted):
        if judged.wrong in (0.0, 1.0):
            what = "no pixel" if judged.wrong == 0.0 else "every pixel"
            notes.append(f"{judged.name}: {what} is misclassified; AUROC, AuPRC and FPR95 are undefined")
        if judged.skipped:
            notes.append(left_out(judged.name, judged.skipped))
    said = set()
    for (name, _, policy), found in s.thresholds.items():
        if found.reason and (name, policy) not in said:
            said.add((name, policy))
            notes.append(f"{policy}, calibrated on {name}: {found.reason}")
    for arrangement in s.arrangements:
        by_policy: dict[str, list[str]] = {}
        for policy, condition in shift_tables.broken(s, arrangement):
            by_policy.setdefault(policy, []).append(condition)
        for policy, conditions in by_policy.items():
            notes.append(
                f"{policy} on {s.best_score}, calibrated on {arrangement.name}: the guarantee does not hold under "
                f"{', '.join(conditions)}; it is given only for images like the calibration images"
            )
    return notes
