"""The four commands from a network of one's own to a node with its best score and its own judges, and what they give.

The network is ``street_net.py``, which the package does not know: it comes by factory, before and after the first of
the four. The score is chosen, and the judge of unknown objects fitted, on cut-outs pasted into streets of other towns
and on drawn scenes. The photographs of roadanomaly_open are looked at last and decide nothing.
"""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import street_net
from pages import Sheet, score_sheet
from scores import Places, scores_of

from trust_seg_ros.evaluation.anomaly.sources import LeftOut
from trust_seg_ros.evaluation.meta import measures
from trust_seg_ros.fitting.store import SegmentStore
from trust_seg_ros.meta.model_file import load_meta_model
from trust_seg_ros.meta.ood import load_ood_model
from trust_seg_ros.thresholds.calibration import load_calibration

PLAIN, TAUGHT = "street_net:plain", "street_net:taught"
HERE = Path(__file__).resolve().parent
UNSEEN = "without=kind_in_roadanomaly"
"""Kinds of the photographs that are judged are left out, so that none of them was seen."""
DRIVE_PART = "synthetic:seeds=30000-30059:kinds=sofa,ladder,crate,suitcase:rate=4"
"""Scenes that the judge of unknown objects is judged on."""
RECIPE = "--ood-rest labelled --ratio 1 --learning-rate 1e-4 --epochs 1 --crop 192 256 --loss-stride 2 --augment strong"
JUDGING = "--grid area:480x360 --segment-limits 50 50 --features meta_scale_free --classifier boosting --keep 0.98"
Row = dict[str, str]


def finetune(data: Path, out: Path) -> list[str]:
    """1. Entropy maximisation."""
    cut, camvid = data / "cutouts", data / "camvid"
    pasted = f"pasted:objects={cut}:objects_split=train:{UNSEEN}:on={camvid}:on_split=train:seeds=0-399"
    drawn = "synthetic:seeds=10000-10199:kinds=deer,cow,dog,box,tyre,debris:rate=4"
    labelled = ["--in-distribution", str(camvid), "synthetic:seeds=0-121"]
    return ["finetune", "--model", PLAIN, *labelled, "--ood", pasted, drawn, *RECIPE.split(), "--out", str(out)]


def calibrate(data: Path, model: str, out: Path) -> list[str]:
    """2. Statistics of the features, thresholds, and the best score for misclassified pixels."""
    splits = ["--split", "val", "--statistics-split", "train", "--unordered", "--meta-model", "none"]
    return ["calibrate", str(data / "camvid"), *splits, "--model", model, "--score", "all", "--out", str(out)]


def fit(data: Path, model: str, out: Path) -> list[str]:
    """3. The judge of class segments."""
    splits = ["--split", "val", "--judge", "test", "--features", "meta_scale_free"]
    return ["fit", str(data / "camvid"), *splits, "--model", model, "--out", str(out)]


def benchmark(data: Path, model: str, folder: Path) -> list[str]:
    """4. The best score for unknown objects, and the judge of its segments."""
    cut, streets = f"pasted:objects={data / 'cutouts'}:{UNSEEN}", f"on={data / 'street_photos'}"
    choose = f"{cut}:objects_split=hold_out:{streets}:on_named=*_uk/*+paris*:seeds=70000-70049"
    fits = [
        f"{cut}:objects_split=train:{streets}:on_named=*palma*+*mallorca*+*coruna*:seeds=71000-71069",
        "synthetic:seeds=20000-20069:kinds=sheep,barrel,ball,trolley:rate=4",
    ]
    scores = ["--score", "all", "--threshold", "fit", "--calibration", str(folder / "calibration.json")]
    saved = ["--leave-source-out", "--save-meta", str(folder / "ood.json"), "--force", "--out", str(folder / "chosen")]
    return ["benchmark", choose, "--fit-on", *fits, *scores, *JUDGING.split(), "--model", model, *saved]


def foreign(places: Places) -> list[Sheet]:
    """The sheets ``foreign_scores`` and ``foreign_judges``."""
    runs = places.runs
    os.environ[street_net.RUNS] = str(runs.resolve())
    sys.path.insert(0, str(HERE))
    weights = runs / street_net.PLAIN
    _once(weights, str(HERE / "train_street_net.py"), str(places.data / "camvid"), str(weights))
    _trust_seg(runs / street_net.TAUGHT, finetune(places.data, (runs / street_net.TAUGHT).parent))
    models = {"before": PLAIN, "after": TAUGHT}
    found = {
        f"{name}, {when}": scores for when, model in models.items() for name, scores in scores_of(model, places).items()
    }
    columns = {when: judged(model, places.data, runs / when) for when, model in models.items()}
    names = ("photographs, before", "photographs, after", "drive, before", "drive, after")
    rows = [[title, columns["before"][title], columns["after"][title]] for title in columns["before"]]
    head = ["", "before", "after"]
    return [
        score_sheet("foreign_scores", {name: found[name] for name in names}),
        Sheet("foreign_judges", head, rows, [head, *rows]),
    ]


def judged(model: str, data: Path, folder: Path) -> dict[str, str]:
    """What three of the four commands name and fit for one network, and how good that is."""
    folder.mkdir(parents=True, exist_ok=True)
    camvid = data / "camvid"
    _trust_seg(folder / "calibration.json", calibrate(data, model, folder / "calibration.json"))
    _trust_seg(folder / "meta.json", fit(data, model, folder / "meta.json"))
    _trust_seg(folder / "ood.json", benchmark(data, model, folder))
    miou = folder / "miou.csv"
    _trust_seg(miou, ["miou", str(camvid), "--split", "test", "--model", model, "--csv", str(miou)])
    best = load_calibration(folder / "calibration.json").summary["best_score"]
    ood = load_ood_model(folder / "ood.json")
    left_out = [
        LeftOut(**{**row, "auroc": math.nan if row["auroc"] is None else row["auroc"]})
        for row in ood.summary["left_out"]
    ]
    found = {
        "mIoU on CamVid test, %": _percent({row["class"]: row["iou"] for row in _rows(miou)}["mean"]),
        "best score for misclassified pixels (`calibrate`), AUROC": f"`{best['score']}`, "
        f"{_percent(best['auroc'][best['score']])}",
        "AUROC of P(wrong) on CamVid test, of the entropy, %": " / ".join(map(_percent, _wrong(folder))),
        "best score for unknown objects (`benchmark`), AuPRC where it is chosen": f"`{ood.score}`, "
        f"{_percent(_row(folder / 'chosen' / 'pixels.csv', ood.score)['AuPRC'])}",
        "judge, sources left out: AUROC, %": ", ".join(_percent(row.auroc) for row in left_out),
        "judge, worse than none on": f"{sum(bool(row.worse) for row in left_out)} of {len(left_out)} sources left out",
    }
    for name, images in (("photographs", str(data / "roadanomaly_open")), ("drive", DRIVE_PART)):
        found |= _unknown(name, images, model, folder)
    return found


def _unknown(name: str, images: str, model: str, folder: Path) -> dict[str, str]:
    """The judge of OoD segments on images that nothing was chosen by."""
    report, stored = folder / name, ["--meta-model", str(folder / "ood.json"), "--segment-limits", "50", "10"]
    more = ["--calibration", str(folder / "calibration.json"), "--track", "obstacle", "--model", model]
    _trust_seg(report / "segment_errors.csv", ["benchmark", images, *stored, *more, "--out", str(report)])
    score = load_ood_model(folder / "ood.json").score
    pixels, errors = _row(report / "pixels.csv", score), _row(report / "segment_errors.csv", score)
    f1 = [_percent(row["F1*"]) for row in _rows(report / "objects.csv")]
    return {
        f"{name}: AuPRC / FPR95 of that score, %": f"{_percent(pixels['AuPRC'])} / {_percent(pixels['FPR95'])}",
        f"{name}: AUROC of the judge, %": _percent(_row(report / "meta_classifier.csv", score)["AUROC"]),
        f"{name}: false alarms, all and kept": f"{errors['FP before']} → {errors['FP after']}",
        f"{name}: objects missed, of {errors['objects']}": f"{errors['FN before']} → {errors['FN after']}",
        f"{name}: F1*, %": " → ".join(f1),
    }


def _wrong(folder: Path) -> tuple[float, float]:
    """AUROC of P(wrong) and of the mean entropy for wrong segments of CamVid test."""
    data = SegmentStore.open(folder / "meta.segments").read("test")
    wrong = data.iou_adj == 0
    p_wrong = load_meta_model(folder / "meta.json").predict(data)[0]
    return measures.auroc(p_wrong, wrong), measures.auroc(data.metrics[:, data.names.index("E")], wrong)


def _percent(share: str | float) -> str:
    return "–" if share in ("", "-") or math.isnan(float(share)) else f"{100 * float(share):.1f}"


@lru_cache
def _rows(path: Path) -> Sequence[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _row(path: Path, score: str) -> Mapping[str, str]:
    return next(row for row in _rows(path) if row["score"] == score)


def _trust_seg(result: Path, words: Sequence[str]) -> None:
    """A command of the package, unless its result is there."""
    _once(result, "-m", "trust_seg_ros.cli", *words)


def _once(result: Path, *words: str) -> None:
    """Python with these words, unless its result is there."""
    if result.exists():
        return
    begin = time.monotonic()
    print("$ python", *words, flush=True)
    paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    subprocess.run([sys.executable, *words], check=True, env={**os.environ, "PYTHONPATH": paths})
    print(f"{time.monotonic() - begin:.0f} s", flush=True)
