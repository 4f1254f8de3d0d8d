"""A job knows its own: what it depends on, what differs, and which files of its folder are its."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.pipeline import PipelineSettings
from trust_seg_ros.recordings.replay.errors import OutputExistsError, ReplayError
from trust_seg_ros.recordings.replay.folder_lock import alone_in
from trust_seg_ros.recordings.replay.job import DONE, JOB, WORK, Job, _differences, fingerprint_of
from trust_seg_ros.recordings.replay.options import CameraTopic, ReplayOptions, SourceSpec
from trust_seg_ros.recordings.replay.plan import Chunk, plan_chunks
from trust_seg_ros.recordings.replay.prepare import output_folders


def made(out, **options):
    chunks = plan_chunks(0, 100, 10, 3)
    cameras = (CameraTopic("/cam"),)
    return Job(SourceSpec(Path("/drive")), out, cameras, ReplayOptions(**options), chunks, 0, 100, 10, "abc")


def finish_chunk(job, index=0):
    """As a worker leaves it."""
    job.chunk_folder(index).mkdir(parents=True)
    (job.chunk_folder(index) / DONE).write_text("{}")


def test_the_identity_is_json_and_knows_itself(tmp_path):
    job = made(tmp_path / "out", duration_s=1.5, topics=("segmentation",))
    assert json.loads(json.dumps(job.identity())) == job.identity()
    job.prepare()
    assert not job.complete
    (job.out / "metadata.yaml").write_text("")
    assert job.complete
    assert not replace(job, input_id="other").complete


CHANGES = {
    "options": {"keep": "none"},
    "pipeline": {"pipeline": PipelineSettings(device="cpu", threads=3)},
    "section": {"start_s": 1.0},
    "report": {"pictures": 120},
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_options_are_another_job(tmp_path, change):
    assert made(tmp_path).identity() != made(tmp_path, **CHANGES[change]).identity()


def test_where_it_lies_and_how_it_is_called_does_not_matter(tmp_path):
    job = made(tmp_path / "one")
    moved = replace(job, out=tmp_path / "two", source=SourceSpec(Path("/elsewhere")))
    assert moved.identity() == job.identity()
    assert replace(job, source=SourceSpec(Path("/drive"), rate=5.0)).identity() != job.identity()
    assert replace(job, cameras=(CameraTopic("/cam", "/left"),)).identity() != job.identity()


def test_a_named_file_counts_by_its_content(tmp_path):
    model = tmp_path / "m.json"
    model.write_text("one")
    job = made(tmp_path / "out", pipeline=PipelineSettings(meta_model=str(model)))
    before = job.identity()
    model.write_text("two")
    assert _differences(before, job.identity()) == [f"files.{model}"]


def test_differences_are_named_as_a_user_knows_them(tmp_path):
    one, other = made(tmp_path).identity(), made(tmp_path, keep="all", start_s=2.0).identity()
    assert _differences(one, other) == ["keep", "start_s"]


def test_preparing_keeps_what_is_finished_and_sweeps_the_rest(tmp_path):
    job = made(tmp_path / "a" / "out")
    job.prepare()
    finish_chunk(job, 2)
    (job.work / "chunk_000001.part5").mkdir()
    job.prepare()
    assert [k for k in range(len(job.chunks)) if job.is_done(k)] == [2]
    assert sorted(path.name for path in job.work.iterdir()) == ["chunk_000002", JOB]


def test_a_job_with_results_keeps_its_place_and_one_without_gives_it_up(tmp_path):
    job, other = made(tmp_path / "out"), made(tmp_path / "out", keep="all")
    job.prepare()
    other.prepare()
    finish_chunk(other)
    with pytest.raises(OutputExistsError, match=r"other settings \(keep\)"):
        job.prepare()
    job.prepare(force=True)
    assert not job.begun


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_damaged_note_of_the_job_is_not_gone_on_with_but_may_be_replaced(tmp_path, content):
    job = made(tmp_path / "out")
    job.prepare()
    finish_chunk(job)
    (job.work / JOB).write_text(content)
    with pytest.raises(OutputExistsError, match="choose another --out"):
        job.prepare()
    job.prepare(force=True)
    assert json.loads((job.work / JOB).read_text()) == job.identity()


@pytest.mark.parametrize("left", [[], [f"{JOB}.new"]])
def test_what_a_kill_at_the_very_beginning_leaves_is_no_obstacle(tmp_path, left):
    job = made(tmp_path / "out")
    job.work.mkdir(parents=True)
    for name in left:
        (job.work / name).write_text("{")
    job.prepare()
    assert (job.work / JOB).is_file()


@pytest.mark.parametrize("breaks", ["chunk_000000", "chunk_000001", WORK])
def test_clearing_that_is_broken_off_leaves_no_chunk_that_counts(tmp_path, monkeypatch, breaks):
    job = made(tmp_path / "out")
    job.prepare()
    for index in (0, 1):
        finish_chunk(job, index)
        (job.chunk_folder(index) / "trust_seg").mkdir()
    rmtree = shutil.rmtree

    def until(path, *words):
        if Path(path).name == breaks:
            raise KeyboardInterrupt
        rmtree(path, *words)

    monkeypatch.setattr(shutil, "rmtree", until)
    with pytest.raises(KeyboardInterrupt):
        job.clear()
    monkeypatch.undo()
    assert not job.begun
    job.prepare()
    job.prepare(force=True)
    assert (job.work / JOB).is_file()


def foreign(folder):
    """A folder of someone else, with names that a replay uses."""
    (folder / "chunk_000000").mkdir(parents=True)
    for name in (DONE, JOB, "frames.parquet", "trust_seg_0.mcap", "notes.txt", f"chunk_000000/{DONE}"):
        (folder / name).write_text("theirs")
    return folder


def listing(folder):
    return {str(path.relative_to(folder)): path.is_file() and path.read_text() for path in folder.rglob("*")}


def link_out(job, target):
    job.out.parent.mkdir(exist_ok=True)
    job.out.symlink_to(target)
    (target / WORK).mkdir()
    (target / WORK / JOB).write_text("{}")


def link_work(job, target):
    job.out.mkdir()
    job.work.symlink_to(target)


def link_chunk(job, target):
    job.prepare()
    job.chunk_folder(1).symlink_to(target)
    finish_chunk(job)


def link_inside_a_chunk(job, target):
    job.prepare()
    finish_chunk(job)
    (job.chunk_folder(0) / "trust_seg").symlink_to(target)


def link_a_result(job, target):
    job.prepare()
    finish_chunk(job)
    (job.out / "frames.parquet").symlink_to(target / "frames.parquet")
    (job.out / ".report.html.part").symlink_to(target / "nothing")


@pytest.mark.parametrize("linked", [link_out, link_work])
def test_force_is_refused_where_it_would_go_through_a_link(tmp_path, linked):
    job, target = made(tmp_path / "in" / "out"), foreign(tmp_path / "theirs")
    (tmp_path / "in").mkdir()
    linked(job, target)
    before = listing(target)
    for words in ({"force": True}, {}):
        with pytest.raises(OutputExistsError, match=r"symbolic link to .*theirs|other settings|no replay that"):
            job.prepare(**words)
    assert listing(target) == before


@pytest.mark.parametrize("linked", [link_chunk, link_inside_a_chunk, link_a_result])
@pytest.mark.parametrize("way", ["force", "clear", "abandon", "sweep and tidy"])
def test_links_are_removed_and_never_followed(tmp_path, linked, way):
    job, target = made(tmp_path / "out"), foreign(tmp_path / "theirs")
    before = listing(target)
    linked(job, target)
    if way == "force":
        job.prepare(force=True)
    elif way == "sweep and tidy":
        job.sweep()
        job.tidy()
    else:
        getattr(job, way)()
    assert listing(target) == before
    if linked is not link_a_result or way != "sweep and tidy":
        assert not [path for path in tmp_path.rglob("*") if path.is_symlink()]


def test_a_new_replay_may_be_written_through_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    made(tmp_path / "out").prepare()
    assert (tmp_path / "disk" / WORK / JOB).is_file()


def test_abandoning_leaves_others_files(tmp_path):
    job = made(tmp_path / "out")
    job.prepare()
    (job.out / "notes.txt").write_text("mine")
    (job.out / "trust_seg_0.mcap").write_text("ours")
    job.abandon()
    assert [path.name for path in job.out.iterdir()] == ["notes.txt"]
    (job.out / "notes.txt").unlink()
    job.prepare()
    job.abandon()
    assert not job.out.exists()


def test_nothing_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputExistsError, match="is a file"):
        made(tmp_path / "file").prepare()
    with pytest.raises(ReplayError, match="cannot be written"):
        made(tmp_path / "file" / "below").prepare()


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.text("abcd", min_size=1, max_size=4), st.binary(max_size=300), min_size=1, max_size=4), st.data()
)
def test_a_fingerprint_is_of_names_and_contents(tmp_path_factory, files, data):
    root = tmp_path_factory.mktemp("prints")
    folder, copy = root / "one", root / "two"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    shutil.copytree(folder, copy)
    assert fingerprint_of(copy) == fingerprint_of(folder)
    name = data.draw(st.sampled_from(sorted(files)))
    (copy / name).write_bytes(files[name] + b"x")
    assert fingerprint_of(copy) != fingerprint_of(folder)
    (copy / name).write_bytes(files[name])
    (copy / name).rename(copy / "renamed")
    assert fingerprint_of(copy) != fingerprint_of(folder)
    assert fingerprint_of(folder / name) == fingerprint_of(folder / name)


def test_a_fingerprint_sees_beginnings_and_ends_of_large_files(tmp_path):
    file = tmp_path / "large"
    file.write_bytes(bytes(1 << 20))
    before = fingerprint_of(file)
    for at in (0, (1 << 20) - 1):
        content = bytearray(1 << 20)
        content[at] = 1
        file.write_bytes(content)
        assert fingerprint_of(file) != before


def test_outputs_of_several_recordings_lie_side_by_side(tmp_path):
    paths = [tmp_path / "a" / "drive", tmp_path / "b" / "drive", tmp_path / "c" / "other.mcap"]
    for path in paths:
        path.parent.mkdir()
    paths[2].write_text("")
    folders = output_folders(paths, tmp_path / "out")
    assert list(folders) == paths
    assert len(set(folders.values())) == 3
    assert all(folder.parent == tmp_path / "out" for folder in folders.values())
    assert folders[paths[2]].name == "other"


def test_a_name_that_no_text_can_hold_is_said_before_the_work(tmp_path):
    with pytest.raises(ReplayError, match=r"is not UTF-8.*rename it"):
        output_folders([tmp_path / "stra\udcdfe"], tmp_path / "out")
    with pytest.raises(ReplayError, match=r"is not UTF-8"):
        output_folders([tmp_path / "drive"], tmp_path / "stra\udcdfe")


def test_chunks_are_found_by_their_numbers(tmp_path):
    job = made(tmp_path / "out")
    assert job.chunks[1] == Chunk(1, 25, 50)
    assert job.chunk_folder(1) == tmp_path / "out" / WORK / "chunk_000001"
    assert job.bag_file(1) == tmp_path / "out" / "trust_seg_1.mcap"


def test_two_replays_do_not_share_an_output_folder(tmp_path):
    job = made(tmp_path / "out")
    with alone_in(job.out):
        with pytest.raises(OutputExistsError, match="another process is replaying into"), alone_in(job.out):
            pass
        job.prepare()
    with alone_in(job.out):
        job.prepare()
    assert (job.work / JOB).is_file()
