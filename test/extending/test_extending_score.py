"""The pixel score that docs/extending.md adds works from the parameter table to the calibration file."""

import json
import re

import guide
import pytest

HEADING = "Add a pixel score"
NAME = "surprisal"

KNOWN = """
from trust_seg_ros.cli import main
from trust_seg_ros.node import reference
from trust_seg_ros.node.parameters import BY_NAME
from trust_seg_ros.node.settings import settings_from
for name in ("thresholds.pixel_score", "ood.score"):
    print(name, *BY_NAME[name].choices)
print(settings_from({"ood.score": "surprisal"}).thresholds.ood_score)
print(reference.score_table(), reference.markdown_table(), reference.yaml_text())
for command in ("benchmark", "calibrate", "trust"):
    try:
        main([command, "--help"])
    except SystemExit:
        pass
"""
FLAGS = """
import json, math
import numpy as np, torch
from trust_seg_ros import Frame, PipelineSettings, ThresholdSettings, TrustPipeline
from trust_seg_ros.remarks import remarks
pipeline = TrustPipeline.load(PipelineSettings(device="cpu"))
image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
thresholds = ThresholdSettings.constants(pixel_score="surprisal", pixel=1.2, ood_score="surprisal", ood=0.5)
pipeline.check(thresholds)
result = pipeline(Frame(image), thresholds)
score = result.scores["surprisal"]
torch.testing.assert_close(score, -torch.log1p(-result.maps.variation_ratio), rtol=0, atol=0)
print(json.dumps({
    "flags": bool(((score >= 1.2).numpy() == result.pixel_flags).all()),
    "flagged": float(result.pixel_flags.mean()),
    "ood": bool(((score >= 0.5).numpy() == (result.ood.ids > 0)).all()),
    "largest": float(score.max()) / math.log(len(pipeline.labels)),
    "missing": pipeline.unavailable("surprisal"),
    "remarks": remarks(pipeline, ThresholdSettings.constants(pixel_score="surprisal", pixel=9.0)),
}))
"""
CALIBRATED = """
import sys
from pathlib import Path
import cv2
from trust_seg_ros.cli import main
from trust_seg_ros.synthetic import training_sample
for kind in ("images", "labels"):
    Path("drive/val", kind).mkdir(parents=True, exist_ok=True)
for seed in range(4):
    image, labels = training_sample(seed, (96, 128))
    cv2.imwrite(f"drive/val/images/s_{seed}.png", image[..., ::-1])
    cv2.imwrite(f"drive/val/labels/s_{seed}.png", labels)
sys.exit(main(["calibrate", "drive", "--out", "c.json", "--score", "entropy", "surprisal"]))
"""
MISSPELT = CALIBRATED.replace('"surprisal"', '"surprisl"')


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(exit status, output, errors) of every part, and their folder."""
    folder = tmp_path_factory.mktemp("extended")
    parts = {"known": KNOWN, "flags": FLAGS, "misspelt": MISSPELT, "calibrated": CALIBRATED}
    return {**guide.run_parts(HEADING, parts, folder), "folder": folder}


def said(done, part):
    status, out, err = done[part]
    assert status == 0, err
    return out


def test_it_takes_one_file_one_row_and_at_most_fifteen_lines():
    files = guide.changed_files(HEADING)
    assert sorted(files) == ["trust_seg_ros/uncertainty/registry.py", f"trust_seg_ros/uncertainty/{NAME}.py"]
    blocks = re.findall(r"^```python\n# trust_seg_ros.*?\n(.*?)^```", guide.section(HEADING), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    assert len(blocks) == 3
    assert len(lines) <= 15


@pytest.mark.slow
def test_parameters_options_and_documents_know_it(done):
    found = said(done, "known")
    lines = found.splitlines()
    assert lines[0].split()[-4:] == [NAME, "mc_dropout", "input_noise", "input_scale"]
    assert (lines[1].split()[-1], lines[2]) == (NAME, NAME)
    row = f"| `{NAME}` | minus the logarithm of the largest probability | 0 to 2.94 with 19 classes (nats) |  |"
    assert row in lines
    assert len([line for line in lines if line.startswith("| `") and f"cdnp, {NAME}" in line]) == 2
    assert len([line for line in lines if line.startswith("      # ") and NAME in line]) == 2, "the parameter file"
    helps = found[found.index("usage: trust-seg benchmark") :]
    assert len(re.findall(rf"cdnp,\s+{NAME},\s+or\s+all", helps)) == 3


def test_the_pipeline_flags_by_it_and_warns_of_its_range(done):
    found = json.loads(said(done, "flags").splitlines()[-1])
    assert (found["flags"], found["ood"], found["missing"]) == (True, True, None)
    assert 0 < found["flagged"] < 1
    assert 0 < found["largest"] <= 1
    (remark,) = [text for text in found["remarks"] if "above all values" in text]
    assert "9 is above all values of surprisal (0 to 2.39" in remark


def test_it_is_calibrated_by_name(done):
    said(done, "calibrated")
    made = json.loads((done["folder"] / "c.json").read_text("utf-8"))
    assert list(made["scores"]) == ["entropy", NAME]


def test_a_misspelt_name_is_refused_with_the_nearest(done):
    status, _, errors = done["misspelt"]
    assert status == 2
    assert "--score surprisl: choose from entropy, margin" in errors
    assert errors.rstrip().endswith("did you mean surprisal?")
