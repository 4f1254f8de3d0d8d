"""A folder of one's own, whole files, and what tells the same job: also when a process is killed anywhere."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trust_seg_ros.support.resumable import (
    Change,
    FolderInUseError,
    FolderLock,
    changes,
    fingerprint,
    fingerprint_of_files,
    whole_file,
    whole_folder,
    write_text,
)

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys, time
from pathlib import Path
from trust_seg_ros.support.resumable import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from trust_seg_ros.support.resumable import whole_file, whole_folder
path, chunks, killed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
whole = whole_folder(path, path.with_name("draft")) if sys.argv[4] == "folder" else whole_file(path)
with whole as place:
    place = place / "inside" if sys.argv[4] == "folder" else place
    with place.open("wb", buffering=0) as file:
        for k in range(chunks):
            if k == killed:
                os.kill(os.getpid(), signal.SIGKILL)
            file.write(b"new")
"""
PER_EXAMPLE = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Boom(Exception):
    """Stands for whatever ends a run."""


def started(script, *words):
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_two_runs_of_one_process_cannot_hold_a_folder(tmp_path):
    folder = tmp_path / "new" / "folder"
    with FolderLock(folder), pytest.raises(FolderInUseError, match=f"{folder}: another run writes.*wait for it to end"):
        FolderLock(folder)
    with FolderLock(folder) as lock:
        lock.close()
        with FolderLock(folder):
            lock.close()  # a second time: lets go of nothing that others hold
            with pytest.raises(FolderInUseError):
                FolderLock(folder)


def test_two_processes_cannot_hold_a_folder_and_a_dead_one_does_not_block(tmp_path):
    child = started(HOLD, tmp_path)
    try:
        assert child.stdout.readline() == "held\n"
        with pytest.raises(FolderInUseError):
            FolderLock(tmp_path)
        with FolderLock(tmp_path / "below"):
            pass  # another folder, though one inside
    finally:
        child.kill()
        child.communicate()
    with FolderLock(tmp_path):
        assert child.returncode == -signal.SIGKILL


def test_a_lock_leaves_no_file(tmp_path):
    with FolderLock(tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_a_refused_lock_leaves_no_open_file(tmp_path):
    there = open_files()
    with FolderLock(tmp_path):
        for _ in range(5):
            with pytest.raises(FolderInUseError):
                FolderLock(tmp_path)
    assert open_files() == there


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        FolderLock(tmp_path / "file" / "folder")


@PER_EXAMPLE
@given(st.none() | st.binary(max_size=20), st.lists(st.binary(max_size=20), max_size=5), st.data())
def test_a_write_that_ends_half_way_leaves_the_old_content(tmp_path, old, chunks, data):
    path = tmp_path / "file"
    path.unlink(missing_ok=True)
    if old is not None:
        path.write_bytes(old)
    broken = data.draw(st.none() | st.integers(0, len(chunks)))

    def write():
        with whole_file(path) as place, place.open("wb") as file:
            for k, chunk in enumerate(chunks):
                if k == broken:
                    raise Boom
                file.write(chunk)
                assert path.exists() == (old is not None)
            if broken == len(chunks):
                raise Boom

    if broken is None:
        write()
        assert path.read_bytes() == b"".join(chunks)
    else:
        with pytest.raises(Boom):
            write()
        assert path.exists() == (old is not None)
        assert old is None or path.read_bytes() == old
    assert {p.name for p in tmp_path.iterdir()} <= {"file"}


@pytest.mark.parametrize("killed", [0, 1, 3, 4])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_process_that_is_killed_leaves_the_old_or_the_new_content(tmp_path, kind, killed):
    path = tmp_path / "made"
    inside = path / "inside" if kind == "folder" else path
    if kind == "folder":
        path.mkdir()
    inside.write_bytes(b"old")
    first = (killed, -signal.SIGKILL, b"old") if killed < 4 else (killed, 0, b"new" * 4)
    for at, status, content in (first, (4, 0, b"new" * 4)):
        child = started(KILLED, path, 4, at, kind)
        child.communicate()
        assert child.returncode == status
        assert inside.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["made"], "the run after it takes the draft over"


def test_a_draft_may_lie_elsewhere(tmp_path):
    (tmp_path / "work").mkdir()
    with whole_file(tmp_path / "file", tmp_path / "work" / "draft") as place:
        assert place == tmp_path / "work" / "draft"
        place.write_text("whole")
    assert (tmp_path / "file").read_text() == "whole"
    assert not any((tmp_path / "work").iterdir())


def test_a_file_that_cannot_take_its_name_leaves_nothing(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_text(tmp_path / "taken", "text")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_text_is_utf8_whatever_the_locale_says(tmp_path):
    write_text(tmp_path / "file", "Straße\n")
    assert (tmp_path / "file").read_bytes() == "Straße\n".encode()


def test_a_folder_that_breaks_leaves_the_old_one(tmp_path):
    final, draft = tmp_path / "final", tmp_path / "draft"
    with whole_folder(final, draft) as place:
        (place / "one").write_text("1")
    with pytest.raises(FileNotFoundError), whole_folder(final, draft) as place:
        (place / "gone" / "two").write_text("2")
    assert [p.name for p in final.iterdir()] == ["one"]
    with whole_folder(final, draft) as place:
        (place / "three").write_text("3")
    assert [p.name for p in final.iterdir()] == ["three"]
    assert not draft.exists()


def test_a_draft_of_a_killed_run_is_not_mixed_in(tmp_path):
    (tmp_path / "draft").mkdir()
    (tmp_path / "draft" / "left").write_text("")
    with whole_folder(tmp_path / "final", tmp_path / "draft") as place:
        (place / "made").write_text("")
    assert [p.name for p in (tmp_path / "final").iterdir()] == ["made"]


NAMES = st.text("abc", min_size=1, max_size=2)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
JOBS = st.dictionaries(NAMES, JSON, max_size=4)


@given(JOBS)
def test_the_same_job_is_known_again(job):
    again = json.loads(json.dumps(job))
    turned = dict(reversed(list(job.items())))
    assert changes(job, again) == []
    assert fingerprint(job) == fingerprint(again) == fingerprint(turned)


@given(JOBS, JOBS)
def test_another_job_has_another_fingerprint(one, other):
    as_text = [json.dumps(job, sort_keys=True) for job in (one, other)]
    assert (fingerprint(one) == fingerprint(other)) == (as_text[0] == as_text[1])


@given(st.dictionaries(NAMES, JSON, min_size=1), st.data())
def test_what_differs_is_named(value, data):
    name, new = data.draw(st.sampled_from(sorted(value))), object()
    assert changes(value, {**value, name: new}) == [Change(name, value[name], new)]
    without = {k: v for k, v in value.items() if k != name}
    assert changes(value, without) == ([] if value[name] is None else [Change(name, value[name], None)])
    assert changes({"x": value}, {"x": {**value, name: new}}) == [Change(f"x.{name}", value[name], new)]


def test_a_fingerprint_stays_what_it_was():
    assert fingerprint({"b": [1, None], "a": "é"}).startswith("8920de3941419361"), "caches would be lost"


@pytest.mark.parametrize("size", [0, 5, 1 << 16, (1 << 17) + 5])
def test_files_are_known_by_name_size_and_ends(tmp_path, size):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / "file").write_bytes(bytes(size))
        (folder / "below").mkdir()
    same = fingerprint_of_files(one)
    assert fingerprint_of_files(other) == same
    (other / "below" / "file").write_bytes(b"below is not looked at")
    assert fingerprint_of_files(other) == same
    (other / "file").rename(other / "renamed")
    assert fingerprint_of_files(other) != same
    (other / "renamed").rename(other / "file")
    (other / "file").write_bytes(bytes(size + 1))
    assert fingerprint_of_files(other) != same
    if size:
        for content in (b"x" + bytes(size - 1), bytes(size - 1) + b"x"):
            (other / "file").write_bytes(content)
            assert fingerprint_of_files(other) != same


def test_a_file_that_is_not_there_has_no_fingerprint(tmp_path):
    with pytest.raises(FileNotFoundError):
        fingerprint_of_files(tmp_path / "gone")
