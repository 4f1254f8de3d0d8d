"""Files that services outside read: they parse, and name things that exist."""

import re
import shutil
import subprocess
import sys

import pytest
import yaml
from places import ROOT

YAML = sorted([*ROOT.glob(".github/**/*.yml"), ROOT / ".pre-commit-config.yaml"])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def workflow():
    return yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_yaml_parses(path):
    assert yaml.safe_load(path.read_text())


def test_the_workflow_runs_lint_types_tests_and_colcon(workflow):
    jobs = workflow["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.12", "3.13"]
    assert jobs["colcon"]["strategy"]["matrix"]["ros"] == ["humble", "jazzy", "kilted"]
    commands = "\n".join(step.get("run", "") for job in jobs.values() for step in job["steps"])
    made = set(re.findall(r"\bmake ([a-z-]+)", commands))
    assert {"lint", "types", "test"} <= made <= TARGETS
    assert "colcon build --packages-select trust_seg_ros" in commands


def test_the_workflow_installs_what_the_vehicle_guide_says(workflow):
    guide = re.search(r"^pip install (.*)$", (ROOT / "docs/vehicle.md").read_text(), re.MULTILINE).group(1)
    steps = "\n".join(step.get("run", "") for step in workflow["jobs"]["colcon"]["steps"]).replace("\\\n", " ")
    installed = re.search(r"^pip install (.*)$", steps, re.MULTILINE).group(1)
    assert set(installed.split()) == set(guide.split())


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_issue_templates_ask_in_the_form_that_forges_read(name):
    form = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text())
    assert {"name", "description", "body"} <= set(form)
    for field in form["body"]:
        assert field["type"] in {"textarea", "checkboxes", "input", "dropdown", "markdown"}
        assert field["attributes"].get("label"), field
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))


def test_hooks_run_what_make_lint_runs():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    makefile = (ROOT / "Makefile").read_text()
    for hook in hooks:
        wrapper, tool = hook["entry"].split()[:2]
        assert wrapper == "tools/in_venv.sh"
        assert f"$(RUN) {tool}" in makefile, hook["id"]
        assert shutil.which(tool, path=str(ROOT / ".venv/bin")) or shutil.which(tool), tool


def test_guides_name_targets_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text() + (ROOT / "README.md").read_text()
    named = set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^ *make ([a-z-]+)", text, re.MULTILINE))
    assert {"check", "test", "lint"} <= named <= TARGETS


def test_no_version_but_that_of_setup_is_stated():
    version = re.search(r'version="([\d.]+)"', (ROOT / "setup.py").read_text()).group(1)
    changelog = (ROOT / "CHANGELOG.md").read_text()
    dated = re.findall(r"^## \[([\d.]+)\] - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    assert dated[0] == version
    assert changelog.index("## [Unreleased]") < changelog.index(f"## [{version}]")
    run = subprocess.run(
        [sys.executable, "-m", "trust_seg_ros.cli", "version"], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert run.stdout.startswith("trust_seg_ros "), run.stderr
