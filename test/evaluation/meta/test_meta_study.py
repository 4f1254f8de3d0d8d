"""Runs together: means, groups, tables and figures of them."""

import csv
import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from coarse_figures import coarse
from meta_segments import NAMES, segments
from sklearn.metrics import roc_auc_score

from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.meta import figures, tables
from trust_seg_ros.evaluation.meta.contents import contents, counts
from trust_seg_ros.evaluation.meta.judge import Outcome
from trust_seg_ros.evaluation.meta.splits import Arrangement, Run, by_drive, by_image, by_segment, fit_on
from trust_seg_ros.evaluation.meta.study import Study, study
from trust_seg_ros.evaluation.report.report import Report, write
from trust_seg_ros.evaluation.report.tabular import IN_FILE, ON_SCREEN
from trust_seg_ros.meta.errors import MetaModelError

pytestmark = pytest.mark.slow

LAMBDAS = np.geomspace(0.5, 1e-4, 8)


def _arrangements(data):
    return [by_image(data, 3), by_segment(data, 2), by_drive(data)]


@pytest.fixture(scope="module")
def data():
    return segments(n=600)


@pytest.fixture(scope="module")
def studies(data):
    return study(_arrangements(data), NAMES, lambdas=LAMBDAS, boosting=True, workers=2)


@pytest.fixture(scope="module")
def alone(data):
    """The same by one worker, and the progress that was told."""
    seen = []
    found = study(
        _arrangements(data),
        NAMES,
        lambdas=LAMBDAS,
        boosting=True,
        workers=1,
        progress=lambda done, total: seen.append((done, total)),
    )
    return found, seen


def _texts(table):
    return {row[0]: row for row in table._texts()}


def test_the_numbers_do_not_depend_on_the_workers(studies, alone):
    alone, seen = alone
    assert seen == [(k, 7) for k in range(8)]
    for a, b in zip(studies, alone, strict=True):
        for one, other in zip(a.outcomes, b.outcomes, strict=True):
            assert repr(one.scores) == repr(other.scores)
            np.testing.assert_array_equal(one.path.coefficients, other.path.coefficients)
            np.testing.assert_array_equal(one.iou_adj, other.iou_adj)


def _by_hand():
    """Six segments; run 0 judges the first four, run 1 the last three."""
    data = segments(n=6, images=2).rows(np.arange(6))
    data = replace(
        data,
        iou_adj=np.array([0.0, 0.0, 0.5, 1.0, 0.0, 0.8]),
        class_ids=np.array([0, 0, 0, 1, 1, 1], np.uint8),
    )
    runs, outcomes = [], []
    for name, rows, logit, iou in (
        ("run 0", [0, 1, 2, 3], [2.0, -1.0, -2.0, -3.0], [0.1, 0.3, 0.5, 0.9]),
        ("run 1", [3, 4, 5], [1.0, 3.0, -1.0], [0.8, 0.2, 0.8]),
    ):
        judged = np.isin(np.arange(6), rows)
        runs.append(Run(name, ~judged, judged))
        outcomes.append(Outcome(name, {}, None, np.array(rows), np.array(logit), -np.array(logit), np.array(iou)))
    return Study(Arrangement("by_image", "", data, tuple(runs), data.image), NAMES, tuple(outcomes), LAMBDAS)


def test_groups_by_hand():
    s = _by_hand()
    road, sky = s.groups(s.data.class_ids, ("road", "sky", "fence"))
    assert (road.name, road.segments, road.accuracy, road.auroc, road.entropy_auroc) == ("road", 3, 2 / 3, 1.0, 0.0)
    assert road.wrong == pytest.approx(2 / 3)
    assert road.sigma == pytest.approx(np.sqrt((0.01 + 0.09) / 3))
    assert road.r_squared == pytest.approx(1 - 0.1 / (2 * (1 / 6) ** 2 + (1 / 3) ** 2))
    # segment 3 was judged twice: it counts twice in the scores, once in the number of segments
    assert (sky.segments, sky.wrong, sky.accuracy) == (3, 1 / 4, 3 / 4)
    assert sky.iou_adj == pytest.approx((1.0 + 1.0 + 0.0 + 0.8) / 4)
    assert sky.auroc == pytest.approx(roc_auc_score([0, 0, 1, 0], [-3.0, 1.0, 3.0, -1.0]))


def test_a_class_of_a_single_kind_has_no_auroc():
    s = _by_hand()
    s = replace(s, arrangement=replace(s.arrangement, data=replace(s.data, iou_adj=np.where(s.data.class_ids, 0.7, 0))))
    for row in tables.by_class(s)._texts()[:2]:
        assert row[4:7] == ["-", "-", "-"]  # AUROC, that of the baseline, R²
        assert row[3] != "-"
    assert _texts(tables.by_class(s))["all"][4] != "-"


def test_groups_by_drive_and_size(studies):
    s = studies[2]
    rows = _texts(tables.by_drive(s))
    of_segment = np.array(s.data.drives)[s.data.image]
    assert list(rows) == ["a", "b", "all"]
    assert [rows[d][1] for d in ("a", "b", "all")] == [
        str(n) for n in (*np.unique(of_segment, return_counts=True)[1], 600)
    ]
    sizes = tables.by_size(s)
    size = s.data.metrics[:, 0]
    expected = [np.sum(size < 30), np.sum((size >= 30) & (size < 100)), np.sum((size >= 100) & (size < 300))]
    assert [row[1] for row in sizes.rows][:3] == expected
    assert sizes.rows[-1][1] == 600


def test_classification_and_regression_have_every_model(studies):
    s = studies[0]
    wrong = _texts(tables.classification(s))
    assert list(wrong) == list(tables.CLASSIFIERS)
    assert wrong["majority share"][3:] == ["-", "-"]
    assert all("±" in cell for cell in wrong["all metrics"][1:])
    iou = tables.regression(s).rows
    assert [row[:2] for row in iou] == [(t, m) for t in ("IoU_adj", "IoU") for m in tables.REGRESSORS]
    # the fixture's IoU is 0.9 IoU_adj: the same R², σ smaller by that
    plain = len(tables.REGRESSORS)
    assert iou[plain][5].mean == pytest.approx(iou[0][5].mean)
    assert iou[plain][3].mean == pytest.approx(0.9 * iou[0][3].mean)


def test_without_boosting_there_is_no_row_for_it(data):
    s = study([by_image(data, 1)], NAMES, lambdas=LAMBDAS)[0]
    assert "gradient boosting" not in _texts(tables.classification(s))
    assert "±" not in tables.classification(s).markdown()  # one run has no deviation


def test_the_summary_has_paired_gains(studies):
    table = tables.summary(studies)
    assert [row[:2] for row in table.rows] == [("by_image", 3), ("by_segment", 2), ("by_drive", 2)]
    auroc, entropy, gain = (table.rows[0][k] for k in (3, 5, 6))
    assert gain.mean == pytest.approx(auroc.mean - entropy.mean)
    assert gain.mean > 0.1


def test_correlations_are_sorted_and_constants_are_told_nothing_of(data):
    table = tables.correlation(data, NAMES)
    assert [row[0] for row in table.rows[:2]] == ["D", "E"]
    assert table.rows[0][2] == pytest.approx(np.corrcoef(data.metrics[:, 2], data.iou_adj)[0, 1])
    assert table.rows[-1][0] == "still"
    assert _texts(table)["still"] == ["still", "", "-", "-"]
    assert _texts(table)["cprob_1"][1] == "sky"


def test_the_strongest_metric_enters_the_path_first(studies):
    s = studies[0]
    table = tables.metrics_of_path(s)
    assert [row[0] for row in table.rows[:2]] == ["D", "E"]
    assert [row[2] for row in table.rows[:-1]] == sorted((row[2] for row in table.rows[:-1]), reverse=True)
    assert _texts(table)["still"][2:] == ["-", "0.00", "0.000 ± 0.000"]
    rows = list(csv.DictReader(io.StringIO(tables.path(s).csv())))
    assert [float(row["λ"]) for row in rows] == pytest.approx(LAMBDAS, rel=1e-5)
    last = np.array([outcome.path.coefficients[-1, NAMES.index("D")] for outcome in s.outcomes])
    assert float(rows[-1]["D"]) == pytest.approx(last.mean(), rel=1e-4)
    assert float(rows[-1]["D std"]) == pytest.approx(last.std(), rel=1e-4)


def test_runs_are_listed_where_they_have_names(studies):
    table = tables.runs(studies[2])
    assert table.place == ON_SCREEN
    assert [row[0] for row in table.rows] == ["drive a", "drive b"]
    assert table.rows[0][1] == table.rows[1][2]
    assert tables.runs(studies[0]).place == IN_FILE


@pytest.mark.parametrize("draw", [figures.lasso, figures.scatter, figures.roc, figures.classes])
def test_figures_are_drawn(studies, draw, tmp_path):
    assert draw(studies[2], tmp_path / "figure.png")
    picture = cv2.imread(str(tmp_path / "figure.png"))
    assert picture.shape[1] == 1500
    assert len(np.unique(picture.reshape(-1, 3) @ [1 << 16, 1 << 8, 1])) > 50


def test_without_false_positives_regression_is_judged_all_the_same(tmp_path):
    data = segments(n=200)
    data = replace(data, iou_adj=0.2 + 0.8 * data.iou_adj)
    names = tuple(name for name in NAMES if name != "cprob_0")
    found = study([by_image(data, 2)], names, lambdas=LAMBDAS)
    report = Report.of(contents(found, data, names), ["evaluate"], {"test": counts(data)})
    assert (
        "no false positive among the fitted segments of run 0, run 1; the classifiers are undefined" in report.notes[0]
    )
    page = write(report, tmp_path / "out")[0].read_text()
    assert "| all metrics | - | - | - | - |" in page
    assert "0 false positives (0.00 %)" in page
    assert "by_image_scatter.png" in page
    assert not any(name in page for name in ("lasso.png", "roc.png", "classes.png"))


def test_the_report_of_the_same_segments_has_the_same_bytes(data, studies, alone, tmp_path):
    for name, found in (("a", studies[2:]), ("b", alone[0][2:])):
        with coarse():
            write(Report.of(contents(found, data, NAMES), ["evaluate"], {}), tmp_path / name)
    names = {p.name for p in (tmp_path / "a").iterdir()}
    assert names == {p.name for p in (tmp_path / "b").iterdir()}
    assert len(names) == 1 + 2 + 1 + 8 + 4  # page, summary and correlation, its figure, tables and figures by drive
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_fit_on_another_split_judges_that_one():
    found = study([fit_on(segments(seed=1), segments(seed=2), "val", "test")], NAMES, lambdas=LAMBDAS)[0]
    assert found.outcomes[0].rows.tolist() == list(range(400, 800))
    assert _texts(tables.summary([found]))["val → test"][1] == "1"


def test_mistakes_are_named(data):
    with pytest.raises(MetaModelError, match="lacks colour"):
        study([by_image(data, 1)], ("E", "colour"))
    with pytest.raises(EvaluationError, match="no metric 'E'"):
        study([by_image(replace(data, names=("S", "F", *NAMES[2:])), 1)], ("D",))
    with pytest.raises(EvaluationError, match="0 workers"):
        study([by_image(data, 1)], ("D",), workers=0)
    broken = replace(data, metrics=np.where(np.arange(6) == 2, np.nan, data.metrics))
    with pytest.raises(EvaluationError, match="values that are not finite: D"):
        study([by_image(broken, 1)], ("E", "D"))
