"""Where a replay writes to: what is not its own stays as it is, and a full disk costs nothing but time."""

import os
import resource
import shutil
import subprocess

import pytest
from fault_bags import bag_files, command, contents, cut, files_of, image, images, program, table, write_bag
from warm_processes import warm_run

from trust_seg_ros.cli import main

CHUNKED = ("--chunk-frames", "4", "--compression", "none")


@pytest.fixture
def bag(tmp_path):
    return write_bag(tmp_path / "drive", images(20))


@pytest.fixture
def replay(bag, tmp_path, capsys):
    """Replays a bag into ``out``; gives the exit status and what was said."""

    def run(*words, source=bag, out=tmp_path / "out"):
        status = main(command(source, out, *words))
        said = capsys.readouterr()
        return status, said.err if status else said.out

    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Files of the uninterrupted replay of the same bag, by storage."""
    folder = tmp_path_factory.mktemp("whole")
    bag = write_bag(folder / "drive", images(20))
    for storage in ("mcap", "sqlite3"):
        assert main(command(bag, folder / storage, *CHUNKED, "--storage", storage)) == 0
    return {storage: bag_files(folder / storage) for storage in ("mcap", "sqlite3")}


def test_a_file_in_the_place_of_the_output_is_left_alone(replay, tmp_path):
    out = tmp_path / "out"
    out.write_text("mine")
    for words in ((), ("--force",)):
        status, said = replay(*words)
        assert status == 2
        assert "is a file; expected a folder" in said
        assert out.read_text() == "mine"
    status, said = replay(out=out / "below")
    assert status == 2
    assert f"cannot be written ({out}: Not a directory)" in said
    assert "expected a folder you may write to" in said


@pytest.mark.parametrize("name", ["notes.txt", "metadata.yaml", "trust_seg_0.mcap", "frames.parquet", ".replay/mine"])
def test_what_others_wrote_is_not_touched(replay, tmp_path, name):
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("mine")
    before = files_of(out)
    status, said = replay()
    assert status == 2
    assert "holds no replay that this command can continue" in said
    assert "choose another --out" in said
    assert files_of(out) == before


def test_another_bag_is_not_replaced_even_by_force(replay, tmp_path):
    other = write_bag(tmp_path / "out", images(3))
    (other / ".replay").mkdir()
    (other / ".replay" / "mine").write_text("mine")
    before = files_of(other)
    status, said = replay("--force")
    assert status == 2
    assert "holds metadata.yaml, mine that no replay of this tool has written" in said
    assert files_of(other) == before


@pytest.mark.slow
def test_force_replaces_what_is_its_own_and_nothing_else(replay, tmp_path):
    out = tmp_path / "out"
    assert replay("--report", "--segments", "--chunk-frames", "4")[0] == 0
    kept = {
        "notes.txt": b"mine",
        "trust_seg_notes.mcap": b"mine",
        "sub/metadata.yaml": b"mine",
        "trust_seg_1.txt": b"x",
    }
    (out / "sub").mkdir()
    for name, data in kept.items():
        (out / name).write_bytes(data)
    status, _said = replay("--force", "--storage", "sqlite3")
    assert status == 0
    found = files_of(out)
    assert {name: found[name] for name in kept} == kept
    ours = found.keys() - kept.keys() - {".replay/job.json"}
    assert ours == {"metadata.yaml", "frames.parquet", "trust_seg_0.db3"}


@pytest.mark.slow
def test_a_finished_file_that_was_removed_is_missed(replay, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("trust_seg_ros.recordings.replay.finish.merge_tables", killed)
        replay("--segments", "--chunk-frames", "4")
    assert not (out / "metadata.yaml").exists()
    (out / "trust_seg_1.mcap").unlink()
    status, said = replay("--segments", "--chunk-frames", "4")
    assert status == 2
    assert "trust_seg_1.mcap is gone" in said
    assert not (out / "metadata.yaml").exists()
    assert replay("--segments", "--chunk-frames", "4", "--force")[0] == 0
    assert len(contents(out)) > 0


def test_a_finished_replay_is_not_done_again(replay, tmp_path):
    out = tmp_path / "out"
    assert replay("--report")[0] == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    status, said = replay("--report")
    assert status == 0
    assert "is complete already (--force makes it anew)" in said
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_force_does_a_finished_replay_again(replay, tmp_path):
    assert replay()[0] == 0
    before, made = bag_files(tmp_path / "out"), (tmp_path / "out" / "metadata.yaml").stat().st_mtime_ns
    assert replay("--force")[0] == 0
    assert bag_files(tmp_path / "out") == before
    assert (tmp_path / "out" / "metadata.yaml").stat().st_mtime_ns > made


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("--keep", "none"), "keep"),
        (("-p", "thresholds.pixel:=0.3"), "thresholds.pixel.value"),
        (("--topics", "segmentation"), "topics"),
        (("--start", "0.5"), "start_s"),
        (("--report",), "--report"),
        (("--image-topic", "/left=/cam"), "cameras"),
    ],
)
def test_other_settings_are_named(replay, tmp_path, words, name):
    assert replay()[0] == 0
    before = files_of(tmp_path / "out")
    status, said = replay(*words)
    assert status == 2
    assert f"with other settings ({name})" in said or f"({name}, " in said or f", {name}" in said
    assert "--force" in said
    assert files_of(tmp_path / "out") == before


def test_another_recording_of_the_same_name_is_told_apart(replay, bag, tmp_path):
    assert replay()[0] == 0
    shutil.rmtree(bag)
    write_bag(bag, [image(99), *images(20)[1:]])
    status, said = replay()
    assert status == 2
    assert "with other settings (input)" in said


def test_a_copy_of_the_recording_is_the_same_recording(replay, bag, tmp_path):
    assert replay()[0] == 0
    status, said = replay(source=shutil.copytree(bag, tmp_path / "copy"))
    assert status == 0
    assert "complete already" in said


def test_settings_that_led_nowhere_do_not_block_the_next(replay):
    assert replay("--start", "0.05", "--duration", "0.01")[0] == 2
    assert replay("-p", "model:=/nowhere/x.pt2")[0] == 2
    assert replay()[0] == 0


@pytest.mark.parametrize("form", ["{bag}/out", "{bag}", "{bag}/../drive/out", "{link}/out"])
def test_the_output_may_not_lie_in_the_recording(replay, bag, tmp_path, form):
    (tmp_path / "link").symlink_to(bag)
    before = files_of(bag)
    status, said = replay(out=form.format(bag=bag, link=tmp_path / "link"))
    assert status == 2
    assert "lies in the recording" in said
    assert "choose another --out" in said
    assert files_of(bag) == before


@pytest.mark.parametrize("second", ["{bag}", "{bag}/../drive", "{link}", "{bag}/drive.mcap"])
def test_a_recording_may_not_be_given_twice(replay, bag, tmp_path, second):
    (tmp_path / "link").symlink_to(bag)
    status, said = replay(source=[bag, second.format(bag=bag, link=tmp_path / "link")])
    assert status == 2
    assert "given twice" in said
    assert not (tmp_path / "out").exists()


def test_one_recording_that_cannot_be_read_does_not_keep_others(replay, bag, tmp_path):
    bad = cut(write_bag(tmp_path / "bad", images(10)), 0.0)
    status, _ = replay(source=[bad, bag])
    assert status == 1
    assert len(table(tmp_path / "out" / "drive")["refused"]) == 20
    assert not (tmp_path / "out" / "bad").exists()


@pytest.fixture
def own_mounts(tmp_path):
    """Prefix of a command line that gives a process mounts of its own, if this system permits them."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare (util-linux) for a disk of its own")
    prefix = ("unshare", "-rm")
    probe = subprocess.run([*prefix, "mount", "-t", "tmpfs", "none", str(tmp_path)], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"this system permits no mounts of one's own: {probe.stderr.strip()}")
    return prefix


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_full_disk_is_said_and_gone_on_with_once_there_is_room(own_mounts, bag, whole, tmp_path, storage):
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    size = sum(map(len, whole[storage].values())) // 2
    words = command(bag, disk / "out", *CHUNKED, "--storage", storage)
    status, said, errors = warm_run("disk_process", "full", size, disk, kept, *words, prefix=own_mounts)
    assert status == 0, said + errors
    assert "first status: 2\n" in said
    assert f"no room left for {disk}/out" in errors
    assert "make room, then run the same command again" in errors
    assert "Traceback" not in said + errors
    (left,) = [line.split()[1:] for line in said.splitlines() if line.startswith("left:")]
    assert "chunk_000000" in left
    assert not [name for name in left if "part" in name]
    assert "chunks were done before" in said
    assert bag_files(kept) == whole[storage]
    assert table(kept)["refused"] == [""] * 20


def test_a_read_only_folder_is_said(own_mounts, bag, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    words = command(bag, disk / "out")
    status, _, errors = warm_run("disk_process", "read_only", disk, *words, prefix=own_mounts)
    assert status == 2
    assert f"{disk}/out cannot be written ({disk}: Read-only file system)" in errors
    assert "expected a folder you may write to" in errors
    assert errors.count("\n") == 1


def test_a_folder_that_belongs_to_another_is_said(replay, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "theirs").mkdir(mode=0o500)
    status, said = replay(out=tmp_path / "theirs" / "out")
    assert status == 2
    assert "cannot be written: Permission denied" in said


def limited(line, environment, size):
    """Run a command that may write no file larger than ``size`` bytes."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return subprocess.run(line, env=environment, capture_output=True, text=True, preexec_fn=limit)


@pytest.mark.slow
def test_a_limit_on_files_is_said_and_gone_on_with_once_it_is_lifted(bag, whole, tmp_path):
    words = command(bag, tmp_path / "out", *CHUNKED, "--storage", "sqlite3")
    status, _, errors = warm_run("disk_process", "limited", max(map(len, whole["sqlite3"].values())) // 2, *words)
    assert status == 2
    assert "trust-seg replay: " in errors
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    assert not list((tmp_path / "out" / ".replay").glob("*.part*"))
    assert main(words) == 0
    assert bag_files(tmp_path / "out") == whole["sqlite3"]


def test_a_table_that_finds_no_room_is_said_as_such(tmp_path):
    script = f"""
import numpy as np
from pathlib import Path
from trust_seg_ros.recordings.replay.errors import NoRoomError, explained
from trust_seg_ros.recordings.replay.segment_tables import SegmentTableWriter
path = Path({str(tmp_path)!r}) / "t.parquet"
try:
    with explained(path), SegmentTableWriter(path, {{}}) as table:
        table.add({{"x": np.random.default_rng(0).random(100_000)}})
except NoRoomError as error:
    print(error)
"""
    line, environment = program()
    ended = limited([line[0], "-c", script], environment, 10_000)
    assert "no room left for" in ended.stdout, ended.stderr
    assert list(tmp_path.iterdir()) == []
