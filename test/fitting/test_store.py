"""The segment table on disk: what is in it, and what is refused."""

import errno
import json
import os
import resource
from contextlib import contextmanager

import numpy as np
import pyarrow.dataset as ds
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trust_seg_ros.fitting.collect import collect
from trust_seg_ros.fitting.store import MANIFEST, SegmentStore
from trust_seg_ros.fitting.store_folder import discard, locked
from trust_seg_ros.meta.errors import StoreError
from trust_seg_ros.segments import segment_table, targets
from trust_seg_ros.support.content_hash import with_hash
from trust_seg_ros.uncertainty import uncertainty_maps


@pytest.fixture
def store(colours, blobs, tmp_path):
    return collect(colours, blobs, tmp_path / "t.segments", "val", workers=1, data_set="blobs", part_images=4)


@pytest.fixture
def expected(colours, blobs):
    """Per image, the table and both targets, straight from the definitions' own functions."""
    network, found = colours.load(), []
    for sample in blobs:
        image, truth = blobs.read(sample)
        logits = network.infer(image)
        table = segment_table(uncertainty_maps(logits), logits, "all", ground_truth=truth)
        found.append((table, targets(table, truth), targets(table, truth, "released")))
    return found


def test_what_is_read_is_what_was_computed(store, expected, blobs):
    data = store.read("val", interior_only=False)
    assert data.names == expected[0][0].names
    assert np.array_equal(data.metrics, np.concatenate([table.metrics for table, _, _ in expected]))
    assert np.array_equal(data.iou, np.concatenate([a.iou for _, a, _ in expected]))
    assert np.array_equal(data.iou_adj, np.concatenate([a.iou_adj for _, a, _ in expected]))
    assert np.array_equal(data.class_ids, np.concatenate([table.class_ids for table, _, _ in expected]))
    assert np.array_equal(data.image, np.repeat(np.arange(10), [len(table) for table, _, _ in expected]))
    assert data.images == tuple(sample.name for sample in blobs)
    assert data.drives == ("a",) * 5 + ("b",) * 5
    assert (data.network, data.class_names) == ("colours_net:Colours", ("red", "green", "blue"))
    assert (data.metrics.dtype, data.iou.dtype) == (np.float64, np.float64)
    assert (data.class_ids.dtype, data.image.dtype) == (np.uint8, np.int32)


def test_the_other_variant_of_the_target_is_there_too(store, expected):
    released = store.read("val", ["E"], interior_only=False, variant="released").iou_adj
    assert np.array_equal(released, np.concatenate([r.iou_adj for _, _, r in expected]))
    assert not np.array_equal(released, store.read("val", ["E"], interior_only=False).iou_adj)


def test_segments_without_an_interior_are_stored_and_left_out_on_reading(store, expected):
    sizes = np.concatenate([table.interior_sizes for table, _, _ in expected])
    assert 0 < (sizes > 0).sum() < len(sizes)
    assert len(store.read("val", ["E"])) == (sizes > 0).sum() == store.entry("val").with_interior
    assert len(store.read("val", ["E"], interior_only=False)) == len(sizes) == store.entry("val").segments


def test_chosen_metrics_come_in_the_order_wished_for(store):
    data, everything = store.read("val", ["V_in", "S", "cprob_1"]), store.read("val")
    assert data.names == ("V_in", "S", "cprob_1")
    assert np.array_equal(data.metrics, everything.metrics[:, [everything.names.index(n) for n in data.names]])


def test_boxes_and_sizes_are_columns(store, expected):
    columns = store.columns("val", ["left", "top", "right", "bottom", "size", "segment"])
    boxes = np.stack([columns[name] for name in ("left", "top", "right", "bottom")], 1)
    assert np.array_equal(boxes, np.concatenate([table.boxes for table, _, _ in expected]))
    assert np.array_equal(columns["size"], np.concatenate([table.sizes for table, _, _ in expected]))
    assert np.array_equal(columns["segment"], np.concatenate([np.arange(len(t)) + 1 for t, _, _ in expected]))


def test_any_reader_of_parquet_reads_the_folder(store):
    table = ds.dataset(store.path, format="parquet", partitioning="hive").to_table()
    assert len(table) == store.entry("val").segments
    assert set(table["split"].to_pylist()) == {"val"}
    assert set(table["image"].to_pylist()) == set(store.entry("val").images)
    assert len({name.lower() for name in table.schema.names}) == len(table.schema.names)
    assert [p.name for p in sorted(store.folder("val").iterdir())] == [f"part-{k:05d}.parquet" for k in range(3)]


def test_manifest_tells_everything_but_where_things_lie(store, tmp_path):
    text = (store.path / MANIFEST).read_text()
    content = json.loads(text)
    assert str(tmp_path) not in text
    assert content["network"]["class_names"] == ["red", "green", "blue"]
    assert content["metrics"] == list(store.names)
    entry = content["splits"]["val"]
    assert (entry["data_set"], len(entry["images"]), entry["complete"], entry["skipped"]) == ("blobs", 10, True, {})
    assert sorted(p.name for p in store.path.iterdir()) == [MANIFEST, "split=val"]


def test_it_is_opened_again_as_it_was(store):
    again = SegmentStore.open(store.path)
    assert again == store
    assert again.splits == ("val",)


def test_a_split_may_have_any_name(colours, blobs, tmp_path):
    store = collect(colours, blobs, tmp_path / "t", "day/night 100%", workers=1)
    assert len(SegmentStore.open(tmp_path / "t").read("day/night 100%")) > 0
    table = ds.dataset(store.path, format="parquet", partitioning="hive").to_table(["split"])
    assert set(table["split"].to_pylist()) == {"day/night 100%"}


def damaged_manifest(store, change):
    path = store.path / MANIFEST
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(with_hash(content)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format="else"), 'not the manifest of a segment table .expected "format"'),
        (lambda m: m.update(version=99), "version 99, this program reads version 2"),
        (lambda m: m.pop("network"), "incomplete or damaged .KeyError: 'network'"),
        (lambda m: m["splits"]["val"].update(images=3), "incomplete or damaged"),
        (lambda m: m["splits"]["val"].update(more=3), "incomplete or damaged"),
        (lambda m: m["splits"]["val"].update(part_images=0), "0 images per part"),
        (lambda m: m["splits"]["val"]["drives"].pop(), "9 drives for 10 images"),
        (lambda m: m["splits"]["val"].update(part_images=float("inf")), "incomplete or damaged .OverflowError"),
        (lambda m: m["splits"]["val"].update(segments="many"), "incomplete or damaged .ValueError"),
        (lambda m: m["splits"]["val"].update(complete="yes"), "complete is 'yes'"),
        (lambda m: m["splits"]["val"].update(skipped=["a_000"]), "incomplete or damaged .ValueError"),
        (
            lambda m: m["network"]["class_names"].pop(),
            "the metrics are not the ones that this program computes for 2 classes",
        ),
    ],
)
def test_a_foreign_or_damaged_manifest_is_refused(store, change, message):
    damaged_manifest(store, change)
    with pytest.raises(StoreError, match=message):
        SegmentStore.open(store.path)


def test_a_manifest_that_does_not_fit_the_parts_is_refused(store, colours, blobs):
    there = store.entry("val").segments
    damaged_manifest(store, lambda m: m["splits"]["val"].update(part_images=8))  # the last part would be left out
    with pytest.raises(StoreError, match=rf"split=val: \d+ segments, but {MANIFEST} says {there}"):
        SegmentStore.open(store.path).read("val")
    with pytest.raises(StoreError, match=rf"part-00000.parquet: holds 4 images, but {MANIFEST} says 8"):
        collect(colours, blobs, store.path, "val", workers=1)
    assert all(part.is_file() for part in store.parts("val"))


def test_a_part_that_the_disk_withholds_is_kept(store, colours, blobs, monkeypatch):
    def withheld(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    before = store.parts("val")[0].read_bytes()
    monkeypatch.setattr("trust_seg_ros.fitting.store_writer.part_note", withheld)
    with pytest.raises(StoreError, match=r"part-00000.parquet: cannot be read .*Permission denied.* it is kept"):
        collect(colours, blobs, store.path, "val", workers=1)
    assert store.parts("val")[0].read_bytes() == before


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"no segment table .no _manifest\.json.; trust-seg fit DATASET writes one"):
        SegmentStore.open(tmp_path / "nowhere")
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(StoreError, match="not readable"):
        SegmentStore.open(tmp_path)


def test_an_unfinished_split_is_not_read(store):
    damaged_manifest(store, lambda m: m["splits"]["val"].update(complete=False))
    store = SegmentStore.open(store.path)
    assert store.splits == ()
    with pytest.raises(StoreError, match="split 'val' is unfinished"):
        store.read("val")


def garbled_footer(path):
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[-8:-4], "little")
    data[-8 - length : -8] = b"\xff" * length
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [os.unlink, lambda path: path.write_bytes(b"PAR1 nonsense"), lambda path: path.write_bytes(b""), garbled_footer],
)
def test_a_missing_or_damaged_part_is_named_and_computed_again(store, colours, blobs, damage):
    part = store.parts("val")[1]
    before = part.read_bytes()
    damage(part)
    with pytest.raises(StoreError, match=r"split=val: a part is missing or damaged .*part-00001"):
        store.read("val")
    collect(colours, blobs, store.path, "val", workers=1)
    assert part.read_bytes() == before


def test_what_is_not_there_is_named_with_what_is(store):
    with pytest.raises(StoreError, match="no split 'tset' in this segment table; there are: val"):
        store.read("tset")
    with pytest.raises(StoreError, match="no columns nonsense; there are image, "):
        store.read("val", ["E", "nonsense"])
    with pytest.raises(StoreError, match=r"no variant 'paper' .* expected component or released"):
        store.read("val", variant="paper")


def test_discarding_leaves_what_is_not_ours(store):
    (store.path / "notes.txt").write_text("mine")
    discard(store.path)
    assert [p.name for p in store.path.iterdir()] == ["notes.txt"]
    with pytest.raises(StoreError, match="this folder is not empty, and not a segment table"):
        discard(store.path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_byte_of_a_table_changed_is_noticed(store, data):
    file = data.draw(st.sampled_from([store.path / MANIFEST, *store.parts("val")]))
    content = file.read_bytes()
    place, mask = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(1, 255))
    file.write_bytes(content[:place] + bytes([content[place] ^ mask]) + content[place + 1 :])
    try:
        found = SegmentStore.open(store.path)
        found.read("val", ["E"])
    except StoreError:
        pass
    else:
        assert file.name == MANIFEST  # a space became a line end
        assert found == store
    finally:
        file.write_bytes(content)


def test_a_part_that_was_damaged_between_two_runs_is_computed_again(store, colours, blobs):
    part = store.parts("val")[1]
    content = part.read_bytes()
    part.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    collect(colours, blobs, store.path, "val", workers=1, data_set="blobs")
    assert part.read_bytes() == content


def test_discarding_never_follows_links(store, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in ("part-00000.parquet", "000001.arrow", "notes.txt"):
        (theirs / name).write_text("theirs")
    (store.path / "split=other").symlink_to(theirs)
    (store.path / ".work").symlink_to(theirs)
    (tmp_path / "link").symlink_to(store.path)
    with pytest.raises(StoreError, match=r"link is a symbolic link to .*nothing is removed through links"):
        discard(tmp_path / "link")
    assert store.path.is_dir()
    discard(store.path)
    assert not store.path.exists()
    assert len(list(theirs.iterdir())) == 3


def test_discarding_removes_the_table_with_its_folder(store):
    discard(store.path)
    assert not store.path.exists()
    discard(store.path)


def test_a_folder_with_other_things_is_not_written_into(colours, blobs, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="this folder is not empty"):
        collect(colours, blobs, tmp_path / "full", "val", workers=1)
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["notes.txt"]


def test_one_writer_at_a_time(store, colours, blobs):
    with locked(store.path), pytest.raises(StoreError, match="another run writes into this segment table"):
        collect(colours, blobs, store.path, "val", workers=1)


def test_a_place_where_no_folder_can_be_is_named(colours, blobs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file: the folder for the segment table cannot be made"):
        collect(colours, blobs, tmp_path / "file", "val", workers=1)


@contextmanager
def small_files():
    """Files of this process may not grow beyond 6000 bytes: a manifest fits, rows do not.

    Not a fixture: its end comes after pytest has printed the result, perhaps into a log that is larger already.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
def test_a_disk_that_takes_no_more_is_said(store, colours, blobs, tmp_path):
    with small_files():
        with pytest.raises(StoreError, match=r"000000.arrow: the segment table cannot be written \(.*File too large"):
            collect(colours, blobs, tmp_path / "new", "val", workers=1)
        store.parts("val")[0].unlink()
        with pytest.raises(StoreError, match="cannot be written"):
            collect(colours, blobs, store.path, "val", workers=2)
