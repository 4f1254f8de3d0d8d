"""Marks: what a test needs beyond the package is said, so that `make quick` can leave it out."""

import ast
import subprocess
import sys

import pytest
from places import ROOT

FILES = sorted((ROOT / "test").rglob("test_*.py"))
SIGNS = {
    # mark -> what a test file that needs it imports, or starts
    "ros": ("from ros_bench import", "rclpy.init", "rclpy.Context("),
    "browser": ("from selenium", "from report_browser import"),
    "cluster": ("import ray\n", "ray.init", "ray_cluster.connect("),
    "gpu": ("not torch.cuda.is_available()",),
}


@pytest.mark.parametrize("mark", SIGNS)
def test_what_needs_more_than_the_package_is_marked(mark):
    needing = [path for path in FILES if path.name != "test_markers.py" and uses(path, SIGNS[mark])]
    assert needing, f"no test file shows a sign of {mark}: the signs are out of date"
    assert [path.name for path in needing if f"pytest.mark.{mark}" not in path.read_text()] == []


def uses(path, signs):
    text = path.read_text()
    return any(sign in text for sign in signs)


def test_every_test_file_parses_and_has_a_name_of_its_own():
    names = [path.name for path in FILES]
    assert len(names) == len(set(names)) > 150
    for path in FILES:
        ast.parse(path.read_text())


@pytest.mark.slow
def test_an_unknown_mark_is_refused(tmp_path):
    (tmp_path / "test_x.py").write_text("import pytest\n\n\n@pytest.mark.slwo\ndef test_x():\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode != 0
    assert "'slwo' not found in `markers`" in run.stdout
