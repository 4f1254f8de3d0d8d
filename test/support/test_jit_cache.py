"""Where compiled kernels are kept, and that nothing depends on them being kept."""

import json
import os
import select
import subprocess
import sys

import pytest
from places import ROOT

pytestmark = pytest.mark.slow

CALLEE = """
from trust_seg_ros.support.jit import jit
FACTOR = {factor}
@jit
def scaled(x):
    return FACTOR * x
"""
CALLER = """
import numba
from trust_seg_ros.support.jit import jit
import callee
@jit
def run(x):
    return callee.scaled(x) + 1
from callee import scaled
@jit
def direct(x):
    return scaled(x) + 1
if __name__ == "__main__":
    print(run(3), direct(3), sum(direct.stats.cache_hits.values()), numba.config.CACHE_DIR == "")
"""


# A process that has numba loaded, but nothing of this package, and runs a file in a copy of itself: loading numba and
# its compiler takes longer than all that is tested here.
COPIES = """
import json, os, runpy, sys, tempfile
import numba
numba.njit(lambda x: x + 1)(1)
for line in sys.stdin:
    asked = json.loads(line)
    pid = os.fork()
    if pid:
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        continue
    for number, name in ((1, "output"), (2, "errors")):
        os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(asked["folder"])
    os.environ.update(asked["environment"])
    tempfile.tempdir = None  # looked up again
    sys.path[:0] = asked["paths"]
    runpy.run_path("caller.py", run_name="__main__")
    sys.exit()
"""


class Copies:
    """Runs ``caller.py`` of a folder in a process of its own."""

    def __init__(self, process, folder):
        self.process, self.files = process, {name: folder / name for name in ("output", "errors")}

    def run(self, folder, environment):
        asked = {"folder": str(folder), "environment": environment, "paths": [str(folder), str(ROOT)]}
        print(json.dumps(asked | {k: str(v) for k, v in self.files.items()}), file=self.process.stdin, flush=True)
        assert select.select([self.process.stdout], [], [], 120)[0], "it takes too long"
        assert self.process.stdout.readline() == "0\n", self.files["errors"].read_text()
        return self.files["output"].read_text()


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    command = [sys.executable, "-c", COPIES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Copies(process, tmp_path_factory.mktemp("said"))
        process.stdin.close()
        assert process.wait(20) == 0


class Project:
    """Two modules with a kernel each, run in a process of their own."""

    def __init__(self, path, copies):
        self.path, self.home, self.copies = path, path / "cache", copies
        (path / "caller.py").write_text(CALLER)
        self.write(2)

    def write(self, factor):
        (self.path / "callee.py").write_text(CALLEE.format(factor=factor))

    def run(self, **environment):
        return self.copies.run(self.path, {"XDG_CACHE_HOME": str(self.home), **environment}).split()

    def files(self, ending):
        return sorted((self.home / "trust_seg_ros" / "numba").rglob(f"*.{ending}"))


@pytest.fixture
def project(tmp_path, copies):
    return Project(tmp_path, copies)


def test_a_second_process_loads_what_the_first_compiled(project):
    assert project.run() == ["7", "7", "0", "True"]
    assert project.files("nbc")
    assert not list(project.path.rglob("__pycache__/*.nbi"))
    assert project.run() == ["7", "7", "1", "True"]


def test_a_changed_constant_in_a_kernel_called_is_noticed(project):
    project.run()
    project.write(5)
    assert project.run()[1:3] == ["16", "0"]


def test_a_damaged_cache_is_compiled_over(project):
    project.run()
    for file in project.files("nbc") + project.files("nbi"):
        file.write_bytes(b"\x80\x05not a pickle")
    assert project.run()[:3] == ["7", "7", "0"]
    assert project.run()[2] == "1"


def test_truncated_code_is_compiled_over(project):
    project.run()
    for file in project.files("nbc"):
        file.write_bytes(file.read_bytes()[:100])
    assert project.run()[:3] == ["7", "7", "0"]


def test_kernels_whose_files_have_one_bit_flipped_are_compiled_anew(project):
    project.run()
    for file in (files := project.files("nbc") + project.files("nbi")):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 4
        file.write_bytes(content)
    assert project.run()[:3] == ["7", "7", "0"]
    said = project.copies.files["errors"].read_text()
    assert all(f"{file}: damaged" in said for file in files if file.suffix == ".nbi")
    assert project.run()[2] == "1"


AT_ONCE = """
from trust_seg_ros.support.jit_files import checked_files
import numpy as np
from trust_seg_ros.support.jit import jit
def total(a):
    s = 0.0
    for k in range(a.shape[0]):
        s += a[k]
    return s
Files, plain, strided = checked_files(), np.arange(10.0), np.arange(20.0)[::2]
load, save, late = Files._load_index, Files._save_data, []
# two processes find no index; the data of the first are written last
Files._load_index = lambda self: {}
Files._save_data = lambda *given: late.append(given)
jit(total)(plain)
Files._save_data = save
jit(total)(strided)
for given in late:
    save(*given)
Files._load_index = load
after = jit(total)
print(after(plain), after(strided), sum(after.stats.cache_hits.values()))
"""


def test_processes_that_compile_at_the_same_time_do_not_mix_up_their_code(project):
    (project.path / "caller.py").write_text(AT_ONCE)
    assert project.run() == ["45.0", "90.0", "1"]


@pytest.mark.parametrize("place", ["/dev/null", "/proc/no/such/place"])
def test_without_a_home_kernels_are_kept_in_a_private_temporary_folder(project, tmp_path, place):
    environment = {"XDG_CACHE_HOME": place, "TMPDIR": str(tmp_path)}
    assert project.run(**environment)[:3] == ["7", "7", "0"]
    assert list((tmp_path / f"trust_seg_ros-{os.getuid()}" / "numba").rglob("*.nbc"))
    assert project.run(**environment)[:3] == ["7", "7", "1"]


def test_a_cache_that_can_be_written_nowhere_is_done_without(project, tmp_path):
    (tmp_path / f"trust_seg_ros-{os.getuid()}").write_text("in the way")
    assert project.run(XDG_CACHE_HOME="/dev/null", TMPDIR=str(tmp_path))[:3] == ["7", "7", "0"]
    assert not list(tmp_path.rglob("*.nbc"))


def test_compilation_switched_off_still_computes(project):
    environment = {"NUMBA_DISABLE_JIT": "1"}
    (project.path / "plain.py").write_text("from caller import direct; print(direct(3))")
    done = subprocess.run(
        [sys.executable, "plain.py"],
        cwd=project.path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == "7", done.stderr


def test_importing_every_kernel_touches_no_files(tmp_path):
    code = "from trust_seg_ros import segments, uncertainty; import trust_seg_ros.messages.kernels"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
