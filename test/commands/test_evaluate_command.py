"""``trust-seg evaluate`` from images to the report, with the embedded network on the synthetic drive."""

import csv
import os
import shutil

import cv2
import pytest

from trust_seg_ros.cli import main
from trust_seg_ros.fitting.store import SegmentStore
from trust_seg_ros.synthetic import training_sample

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("coarse_figures")]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Two drives of two images in val, one image in test."""
    root = tmp_path_factory.mktemp("drive")
    names = {"val": ["a_0", "a_1", "b_0", "b_1"], "test": ["c_0"]}
    seeds = iter(range(5))
    for split, stems in names.items():
        for kind in ("images", "labels"):
            (root / split / kind).mkdir(parents=True)
        for stem in stems:
            image, labels = training_sample(next(seeds), (180, 240))
            cv2.imwrite(str(root / split / "images" / f"{stem}.png"), image[..., ::-1])
            cv2.imwrite(str(root / split / "labels" / f"{stem}.png"), labels)
    return root


@pytest.fixture(scope="module")
def evaluated(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "report"
    options = ["--split", "val", "--fit-on", "test", "--arrangement", "by_image", "by_drive"]
    words = ["evaluate", str(dataset), *options, "--runs", "2", "--workers", "1", "--out", str(out)]
    assert main(words) == 0
    return words, out


def test_the_report_has_all_arrangements_and_the_command(evaluated):
    words, out = evaluated
    page = (out / "report.md").read_text()
    assert f"```\ntrust-seg {' '.join(words)}\n```" in page
    assert "- network: embedded, 11 classes" in page
    assert "segments with an interior in 4 images" in page
    for heading in ("Summary", "by_image", "by_drive", "test → val"):
        assert f"\n## {heading}\n" in page
    with (out / "summary.csv").open() as file:
        rows = {row["arrangement"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["by_image", "by_drive", "test → val"]
    for row in rows.values():
        assert 0.55 < float(row["AUROC entropy"]) <= 1  # so few segments fit one metric, hardly 26
        assert 0 <= float(row["AUROC"]) <= 1
    for line in page.splitlines():
        if "](" in line:
            assert (out / line.rpartition("](")[2].rstrip(")")).is_file()


def test_figures_are_pictures(evaluated):
    pictures = list(evaluated[1].glob("*.png"))
    assert len(pictures) == 1 + 3 * 4
    for path in pictures:
        assert cv2.imread(str(path)).shape[1] == 1500


def test_without_the_data_set_the_stored_table_gives_the_same_numbers(evaluated, tmp_path, capsys):
    first = evaluated[1]
    out = tmp_path / "again"
    options = ["--split", "val", "--runs", "2", "--workers", "2", "--out", str(out)]
    assert main(["evaluate", "--cache", str(first / "segments"), *options]) == 0
    for name in ("by_image_classification.csv", "by_image_lasso_path.csv", "correlation.csv"):
        assert (out / name).read_bytes() == (first / name).read_bytes()
    assert not (out / "segments").exists()
    printed = capsys.readouterr().out
    assert "Meta classification" in printed
    assert "entropy baseline" in printed
    assert not (out / "by_drive_runs.csv").exists()


def test_other_metrics_targets_and_models_from_the_stored_table(evaluated, tmp_path):
    options = ["--split", "val", "--runs", "1", "--features", "meta_ood,-ndist_*", "--class-input", "one-hot"]
    more = ["--variant", "released", "--gradient-boosting", "--out", str(tmp_path)]
    assert main(["evaluate", "--cache", str(evaluated[1] / "segments"), *options, *more]) == 0
    page = (tmp_path / "report.md").read_text()
    assert "gradient boosting" in page
    assert "- IoU_adj: as in the authors' code" in page
    with (tmp_path / "correlation.csv").open() as file:
        metrics = {row["metric"]: row["class"] for row in csv.DictReader(file)}
    assert metrics["class_3"] == "Road"
    assert "E_bd_var" in metrics
    assert not any(name.startswith(("cprob", "ndist")) for name in metrics)


def test_only_segments_of_some_classes_are_judged(evaluated, tmp_path):
    words = ["evaluate", "--cache", str(evaluated[1] / "segments"), "--split", "val", "--runs", "1", "--features", "E"]
    assert main([*words, "--only-classes", "Road", "Building", "Sky", "Tree", "--out", str(tmp_path)]) == 0
    assert "- segments: only those predicted as Road, Building, Sky, Tree" in (tmp_path / "report.md").read_text()
    with next(tmp_path.glob("*classes.csv")).open() as file:
        shown = {row["class"] for row in csv.DictReader(file)}
    assert "Road" in shown <= {"Road", "Building", "Sky", "Tree", "all"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "train"], "no split 'train' in this segment table; there are: test, val"),
        (["--split", "val", "--fit-on", "val"], "--fit-on val: that is the split to judge on"),
        (["--split", "val", "--runs", "0"], "--runs 0: expected at least 1"),
        (["--force"], "--force removes the segment table, but there is no DATASET to make it anew from"),
        (["--split", "val", "--features", "colour"], "no segment metric 'colour'"),
        (["--split", "val", "--only-classes", "Raod"], "did you mean Road?"),
        (["--split", "test", "--arrangement", "by_drive"], "by_drive: all segments are of drive 'c'"),
    ],
)
def test_mistakes_are_one_clear_line(evaluated, tmp_path, capsys, options, message):
    out = tmp_path / "out"
    assert main(["evaluate", "--cache", str(evaluated[1] / "segments"), *options, "--out", str(out)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not out.exists()


def test_the_only_split_of_a_table_needs_no_name(dataset, tmp_path):
    assert main(["evaluate", str(dataset / "test"), "--runs", "1", "--out", str(tmp_path)]) == 2  # one image only
    options = ["--arrangement", "by_segment", "--runs", "1", "--out", str(tmp_path)]
    assert main(["evaluate", *options]) == 0
    assert "with an interior in 1 image, " in (tmp_path / "report.md").read_text()


def test_without_data_set_and_table_it_says_what_is_missing(tmp_path, capsys):
    assert main(["evaluate", "--out", str(tmp_path / "out")]) == 2
    assert "no segment table" in capsys.readouterr().err


def test_a_file_as_folder_is_refused_before_the_work(dataset, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert main(["evaluate", str(dataset), "--split", "val", "--out", str(tmp_path / "out")]) == 2
    assert "is a file; expected a folder" in capsys.readouterr().err


@pytest.mark.parametrize("with_data", [True, False])
@pytest.mark.parametrize("place", ["/proc/foo/bar", "{tmp}/file/out"])
def test_a_folder_that_cannot_be_made_is_refused_before_the_work(dataset, tmp_path, capsys, place, with_data):
    (tmp_path / "file").write_text("mine")
    table, place = tmp_path / "segments", place.format(tmp=tmp_path)
    data = [str(dataset), "--split", "test"] if with_data else []
    assert main(["evaluate", *data, "--cache", str(table), "--out", place]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert f"--out {place} cannot be written" in lines[0]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused_before_the_work(dataset, tmp_path, capsys):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert main(["evaluate", str(dataset), "--split", "test", "--out", str(tmp_path / "locked" / "out")]) == 2
    assert "Permission denied" in capsys.readouterr().err


def test_fresh_begins_a_table_of_other_data_anew(dataset, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(dataset / "test", data / "test")
    words = ["evaluate", str(data), "--split", "test", "--arrangement", "by_segment", "--runs", "1", "--workers", "1"]
    words += ["--out", str(tmp_path / "out")]
    assert main(words) == 0
    for kind in ("images", "labels"):
        shutil.copy(dataset / "val" / kind / "a_0.png", data / "test" / kind)
    capsys.readouterr()
    assert main(words) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0
    assert "with an interior in 2 images, " in (tmp_path / "out" / "report.md").read_text()


def test_images_left_out_are_named_with_the_reason(dataset, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(dataset / "val", data / "val")
    (data / "val" / "images" / "a_1.png").write_bytes(b"no picture")
    words = ["evaluate", str(data), "--split", "val", "--arrangement", "by_image", "--runs", "1", "--workers", "1"]
    assert main([*words, "--keep-going", "--out", str(tmp_path / "out")]) == 0
    ((name, reason),) = SegmentStore.open(tmp_path / "out" / "segments").entry("val").skipped.items()
    assert "a_1" in name
    printed = capsys.readouterr().out
    shown = printed[printed.index("left out") :]
    assert name in shown
    assert reason.split()[0] in shown  # long reasons are wrapped
    assert reason.split()[-1] in shown
    page = (tmp_path / "out" / "report.md").read_text()
    assert f"\n- left out of val: {name} ({' '.join(reason.split())})\n" in page
