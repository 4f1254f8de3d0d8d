"""The example policy of docs/extending.md: in the node, the pipeline, the command line and the documents."""

import re

import pytest
from guide import changed_files, run_parts, section

HEADING = "Add a threshold policy"

NODE = """
from trust_seg_ros.node import reference
from trust_seg_ros.node.parameters import BY_NAME, TABLE
from trust_seg_ros.node.settings import settings_from

targets = {"thresholds.pixel_": "thresholds.pixel_policy", "thresholds.unreliable_": "thresholds.unreliable_policy",
           "ood.": "ood.policy"}
added = [p for p in TABLE if p.name.endswith("mads")]
assert [p.name for p in added] == [f"{prefix}mads" for prefix in targets]
assert {(p.default, p.low, p.high) for p in added} == {(6.0, 0.0, 100.0)}
assert BY_NAME["thresholds.unreliable_mads"].description == (
    "With `median_mad`: median distances above the median of the P(false positive) of the image's segments.")
assert all(BY_NAME[name].choices[-1] == "median_mad" for name in targets.values())
assert "median_mad" not in BY_NAME["ood.meta_policy"].choices

for text in (reference.yaml_text(), reference.markdown_text()):
    assert text.count("mads") >= 3
assert "| `median_mad` | `mads`, 6 | median + so many times" in reference.policies_table()
assert reference.served_table().count("mads`") == 3

settings = settings_from({"ood.policy": "median_mad", "ood.mads": 2.5}).thresholds
assert settings.ood.describe() == "median_mad mads = 2.5"
assert settings.pixel.policy == "auto"
"""

PIPELINE = """
import numpy as np
from trust_seg_ros import Frame, ThresholdSettings, TrustPipeline
from trust_seg_ros.pipeline import PipelineSettings
from trust_seg_ros.thresholds import PolicySettings
from trust_seg_ros.thresholds.policies import resolve
from trust_seg_ros.thresholds.policies.median_mad import MedianMad
from trust_seg_ros.thresholds.warm import warm_up

image = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8).repeat(16, 0).repeat(16, 1)
pipeline = TrustPipeline.load(PipelineSettings(grid="image"))
chosen = PolicySettings("median_mad", mads=1.0)
settings = ThresholdSettings(pixel=chosen, unreliable=chosen, unreliable_min_share=0.0, ood=chosen)
result = pipeline(Frame(image), settings)
score = result.maps.entropy.numpy().astype(np.float64)
limit = np.median(score) + 1.0 * np.median(abs(score - np.median(score)))
assert abs(result.thresholds["pixel"] - limit) < 1e-6
assert result.thresholds["pixel"] == result.thresholds["ood"]
assert 0 < result.pixel_flags.sum() < score.size
assert np.array_equal(result.pixel_flags, score >= limit)
p = result.trust.p_wrong
assert np.array_equal(result.trust.unreliable, p >= np.median(p) + 1.0 * np.median(abs(p - np.median(p))))

for scores in (np.full((3, 4), 0.5, np.float32), np.zeros(0)):
    assert not (scores >= scores.dtype.type(resolve(MedianMad(0.0), scores))).any()
warm_up()
"""

COMMANDS = """
import contextlib, io
from pathlib import Path
from trust_seg_ros.cli import main

for kind in ("images", "labels"):
    Path("d", kind).mkdir(parents=True)

def said(*words):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), contextlib.suppress(SystemExit):
        main(words)
    return out.getvalue()

help = said("trust", "--help")
assert "median_mad:MADS" in help and "median_mad:6" in help, help
assert "thresholds.pixel_mads" in said("params", "mads")
assert "mads = 900.0: expected a number in [0, 100]" in said("trust", "d", "--out", "o", "--policy", "median_mad:900")
assert "did you mean median_mad" in said("trust", "d", "--out", "o", "--policy", "median_mat:3")

from trust_seg_ros.commands.replay_parameters import replay_parameters
found = replay_parameters(None, ["thresholds.pixel_policy:=median_mad", "thresholds.pixel_mads:=3.5"])
assert found.thresholds.pixel.chosen.mads == 3.5
"""

STUDY = """
import csv
from pathlib import Path
import cv2
import numpy as np
from trust_seg_ros.cli import main

rng = np.random.default_rng(0)
for k in range(4):
    for kind in ("images", "labels"):
        Path("data", kind).mkdir(parents=True, exist_ok=True)
    image = rng.integers(0, 256, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    cv2.imwrite(f"data/images/{k}.png", image)
    cv2.imwrite(f"data/labels/{k}.png", rng.integers(0, 11, (6, 8), np.uint8).repeat(8, 0).repeat(8, 1))
words = ["trust", "data", "--score", "entropy", "--runs", "2", "--policy", "otsu", "median_mad:1", "--out", "out"]
assert main(words) == 0
with open("out/policies.csv") as file:
    rows = {row["policy"]: row for row in csv.DictReader(file)}
assert set(rows) == {"otsu", "median_mad:1"}
assert 0 < float(rows["median_mad:1"]["flagged"]) < 1, rows
assert "median_mad:1" in Path("out/report.md").read_text()
"""


PARTS = {"node": NODE, "commands": COMMANDS, "pipeline": PIPELINE, "study": STUDY}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return run_parts(HEADING, PARTS, tmp_path_factory.mktemp("extended"), COLUMNS="300")


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_the_example_policy_works(part, done):
    status, output, errors = done[part]
    assert status == 0, output + errors


def test_a_policy_is_one_file_and_one_row():
    assert sorted(changed_files(HEADING)) == [
        "trust_seg_ros/thresholds/policies/median_mad.py",
        "trust_seg_ros/thresholds/policies/registry.py",
    ]
    blocks = re.findall(r"^```python\n(.*?)^```", section(HEADING), re.MULTILINE | re.DOTALL)
    assert sum(len(block.splitlines()) - 1 for block in blocks) <= 40
