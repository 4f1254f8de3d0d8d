"""Rows of segments and their tables."""

import itertools
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from drive_frames import drive_results, made_result
from hypothesis import given, settings
from hypothesis import strategies as st
from trust_frames import but

from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.render import MessageError, Rendering, ood_ids, segment_ids
from trust_seg_ros.recordings.replay import segment_tables
from trust_seg_ros.recordings.replay.frame_numbers import frame_table
from trust_seg_ros.recordings.replay.records import FRAME_COLUMNS, TEXT_COLUMNS, TRUE_FALSE_COLUMNS, WHOLE_COLUMNS
from trust_seg_ros.recordings.replay.segment_rows import SEGMENT_COLUMNS, TRACK_COLUMNS, segment_rows
from trust_seg_ros.recordings.replay.segment_tables import SegmentTableWriter, TableError, merge_tables
from trust_seg_ros.types import Frame, SegmentTracks

NAMES = tuple(f"class {i}" for i in range(11))


def by_number(rows, kind):
    chosen = (rows["kind"] == kind) & (rows["id"] > 0)
    return {int(rows["id"][i]): i for i in np.flatnonzero(chosen)}


def test_rows_tell_of_the_pixels_that_carry_their_number():
    names, results = drive_results()
    for result in results:
        rows = segment_rows(result, names, "/camera", 7)
        view = Rendering(result, MessageOptions(names, np.zeros((11, 3), np.uint8)))
        for kind, ids in (("class", segment_ids(view).data), ("ood", ood_ids(view).data)):
            there = by_number(rows, kind)
            assert set(there) == set(np.unique(ids)) - {0}
            for number, i in there.items():
                y, x = np.nonzero(ids == number)
                assert rows["size"][i] == len(y)
                box = [int(rows[side][i]) for side in ("left", "top", "right", "bottom")]
                assert box == [x.min(), y.min(), x.max() + 1, y.max() + 1]
                assert rows["class_name"][i] == names[rows["class_id"][i]]
                if kind == "class":
                    classes = result.maps.classes.numpy()[y, x]
                    assert (classes == rows["class_id"][i]).all()
                    assert rows["E"][i] == pytest.approx(result.maps.entropy.numpy()[y, x].mean(dtype=float), abs=1e-6)
                else:
                    assert rows["ood_score"][i] == pytest.approx(
                        result.maps.entropy.numpy()[y, x].mean(dtype=float), abs=1e-6
                    )
    assert any(result.ood.kept.any() for result in results)


def test_rows_hold_what_the_models_said_and_nan_elsewhere():
    names, results = drive_results()
    result = max(results, key=lambda r: len(r.ood.kept))
    rows = segment_rows(result, names, "/camera", 7)
    n, m = len(result.segments), len(result.ood.kept)
    assert list(rows) == [*SEGMENT_COLUMNS, *result.segments.names]
    assert {len(values) for values in rows.values()} == {n + m}
    assert m > result.ood.kept.sum() > 0
    assert np.array_equal(rows["p_wrong"][:n], result.trust.p_wrong)
    assert np.array_equal(rows["predicted_iou"][:n], result.trust.iou)
    assert np.array_equal(rows["unreliable"][:n], result.trust.unreliable)
    assert np.array_equal(rows["interior_size"][:n], result.segments.interior_sizes)
    assert np.array_equal(rows["kept"][n:], result.ood.kept)
    assert np.array_equal(rows["false_alarm"][n:], result.ood.false_alarm)
    assert np.array_equal(rows["p_ood"][n:], result.ood.p_ood, equal_nan=True)
    assert np.array_equal(rows["p_class"][n:], result.ood.p_class, equal_nan=True)
    assert np.isnan(rows["p_wrong"][n:]).all()
    assert np.isnan(rows["ood_score"][:n]).all()
    assert not rows["kept"][:n].any()
    assert not rows["unreliable"][n:].any()
    assert np.isnan(np.stack([rows[name] for name in result.segments.names])[:, n:]).all()
    assert set(rows["recorded_ns"]) == {7}
    assert set(rows["stamp_ns"]) == {result.frame.stamp_ns}
    unmeasured = rows["class_id"] == 255
    assert unmeasured.any()
    assert set(rows["class_name"][unmeasured]) == {""}


def test_rows_without_meta_models_and_without_segments():
    result = made_result(np.array([[0, 1], [0, 1]], np.uint8), judged=False)
    rows = segment_rows(result, NAMES, "/camera", 7)
    assert np.isnan(rows["p_wrong"]).all()
    assert not rows["unreliable"].any()
    assert np.count_nonzero(rows["kind"] == "class") == 2
    faulty = made_result(np.full((2, 2), 255, np.uint8))
    assert list(segment_rows(faulty, NAMES, "/camera", 7)["kind"]) == ["ood"]
    nothing = segment_rows(but(faulty, ood=None), NAMES, "/camera", 7)
    assert list(nothing) == list(rows)
    assert {len(values) for values in nothing.values()} == {0}
    alone = segment_rows(but(result, ood=None), NAMES, "/camera", 7)
    assert list(alone["kind"]) == ["class", "class"]
    with pytest.raises(MessageError, match="'segments'"):
        segment_rows(but(result, segments=None, trust=None), NAMES, "/camera", 7)


def test_rows_tell_the_tracks_with_tracking_and_have_no_such_columns_without():
    names, results = drive_results()
    result = max(results, key=lambda r: len(r.ood.kept))
    n, m = len(result.segments), len(result.ood.kept)
    stamp = result.frame.stamp_ns

    def tracks(ids):
        count = len(ids)
        frames = np.where(ids > 0, 1 + ids % 3, 0).astype(np.int32)
        first = np.full(count, stamp - 500_000_000)
        return SegmentTracks(ids, frames, first, np.full((count, 2), [2.0, -4.0]), np.full(count, 0.1), stamp)

    of_ood = np.where(result.ood.kept, np.arange(m) + 1, 0)
    rows = segment_rows(but(result, tracks=tracks(np.arange(n) + 1), ood_tracks=tracks(of_ood)), names, "/camera", 7)
    assert list(rows) == [*SEGMENT_COLUMNS, *TRACK_COLUMNS, *result.segments.names]
    assert {len(values) for values in rows.values()} == {n + m}
    assert rows["track"].tolist() == [*range(1, n + 1), *of_ood.tolist()]
    there = rows["track"] > 0
    assert there.sum() < n + m
    for name, value in (("track_first_ns", stamp - 500_000_000), ("track_age_s", 0.5), ("track_gap_s", 0.1)):
        assert set(rows[name][there]) == {value}
        assert set(rows[name][~there]) == {0}
    moving = rows["track_frames"] > 1
    assert 0 < moving.sum() < there.sum()
    assert set(rows["velocity_x"][moving]) == {2.0}
    assert set(rows["velocity_y"][moving]) == {-4.0}
    assert np.isnan(rows["velocity_x"][~moving]).all()
    assert not set(TRACK_COLUMNS) & set(segment_rows(result, names, "/camera", 7))


def test_velocities_are_those_of_the_image():
    names, results = drive_results()
    half = np.array(results[0].frame.image)[::2, ::4]
    result = replace(results[0], frame=Frame(half, 5))
    n, m = len(result.on_grid.segments), len(result.on_grid.ood.kept)

    def tracks(k):
        return SegmentTracks(np.ones(k, int), np.full(k, 2), np.ones(k, int), np.full((k, 2), 8.0), np.zeros(k))

    rows = segment_rows(but(result, tracks=tracks(n), ood_tracks=tracks(m)), names, "/camera", 7)
    assert set(rows["velocity_x"]) == {2.0}
    assert set(rows["velocity_y"]) == {4.0}


def test_a_table_gives_the_rows_back(tmp_path):
    names, results = drive_results()
    frames = [segment_rows(result, names, f"/camera_{i % 2}", i) for i, result in enumerate(results)]
    with SegmentTableWriter(tmp_path / "new" / "segments.parquet", {"network": "embedded"}) as table:
        for rows in frames:
            table.add(rows)
    back = pq.read_table(tmp_path / "new" / "segments.parquet")
    assert back.schema.metadata == {b"network": b"embedded"}
    assert back.column_names == list(frames[0])
    for name in back.column_names:
        expected = np.concatenate([rows[name] for rows in frames])
        found = back[name].to_numpy()
        same = expected == found if expected.dtype == object else np.array_equal(expected, found, equal_nan=True)
        assert np.all(same), name
        assert back[name].null_count == 0
    assert back.schema.field("class_name").type.value_type == "string"
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["segments.parquet"]


def test_the_frame_table_has_its_types(tmp_path):
    given_row = {"camera": "/a", "index": 3, "entropy_mean": 0.25, "shift_fired": True}
    with SegmentTableWriter(tmp_path / "frames.parquet", {}) as table:
        table.add(frame_table([given_row, {"refused": "too dark"}]))
    back = pq.read_table(tmp_path / "frames.parquet")
    assert back.column_names == list(FRAME_COLUMNS)
    for field in back.schema:
        kind = "text" if field.name in TEXT_COLUMNS else "bool" if field.name in TRUE_FALSE_COLUMNS else "double"
        kind = "int64" if field.name in WHOLE_COLUMNS else kind
        assert str(getattr(field.type, "value_type", field.type)) == {"text": "string"}.get(kind, kind), field.name
    first, second = back.to_pylist()
    assert {name: first[name] for name in given_row} == given_row
    assert second["refused"] == "too dark"
    assert second["camera"] == ""
    assert np.isnan(second["network_ms"])


def plain_rows(rng, count):
    words = np.array(["a", "b", "ü", ""], object)
    return {
        "text": words[rng.integers(0, 4, count)],
        "flag": rng.random(count) < 0.5,
        "whole": rng.integers(-5, 5, count),
        "number": np.where(rng.random(count) < 0.2, np.nan, rng.random(count)),
    }


def write(path, pieces, metadata=None):
    with SegmentTableWriter(path, metadata or {"b": "2", "a": "1"}) as table:
        for piece in pieces:
            table.add(piece)
    return path


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 30), st.lists(st.integers(0, 30), max_size=6), st.lists(st.integers(0, 30), max_size=4))
def test_the_file_does_not_depend_on_how_rows_and_parts_were_cut(tmp_path_factory, count, cuts, parts):
    folder = tmp_path_factory.mktemp("tables")
    rows = plain_rows(np.random.default_rng(count), count)

    def pieces(low, high, at):
        edges = sorted({low, high, *(min(max(c, low), high) for c in at)})
        empty = [{name: values[:0] for name, values in rows.items()}]
        return empty + [{name: values[a:b] for name, values in rows.items()} for a, b in itertools.pairwise(edges)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment_tables, "GROUP_ROWS", 7)
        whole = write(folder / "whole", [rows])
        written = []
        edges = [0, *sorted(min(p, count) for p in parts), count]
        for k, (low, high) in enumerate(itertools.pairwise(edges)):
            written.append(write(folder / f"part{k}", pieces(low, high, cuts)))
        merge_tables(written, folder / "merged")
        assert (folder / "merged").read_bytes() == whole.read_bytes()
        groups = pq.ParquetFile(whole).metadata
        assert [groups.row_group(g).num_rows for g in range(groups.num_row_groups)] == [
            min(7, count - at) for at in range(0, count, 7)
        ]
    back = pq.read_table(folder / "merged")
    for name, values in rows.items():
        found = back[name].to_numpy()
        assert np.array_equal(found, values, equal_nan=True) if name == "number" else (found == values).all()


def test_parts_to_which_nothing_was_added_do_not_count(tmp_path):
    rows = plain_rows(np.random.default_rng(0), 5)
    nothing, some = write(tmp_path / "0", []), write(tmp_path / "1", [rows])
    merge_tables([nothing, some, nothing], tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == some.read_bytes()
    merge_tables([nothing, nothing], tmp_path / "none")
    assert (tmp_path / "none").read_bytes() == nothing.read_bytes()
    assert pq.read_table(nothing).num_rows == 0


def test_what_does_not_fit_is_refused_and_leaves_no_file(tmp_path):
    rows = plain_rows(np.random.default_rng(0), 5)
    renamed = {("new" if name == "flag" else name): values for name, values in rows.items()}
    with pytest.raises(TableError, match="lacks flag and has new more"):
        write(tmp_path / "t", [rows, renamed])
    with pytest.raises(TableError, match=r"different lengths, \[3, 5\]"):
        write(tmp_path / "t", [rows | {"flag": rows["flag"][:3]}])
    with pytest.raises(TableError, match="whole"):
        write(tmp_path / "t", [rows, rows | {"whole": rows["number"]}])
    assert not list(tmp_path.iterdir())
    one = write(tmp_path / "1", [rows])
    other = write(tmp_path / "2", [{"text": rows["text"]}])
    typed = write(tmp_path / "3", [rows | {"whole": rows["number"]}])
    with pytest.raises(TableError, match=r"2: .*lacks flag, whole, number"):
        merge_tables([one, other], tmp_path / "out")
    with pytest.raises(TableError, match=r"3: columns have other types"):
        merge_tables([one, typed], tmp_path / "out")
    with pytest.raises(TableError, match="no parts"):
        merge_tables([], tmp_path / "out")
    (tmp_path / "4").write_bytes(b"PAR1")
    with pytest.raises(TableError, match="4: cannot be read"):
        merge_tables([one, tmp_path / "4"], tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(TableError, match="cannot be written"):
        write(tmp_path / "file" / "t", [rows])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1", "2", "3", "4", "file"]
