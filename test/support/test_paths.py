"""Files are found in every layout, and a missing one is explained."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

from trust_seg_ros.support import paths


def install(prefix: Path, *, share: bool) -> Path:
    """The module alone, where pip would put it; returns the folder to import it from."""
    site = prefix / "lib" / "python3" / "site-packages"
    (site / "trust_seg_ros" / "support").mkdir(parents=True)
    for name in ("__init__.py", "errors.py", "support/__init__.py", "support/paths.py"):
        shutil.copy(ROOT / "trust_seg_ros" / name, site / "trust_seg_ros" / name)
    if share:
        (prefix / "share" / "trust_seg_ros" / "config" / "labels").mkdir(parents=True)
    return site


def ask(site: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k != "AMENT_PREFIX_PATH"} | {"PYTHONPATH": str(site)} | environment
    command = [sys.executable, "-c", f"from trust_seg_ros.support import paths; {code}"]
    return subprocess.run(command, env=env, cwd=site, capture_output=True, text=True, timeout=60)


def test_a_checkout_uses_its_own_folders():
    assert paths.config_dir() == ROOT / "config"
    assert paths.launch_dir() == ROOT / "launch"
    assert paths.config_file("fastdds_shm.xml").is_file()


def test_an_installation_is_found_from_where_the_module_lies(tmp_path):
    answer = ask(install(tmp_path, share=True), "print(paths.config_dir())")
    assert answer.stdout.strip() == str(tmp_path / "share" / "trust_seg_ros" / "config"), answer.stderr


def test_ament_prefix_path_is_searched(tmp_path):
    overlay = tmp_path / "overlay"
    (overlay / "share" / "trust_seg_ros" / "config").mkdir(parents=True)
    site = install(tmp_path / "elsewhere", share=False)
    answer = ask(site, "print(paths.config_dir())", AMENT_PREFIX_PATH=f"/nowhere:{overlay}")
    assert answer.stdout.strip() == str(overlay / "share" / "trust_seg_ros" / "config"), answer.stderr


def test_nothing_found_names_the_places(tmp_path):
    site = install(tmp_path, share=False)
    code = "import sys; sys.prefix = '/bare'\ntry: paths.launch_dir()\nexcept paths.PathsError as error: print(error)"
    answer = ask(site, code, AMENT_PREFIX_PATH="/opt/ros/none")
    assert "the folder 'launch' of trust_seg_ros was not found" in answer.stdout, answer.stderr
    assert "/opt/ros/none/share/trust_seg_ros/launch" in answer.stdout
    assert str(tmp_path / "share" / "trust_seg_ros" / "launch") in answer.stdout


def test_an_unknown_config_file_lists_those_there_are():
    with pytest.raises(paths.PathsError, match=r"'nothing\.xml'.*fastdds_shm\.xml"):
        paths.config_file("nothing.xml")


def test_shipped_labels_are_found_by_name():
    names = paths.label_names()
    assert names
    for name in names:
        assert paths.label_file(name).is_file()


def test_own_labels_are_taken_by_path(tmp_path):
    own = tmp_path / "mine.yaml"
    own.write_text("names: [a]\n")
    assert paths.label_file(own) == own
    assert paths.label_file(str(own)) == own


@pytest.mark.parametrize(("name", "text"), [("no_such", "shipped: .*camvid11"), ("a/no.yaml", "does not exist")])
def test_labels_that_are_not_there_are_explained(name, text):
    with pytest.raises(paths.PathsError, match=text):
        paths.label_file(name)


def test_cache_follows_xdg_and_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert paths.cache_dir("a", "b") == tmp_path / "trust_seg_ros" / "a" / "b"
    assert (tmp_path / "trust_seg_ros" / "a" / "b").is_dir()


def test_a_relative_xdg_folder_is_ignored(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.cache_dir("a") == tmp_path / ".cache" / "trust_seg_ros" / "a"


def test_cache_falls_back_to_a_private_temporary_folder(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("a file where the cache folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = paths.cache_dir("kernels")
    assert folder.is_dir()
    assert folder.parent.parent == tmp_path
    assert not folder.parent.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def test_a_temporary_folder_that_others_can_write_is_not_trusted(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    planted = tmp_path / f"trust_seg_ros-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert paths.cache_dir().parent == tmp_path
    assert paths.cache_dir() != planted
