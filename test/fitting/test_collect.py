"""Collecting into a table that is there already, and from folders that are not as they should be."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from trust_seg_ros.datasets.folders import DatasetError, LabelledFolder, paired_folder
from trust_seg_ros.fitting.collect import collect, default_workers
from trust_seg_ros.fitting.store import MANIFEST, SegmentStore
from trust_seg_ros.grid import parsed_grid
from trust_seg_ros.meta.errors import CollectError, StoreError
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.support.content_hash import with_hash
from trust_seg_ros.support.parallel import cores


@pytest.fixture
def table(tmp_path):
    return tmp_path / "t.segments"


@pytest.fixture
def run(colours, blobs, table):
    """Collect with one worker; what is given replaces settings, folder, split and so on."""

    def collected(folder=blobs, split="val", settings=colours, table_name="", **options):
        place = table.with_name(table_name) if table_name else table
        return collect(settings, folder, place, split, **{"workers": 1, "part_images": 4, **options})

    return collected


@pytest.fixture
def weights(tmp_path):
    return tmp_path / "net" / "colours_net.weights"


def refused(run, match, **given):
    with pytest.raises(StoreError, match=match) as error:
        run(**given)
    assert "collect anew with --force" in str(error.value)


def test_other_weights_under_the_same_name_are_refused(run, weights):
    run()
    weights.write_text("2.0001")
    refused(run, r"it is of other weights: sha256 [0-9a-f]{64}, now [0-9a-f]{64}")
    refused(run, "it is of other weights", split="another")


def test_segments_are_made_on_the_grid_and_a_table_belongs_to_one(run, blobs, colours):
    store = run()
    first = blobs.read(blobs.samples[0])[0].shape[:2]
    data = store.read("val")
    assert data.grid == first
    assert data.image_sizes == (first,)
    assert "grid" not in json.loads((store.path / MANIFEST).read_text())["network"], "as in tables of earlier versions"
    half = parsed_grid(f"{first[1] // 2}x{first[0] // 2}")
    refused(run, f"its segments are made on the grid image, wanted now: {half}", grid=half)


def test_ground_truth_is_brought_to_the_grid(run, blobs):
    height, width = blobs.read(blobs.samples[0])[0].shape[:2]
    grid = parsed_grid(f"{2 * width}x{2 * height}")
    plain = run().read("val", interior_only=False)
    double = run(table_name="double.segments", grid=grid).read("val", interior_only=False)
    assert double.grid == (2 * height, 2 * width)
    assert double.image_sizes == plain.image_sizes == ((height, width),)
    pixels = [data.metrics[:, data.names.index("S")].sum() for data in (plain, double)]
    assert pixels[1] == 4 * pixels[0] > 0, "all pixels but those that ground truth ignores"
    assert 0 < double.false_positive.sum() < len(double)


def changed_manifest(store, **network):
    """An entry of None is removed."""
    content = json.loads((store.path / MANIFEST).read_text())
    merged = {**content["network"], **network}
    content["network"] = {key: value for key, value in merged.items() if value is not None}
    (store.path / MANIFEST).write_text(json.dumps(with_hash(content)))


def test_where_a_table_does_not_say_for_which_weights_the_answers_decide(run, weights):
    changed_manifest(run(), sha256=None)
    weights.write_text("2.0001")
    refused(run, "'colours_net:Colours' gives another answer than before; its weights have changed")


def test_on_another_machine_answers_may_differ_a_little(run, weights):
    changed_manifest(run(), sha256=None, machine="another")
    weights.write_text("2.000001")
    assert len(run().read("val")) > 0
    weights.write_text("2.02")
    refused(run, "weights have changed")


def test_another_input_is_refused(run, colours):
    run()
    refused(run, "input had size None, now it has ", settings=replace(colours, input_size=(32, 48)))
    refused(run, "input had order rgb, now it has bgr", settings=replace(colours, order="bgr"))


def test_other_classes_are_refused(run, tmp_path, colours):
    run()
    (tmp_path / "mine.yaml").write_text(json.dumps({"classes": [{"name": c} for c in ("x", "y", "z")]}))
    refused(
        run,
        "classes are red, green, blue; now they are x, y, z",
        settings=replace(colours, labels=f"{tmp_path}/mine.yaml"),
    )


def test_another_network_is_refused(run, tmp_path):
    run()
    (tmp_path / "net" / "other_net.py").write_text((tmp_path / "net" / "colours_net.py").read_text())
    (tmp_path / "net" / "other_net.weights").write_text("2.0")
    refused(
        run,
        "of network 'colours_net:Colours', now it is 'other_net:Colours'",
        settings=NetworkSettings("other_net:Colours", device="cpu"),
    )


def test_other_images_are_refused(run, blobs):
    run()
    refused(
        run,
        "'val' was collected from other data: 10 images then, 9 now",
        folder=replace(blobs, samples=blobs.samples[1:]),
    )
    swapped = (*blobs.samples[:3], blobs.samples[4], blobs.samples[3], *blobs.samples[5:])
    refused(run, "of its images, number 4 was 'a_006' and is 'a_008'", folder=replace(blobs, samples=swapped))
    drives = tuple(replace(sample, drive="d") for sample in blobs)
    refused(run, "of its drives, number 1 was 'a' and is 'd'", folder=replace(blobs, samples=drives))
    refused(run, "of its ignore, number 1 was 9 and is 8", folder=replace(blobs, ignore=(8, 255)))


def test_changed_files_are_refused(run, blobs):
    run()
    with blobs.samples[7].labels.open("ab") as file:
        file.write(b"\0")
    refused(run, r"files of 1 images of split 'val' have changed since they were collected \(b_005\)")


def test_a_first_image_that_gives_other_segments_is_refused(run, blobs):
    run()
    sample = blobs.samples[0]
    before = sample.labels.read_bytes()
    labels = cv2.imread(str(sample.labels), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(sample.labels), np.zeros_like(labels))
    grown = sample.labels.read_bytes()
    sample.labels.write_bytes(grown + bytes(len(before) - len(grown)))  # of the same size
    refused(run, "image 'a_000', computed again, gives other segments than those stored")


def test_a_second_split_joins_the_table(run, blobs):
    run()
    store = run(folder=replace(blobs, samples=blobs.samples[5:]), split="b")
    assert store.splits == ("b", "val")
    assert np.array_equal(store.read("b").metrics, store.read("val").rows(store.read("val").image >= 5).metrics)


def broken(blobs):
    blobs.samples[1].image.write_bytes(b"no image")
    labels = cv2.imread(str(blobs.samples[6].labels), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(blobs.samples[6].labels), labels[1:])
    labels[:] = 77
    cv2.imwrite(str(blobs.samples[8].labels), labels)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_without_keep_going_the_first_bad_image_stops_and_the_rest_is_kept(run, blobs, workers):
    clean = run(split="clean").read("clean")
    before = blobs.samples[1].image.read_bytes()
    broken(blobs)
    with pytest.raises(DatasetError, match=r"a_002\.png: not a readable image.*images are done and kept.*--keep-going"):
        run(workers=workers)
    blobs.samples[1].image.write_bytes(before)
    with pytest.raises(DatasetError, match=r"b_003.png: labels are 56x39.*\. \d of 10 images are done"):
        run(workers=1)
    store = run(keep_going=True)
    assert store.splits == ("clean", "val")
    kept = store.read("val")
    assert np.array_equal(kept.metrics, clean.rows(~np.isin(clean.image, [6, 8])).metrics)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_with_keep_going_bad_images_are_named_and_left_out(run, blobs, tmp_path, workers):
    clean = run(split="clean").read("clean")
    broken(blobs)
    store = run(workers=workers, keep_going=True)
    skipped = store.entry("val").skipped
    assert list(skipped) == ["a_002", "b_003", "b_007"]
    assert skipped["a_002"].startswith("a_002.png: not a readable image")
    assert "labels are 56x39, the image b_003.png is 56x40" in skipped["b_003"]
    assert "label values [77] are outside 0..2" in skipped["b_007"]
    assert str(tmp_path) not in (store.path / MANIFEST).read_text()
    left = clean.rows(~np.isin(clean.image, [1, 6, 8]))
    data = store.read("val")
    assert np.array_equal(data.metrics, left.metrics)
    assert np.array_equal(data.image, left.image)


def content(store):
    return {str(p.relative_to(store.path)): p.read_bytes() for p in sorted(store.path.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("keep_going", [True, False])
def test_repaired_images_are_collected_as_if_they_had_never_been_bad(run, colours, blobs, tmp_path, keep_going):
    cv2.imwrite(str(blobs.samples[2].labels), np.full((40, 56), 9, np.uint8))  # no segment, beside a bad image
    files = [path for sample in blobs for path in (sample.image, sample.labels)]
    before = [path.read_bytes() for path in files]
    whole = collect(colours, blobs, tmp_path / "whole", "val", workers=1, part_images=4)
    broken(blobs)
    run(keep_going=True)
    for path, data in zip(files, before, strict=True):
        path.write_bytes(data)
    seen = []
    store = run(keep_going=keep_going, progress=lambda done, total: seen.append(done))
    assert seen == [7, 8, 9, 10]  # the good images of the same parts are not computed again
    assert content(store) == content(whole)


def test_images_that_are_still_bad_stop_what_is_not_to_keep_going(run, blobs):
    image = blobs.samples[1].image.read_bytes()
    broken(blobs)
    before = content(run(keep_going=True))
    with pytest.raises(
        DatasetError, match=r"a_002\.png: not a readable.*7 of 10 images are done and kept.*--keep-going"
    ):
        run()
    assert content(run(keep_going=True)) == before
    blobs.samples[1].image.write_bytes(image)
    with pytest.raises(DatasetError, match=r"b_003\.png: labels are 56x39"):
        run()
    assert list(run(keep_going=True).entry("val").skipped) == ["b_003", "b_007"]


def test_an_image_that_is_bad_for_another_reason_says_the_new_one(run, colours, blobs, tmp_path):
    broken(blobs)
    run(keep_going=True)
    cv2.imwrite(str(blobs.samples[8].labels), np.full((40, 50), 1, np.uint8))
    store = run(keep_going=True)
    assert store.entry("val").skipped["b_007"].startswith("b_007.png: labels are 50x40")
    fresh = collect(colours, blobs, tmp_path / "f", "val", workers=1, part_images=4, keep_going=True)
    assert content(store) == content(fresh)


def test_only_bad_images_are_an_error_and_leave_nothing(run, blobs, table):
    for sample in blobs:
        sample.image.write_bytes(b"no image")
    with pytest.raises(CollectError, match=r"none of the 10 images could be read; a_000: a_000.png: not a readable"):
        run(keep_going=True)
    assert not table.exists()


def test_only_bad_images_leave_other_splits_alone(run, blobs, table):
    run(split="good")
    for sample in blobs:
        sample.image.write_bytes(b"no image")
    with pytest.raises(CollectError, match="none of the 10 images"):
        run(keep_going=True)
    assert SegmentStore.open(table).splits == ("good",)
    assert sorted(p.name for p in table.iterdir()) == [MANIFEST, "split=good"]


def test_an_image_without_any_segment_is_fine(run, blobs):
    for sample in (blobs.samples[0], blobs.samples[9]):
        cv2.imwrite(str(sample.labels), np.full((40, 56), 9, np.uint8))
    run()
    data = run().read("val")
    assert set(np.unique(data.image)) == set(range(1, 9))
    assert len(data.images) == 10


def test_nothing_but_images_without_segments_is_no_error_here(run, blobs):
    for sample in blobs:
        cv2.imwrite(str(sample.labels), np.full((40, 56), 9, np.uint8))
    run()
    assert len(run().read("val", interior_only=False)) == 0


def test_an_empty_folder_is_refused(run, table):
    with pytest.raises(DatasetError, match="split 'val' has no images"):
        run(folder=LabelledFolder((), 3))
    assert not table.exists()


def test_other_numbers_of_classes_are_refused(run, blobs, table):
    with pytest.raises(CollectError, match=r"has 4 classes, the network 3 \(red, green, blue\).*--labels"):
        run(folder=paired_folder(blobs.samples[0].image.parents[1], 4, (9, 255)))
    assert not table.exists()


def test_no_worker_is_refused(run):
    with pytest.raises(CollectError, match="0 workers; expected at least 1"):
        run(workers=0)


def test_the_threads_of_torch_are_left_as_they_were(run):
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    run()
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert after == before + 1


def test_progress_begins_with_what_is_there(run, blobs):
    seen = []
    run(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 10) for k in range(11)]
    run(progress=lambda done, total: seen.append((done, total)))
    assert seen[11:] == [(10, 10)]


def test_workers_by_default_are_the_cores_but_for_few_images():
    settings = NetworkSettings(device="cpu")
    assert default_workers(settings, 100_000) == cores()
    assert default_workers(settings, 0) == default_workers(settings, 20) == 1
