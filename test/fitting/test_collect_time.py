"""Segments of recordings, collected in order with what they were before."""

import json

import cv2
import numpy as np
import pytest

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.folders import LabelledFolder, pair_up
from trust_seg_ros.fitting.collect import collect
from trust_seg_ros.fitting.collect_time import time_plan, time_window
from trust_seg_ros.fitting.fit import fit
from trust_seg_ros.fitting.store import MANIFEST, SegmentStore
from trust_seg_ros.meta import MetaModelError, load_meta_model
from trust_seg_ros.meta.errors import StoreError
from trust_seg_ros.segments.history import TimeWindow, is_time_name, time_names

SIZE, FRAMES, VOID = (40, 56), 8, 9
RATE = 10.0


def picture(k, rng):
    """A green square on red that moves right, a blue phantom, noise; and the labels, with a void row through it."""
    labels = np.zeros(SIZE, np.uint8)
    labels[10:24, 4 + 2 * k : 20 + 2 * k] = 1
    seen = labels.copy()
    seen[30:36, 20 + 4 * (k % 2) : 40] = 2  # a phantom
    image = np.clip(np.eye(3)[seen] * (120 + 5 * k) + rng.normal(70, 10, (*SIZE, 3)), 0, 255).astype(np.uint8)
    truth = labels.copy()
    truth[16] = VOID
    truth[:6, :30] = 2  # a tenth is wrong
    return image, truth


@pytest.fixture
def drives(tmp_path):
    """Two drives of eight frames; every third has labels."""
    rng = np.random.default_rng(0)
    for kind in ("images", "labels"):
        (tmp_path / "drives" / "val" / kind).mkdir(parents=True)
    for name in "ab":
        for k in range(FRAMES):
            image, truth = picture(k, rng)
            cv2.imwrite(str(tmp_path / "drives" / "val" / "images" / f"{name}_{k}.png"), image[..., ::-1])
            if k % 3 == 1:
                cv2.imwrite(str(tmp_path / "drives" / "val" / "labels" / f"{name}_{k}.png"), truth)
    return tmp_path / "drives"


@pytest.fixture
def folder(drives):
    root = drives / "val"
    return LabelledFolder(pair_up(root / "images", root / "labels", some=True), 3, (VOID, 255))


@pytest.fixture
def run(colours, folder, tmp_path):
    def collected(name="t.segments", frames=4, **options):
        plan = time_plan(folder, time_window(folder, frames, RATE), RATE)
        return collect(
            colours, folder, tmp_path / name, "val", **{"workers": 1, "part_images": 2, "time": plan, **options}
        )

    return collected


def contents(store):
    return {path.name: path.read_bytes() for path in store.path.rglob("*.parquet")}


def test_labelled_frames_know_the_frames_before_them(run):
    store = run()
    assert store.identity.time == TimeWindow(0.4)
    assert store.entry("val").rate_hz == pytest.approx((10.0, 10.0))
    names = ("image_index", "class_id", "size", "E", "time.rows", "time.age_s", "time.gap_s", "time.change.S")
    found = store.columns("val", names, interior_only=True)
    square = found["class_id"] == 1
    for image, (rows, age) in enumerate([(1, 0.1), (3, 0.4), (3, 0.7)]):  # frames 1, 4 and 7 of the first drive
        mine = (found["image_index"] == image) & square
        assert mine.sum() == 2, "the void row divides the square, and both parts were followed as one"
        assert found["time.rows"][mine].tolist() == [rows, rows]
        assert found["time.age_s"][mine] == pytest.approx([age, age])
    assert (found["time.gap_s"] == 0).all()
    data = store.read("val")
    assert data.time == TimeWindow(0.4, 10, store.entry("val").rate_hz)


def test_metrics_of_the_frame_are_those_without_time(run, colours, folder, tmp_path):
    with_past = run().read("val")
    alone = collect(colours, folder, tmp_path / "alone.segments", "val", workers=1).read("val")
    assert alone.time is None
    assert with_past.names == (*alone.names, *time_names(alone.names))
    np.testing.assert_array_equal(with_past.metrics[:, : len(alone.names)], alone.metrics)
    np.testing.assert_array_equal(with_past.iou_adj, alone.iou_adj)


def test_an_interrupted_run_gives_the_same_table(run, tmp_path):
    whole = contents(run("whole.segments"))

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("again.segments", progress=stop)
    assert contents(run("again.segments")) == whole
    assert len(whole) == 3


@pytest.mark.slow
def test_two_workers_give_the_same_table(run):
    assert contents(run("one.segments")) == contents(run("two.segments", workers=2))


def test_a_table_looks_back_one_way_only(run):
    run()
    with pytest.raises(
        StoreError, match=r"its metrics over time look back 0\.4 s in 10 rows, wanted now: 0\.3 s in 10"
    ):
        run(frames=3)
    with pytest.raises(StoreError, match=r"look back 0\.4 s in 10 rows, wanted now: not at all"):
        run(time=None)


def test_unreadable_frames_are_gaps_and_unreadable_labels_are_named(run, drives):
    (drives / "val" / "images" / "a_2.png").write_bytes(b"broken")
    (drives / "val" / "labels" / "b_4.png").write_bytes(b"broken")
    with pytest.raises(DatasetError, match=r"b_4\.png"):
        run()
    store = run(keep_going=True)
    assert list(store.entry("val").skipped) == ["b_4"]
    found = store.columns("val", ("image_index", "class_id", "time.rows"), interior_only=True)
    assert set(found["time.rows"][(found["image_index"] == 1) & (found["class_id"] == 1)]) == {3.0}


def test_the_model_says_how_far_it_looks_back(run, tmp_path):
    data = run().read("val")
    model = fit(data, "E,S,time.change.E,time.rows", classifier="boosting")
    assert model.time == data.time
    model.save(tmp_path / "m.json")
    assert load_meta_model(tmp_path / "m.json").time == model.time
    assert json.loads((tmp_path / "m.json").read_text())["time"]["window_s"] == pytest.approx(0.4)
    assert fit(data, "E,S", classifier="boosting").time is None
    alone = data.rows(np.arange(len(data)))
    object.__setattr__(alone, "names", tuple(name for name in data.names if not is_time_name(name)))
    with pytest.raises(MetaModelError, match=r"looks at metrics over time .* these segments are of single images"):
        model.predict(alone)
    with pytest.raises(MetaModelError, match="the set metaseg_time has metrics over time, and these segments are of"):
        fit(alone, "metaseg_time")
    with pytest.raises(MetaModelError, match=r"'time\.change\.E' is a metric over time"):
        fit(alone, "time.change.E")


def test_windows_that_cannot_be_are_refused(folder):
    with pytest.raises(DatasetError, match="1 frames to look back; expected at least 2"):
        time_window(folder, 1, RATE)
    with pytest.raises(DatasetError, match=r"frames lie 2 s apart, .* more than 1\.2 s: .* another --rate"):
        time_window(folder, 4, 0.5)


def test_a_manifest_with_an_impossible_window_is_refused(run, tmp_path):
    store = run()
    text = (store.path / MANIFEST).read_text().replace('"window_s": 0.4', '"window_s": -1.0')
    data = json.loads(text)
    del data["sha256"]
    (store.path / MANIFEST).write_text(json.dumps({**data, "version": 1}))
    with pytest.raises(StoreError, match=r"window_s = -1\.0: expected seconds above 0"):
        SegmentStore.open(store.path)
