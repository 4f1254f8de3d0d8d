"""Set-up on a machine without ROS 2: pins are complete, and what is missing is said instead of a traceback."""

import os
import re
import shutil
import subprocess

import pytest
from places import ROOT

PIN = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; python_full_version [<>=]+ '3\.\d+(\.\*)?')?")


def lines(name):
    text = (ROOT / name).read_text().splitlines()
    return [line.strip() for line in text if line.strip() and not line.lstrip().startswith("#")]


def normal(name):
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=; ]", name)[0]).lower()


def test_every_constraint_is_an_exact_version_that_any_index_can_have():
    pins = lines("constraints.txt")
    assert [line for line in pins if not PIN.fullmatch(line)] == []
    assert "torch==2.13.0" in pins


def test_everything_required_is_pinned_within_the_limits():
    pins = {normal(line): line for line in lines("constraints.txt")}
    required = lines("requirements.txt") + lines("requirements-test.txt")
    assert [name for name in required if normal(name) not in pins] == []
    assert pins["pytest"] < "pytest==9"
    assert pins["opencv-python-headless"] < "opencv-python-headless==5"


@pytest.mark.parametrize("package", ["vision_msgs", "tf2_msgs"])
def test_message_build_uses_the_versions_of_the_installed_ros(package):
    """Generated code of another distribution does not fit the runtime."""
    pins = dict(line.split("==") for line in lines("constraints.txt") if ";" not in line)
    build = re.findall(r'"(ros-[\w-]+)==([\d.]+)"', (ROOT / "interfaces" / package / "pyproject.toml").read_text())
    assert len(build) > 5
    assert {name: version for name, version in build if pins.get(name, version) != version} == {}


def test_every_extra_that_reads_bags_asks_for_a_rosbags_that_opens_them():
    """rosbags 0.10 lacks modules that the reader of bags imports."""
    text = (ROOT / "setup.py").read_text()
    assert re.findall(r'"(rosbags[^"]*)"', text) == ["rosbags>=0.11"]
    assert re.search(r'"demo": \[\*BAGS, ', text)
    assert re.search(r'"replay": \[\*BAGS, ', text)


def find_python(*arguments, path):
    command = ["/bin/sh", ROOT / "tools" / "find_python.sh", *arguments]
    return subprocess.run(command, env={"PATH": str(path)}, capture_output=True, text=True, timeout=60)


@pytest.fixture
def machine(tmp_path):
    """A PATH with nothing but what a shell script takes for granted."""
    for tool in ("uname", "sh"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    return tmp_path


def program(folder, name, script):
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_no_python_is_explained(machine):
    run = find_python(path=machine)
    assert run.returncode == 1
    assert "found no python3; needed is Python 3.10, 3.11, 3.12 or 3.13" in run.stderr


@pytest.mark.parametrize("version", ["Python 3.9.2", "Python 3.14.1"])
def test_an_unsupported_python_is_named(machine, version):
    program(machine, "python3", f'[ "$1" = --version ] && echo "{version}" || exit 1')
    run = find_python(path=machine)
    assert run.returncode == 1
    assert f"found {version}; needed is" in run.stderr


def test_the_python_asked_for_is_not_replaced_by_another(machine):
    program(machine, "python3", "exit 0")
    run = find_python("python3.99", path=machine)
    assert run.returncode == 1
    assert "found no python3.99" in run.stderr


def test_a_later_candidate_is_taken_when_the_first_does_not_do(machine):
    program(machine, "python3", "exit 1")
    program(machine, "python3.12", 'case "$3" in *print*) echo 3.12;; esac')
    for compiler in ("gcc", "g++"):
        program(machine, compiler, "exit 0")
    run = find_python(path=machine)
    assert run.stdout.strip() == "python3.12", run.stderr


def test_everything_missing_is_said_at_once(machine):
    program(machine, "python3", '[ "$1" = -S ] || exit 1; case "$3" in *print*) echo 3.11;; esac')
    run = find_python(path=machine)
    assert run.returncode == 1
    assert "sudo apt-get install python3.11-venv python3.11-dev gcc g++" in run.stderr


def test_make_lists_its_targets():
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    run = subprocess.run([make, "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    targets = {line.split()[0] for line in run.stdout.splitlines()[1:]}
    assert {"demo", "test", "lint", "bench", "clean", "help"} <= targets


def test_commands_run_in_the_environment_alone(tmp_path):
    """A sourced ROS 2, or a parent that runs another environment, must not leak in."""
    (tmp_path / "tools").mkdir()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    shutil.copy(ROOT / "tools/in_venv.sh", tmp_path / "tools")
    program(tmp_path / ".venv/bin", "python", "echo 42")
    leaks = {
        "PYTHONPATH": "/opt/ros/x",
        "LD_LIBRARY_PATH": "/opt/ros/lib",
        "ROS_DISTRO": "x",
        "AMENT_PREFIX_PATH": "/opt",
    }
    env = {"PATH": os.environ["PATH"]} | leaks
    run = subprocess.run([tmp_path / "tools/in_venv.sh", "env"], env=env, capture_output=True, text=True, timeout=30)
    seen = dict(line.split("=", 1) for line in run.stdout.splitlines())
    assert not {"PYTHONPATH", "LD_LIBRARY_PATH", "ROS_DISTRO"} & set(seen)
    assert seen["AMENT_PREFIX_PATH"] == str(tmp_path / ".venv")
    assert seen["PATH"].startswith(f"{tmp_path}/.venv/bin:")
    assert (seen["ROS_DOMAIN_ID"], seen["ROS_AUTOMATIC_DISCOVERY_RANGE"]) == ("42", "LOCALHOST")
