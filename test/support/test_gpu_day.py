"""benchmarks/gpu_day.sh, rehearsed without a GPU: every part runs, and nothing is given out as measured."""

import json
import os
import subprocess
import sys

import pytest
from interpreted import needs_triton
from places import ROOT

FOLDER = ROOT / "benchmarks" / "gpu_day"
STEPS = ["machine", "equality", "timings", "sanitizer", "tests"]


def run_day(folder, *options):
    """Status, results and page; no GPU is seen, whatever the machine has."""
    command = [sys.executable, str(FOLDER), "--out", str(folder), *options]
    env = dict(os.environ, CUDA_VISIBLE_DEVICES="")
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=480)
    assert (folder / "gpu_day.json").exists(), run.stdout + run.stderr
    return run, json.loads((folder / "gpu_day.json").read_text()), (folder / "gpu_day.md").read_text()


def numbers(results):
    """All numbers in there, with their names."""
    for name, value in results.items():
        if isinstance(value, dict):
            yield from numbers(value)
        elif isinstance(value, int | float):
            yield name, value


@needs_triton
@pytest.mark.slow
def test_the_rehearsal_runs_every_part_and_measures_nothing(tmp_path):
    run, day, page = run_day(tmp_path, "--rehearse")
    assert run.returncode == 0, run.stdout
    assert day["rehearsal"]
    assert {name: step["ok"] for name, step in day["steps"].items()} == dict.fromkeys(STEPS, True)
    assert day["steps"]["equality"]["results"] == {"maps compared": 6, "maps that differ": 0}
    timed = day["steps"]["timings"]["results"]
    assert len(timed["function, ms"]) > 8
    assert "beyond the network" in timed["pipeline with CUDA graphs, ms"]
    sys.path.insert(0, str(FOLDER))
    import roofline

    assert {name.rpartition(": ")[2] for name in timed["kernel"]} == set(roofline.KERNELS)
    assert [name for name, _ in numbers(timed)] == ["segments"]
    assert "nothing was measured on a GPU" in page
    assert "nothing was measured on a GPU" in run.stdout


@pytest.mark.slow
def test_a_step_that_fails_does_not_end_the_others(tmp_path):
    run, day, page = run_day(tmp_path, "--only", "machine", "equality", "--minutes", "2")
    assert run.returncode == 1
    assert day["steps"]["machine"]["why"] == "torch sees no CUDA device"
    assert day["steps"]["machine"]["results"]["torch"]
    assert not day["steps"]["equality"]["ok"]
    assert "| machine | **failed** | torch sees no CUDA device |" in page
