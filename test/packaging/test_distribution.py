"""What `pip install .` and `colcon build` install, and what is declared for them."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from places import ROOT

PARTS = ("trust_seg_ros", "launch", "config", "resource", "scripts")
KINDS = {".py", ".safetensors", ".json", ".typed", ".mp4", ".LICENSE"}
FILES = ("setup.py", "setup.cfg", "package.xml", "pyproject.toml", "MANIFEST.in", "LICENSE")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy to build in: setuptools writes beside setup.py."""
    copy = tmp_path_factory.mktemp("source")
    for part in PARTS:
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copy(ROOT / file, copy)
    return copy


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(folder), "."]
    subprocess.run(command, cwd=source, check=True, timeout=300, stdin=subprocess.DEVNULL)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def prefix(wheel, tmp_path_factory):
    """The wheel, installed below a folder of its own."""
    folder = tmp_path_factory.mktemp("prefix")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "-q", "--prefix", str(folder), str(wheel)]
    command.append("--ignore-installed")  # else pip first uninstalls the package from the environment we run in
    subprocess.run(command, check=True, timeout=300, stdin=subprocess.DEVNULL)
    return folder


@pytest.mark.slow
def test_wheel_holds_every_module_and_package_file(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    kept = [p for p in (ROOT / "trust_seg_ros").rglob("*") if p.suffix in KINDS]
    missing = [str(p.relative_to(ROOT)) for p in kept if str(p.relative_to(ROOT)) not in names]
    assert len(kept) > 10
    assert missing == []


def test_ament_and_launch_find_an_installation(prefix):
    assert (prefix / "share/ament_index/resource_index/packages/trust_seg_ros").is_file()
    share = prefix / "share/trust_seg_ros"
    assert (share / "package.xml").is_file()
    for folder in ("launch", "config", "config/labels", "config/nav2", "config/autoware"):
        shipped = sorted(p.name for p in (ROOT / folder).iterdir() if p.is_file())
        assert sorted(p.name for p in (share / folder).iterdir() if p.is_file()) == shipped, folder
    for name in ("trust_seg_node", "trust_seg_cameras", "trust_seg_speed_limit"):
        assert os.access(prefix / "lib/trust_seg_ros" / name, os.X_OK), name


def test_installed_package_finds_its_files(prefix):
    (site,) = prefix.glob("lib/python*/*-packages")
    code = "from trust_seg_ros.support import paths; print(paths.__file__); print(paths.config_file('trust_seg.rviz'))"
    env = os.environ | {"PYTHONPATH": str(site)}
    run = subprocess.run([sys.executable, "-c", code], cwd=prefix, env=env, capture_output=True, text=True, timeout=60)
    module, config = run.stdout.split()
    assert Path(module).is_relative_to(prefix)
    assert config == str(prefix / "share/trust_seg_ros/config/trust_seg.rviz")


def test_wrapper_runs_the_python_of_its_prefix_with_all_arguments(prefix, tmp_path):
    """A stand-in for the interpreter shows what the wrapper hands on, untouched by the shell."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib/trust_seg_ros").mkdir(parents=True)
    shutil.copy(prefix / "lib/trust_seg_ros/trust_seg_node", tmp_path / "lib/trust_seg_ros")
    fake = tmp_path / "bin/python3"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    arguments = ["--ros-args", "-r", "~/image:=/a b", "$HOME"]
    run = subprocess.run(
        [tmp_path / "lib/trust_seg_ros/trust_seg_node", *arguments], capture_output=True, text=True, timeout=30
    )
    assert run.stdout.splitlines()[2:] == arguments


def test_colcon_installs_executables_where_ros2_run_looks():
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert config["develop"]["script_dir"] == "$base/lib/trust_seg_ros"
    assert config["install"]["install_scripts"] == "$base/lib/trust_seg_ros"
    assert config["build_scripts"]["executable"] == "/usr/bin/env python3"


def test_only_the_root_is_a_package_for_colcon():
    """colcon and rosdep stop at the first package.xml on a path: nothing else may lie above interfaces/."""
    found = {p.relative_to(ROOT).parts for p in ROOT.glob("*/package.xml")}
    assert found == set()
    assert ElementTree.parse(ROOT / "package.xml").findtext("export/build_type") == "ament_python"


def test_versions_and_names_agree():
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    command = [sys.executable, "setup.py", "--name", "--version"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    assert said[-2:] == [package.findtext("name"), package.findtext("version")]
    assert package.findtext("license") == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_every_ros_package_imported_is_declared():
    """A dependency that package.xml forgets works until rosdep installs a fresh machine."""
    declared = {e.text for e in ElementTree.parse(ROOT / "package.xml").iter("exec_depend")}
    ros = {"rclpy", "launch", "launch_ros", "ament_index_python", "rcl_interfaces", "rosgraph_msgs"}
    used = set()
    for path in [*(ROOT / "trust_seg_ros").rglob("*.py"), *(ROOT / "launch").glob("*.py")]:
        for line in path.read_text().splitlines():
            words = line.split()
            if len(words) > 1 and words[0] in {"from", "import"}:
                name = words[1].partition(".")[0]
                if name in ros or name.endswith(("_msgs", "_srvs", "_interfaces")):
                    used.add(name)
    assert "launch_ros" in used
    assert used - declared == set()


def test_programs_that_launch_files_start_are_declared():
    """`Node(package="rviz2", …)` is no import, but rosdep must install it all the same."""
    package = ElementTree.parse(ROOT / "package.xml")
    started = set()
    for path in (ROOT / "launch").glob("*.py"):
        started |= set(re.findall(r'\bpackage="(\w+)"', path.read_text()))
    assert "rviz2" in started
    assert started - {"trust_seg_ros"} <= {e.text for e in package.iter("exec_depend")}


def test_every_test_library_is_declared():
    tests = "\n".join(p.read_text() for p in (ROOT / "test").rglob("*.py"))
    used = set(re.findall(r"^(?:from|import) (pytest|hypothesis|mock|launch_testing)\b", tests, re.MULTILINE))
    declared = {e.text for e in ElementTree.parse(ROOT / "package.xml").iter("test_depend")}
    assert {f"python3-{name}" for name in used} <= declared


def test_the_least_numpy_is_what_numba_takes():
    """numba 0.59 needs NumPy 1.22; a lower bound below it promises what pip cannot keep."""
    assert '"numba>=0.59"' in (ROOT / "setup.py").read_text()
    assert '"numpy>=1.22"' in (ROOT / "setup.py").read_text()
