"""The examples of docs/library.md run as they stand there, in a process in which ROS cannot be imported."""

import re
import subprocess
import sys

import cv2
import pytest
from places import ROOT

from trust_seg_ros.meta import load_meta_model
from trust_seg_ros.synthetic import training_sample

GUIDE = ROOT / "docs" / "library.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
WITHOUT_ROS = """
import sys

for name in ("rclpy", "sensor_msgs", "std_msgs", "vision_msgs", "diagnostic_msgs", "lifecycle_msgs", "std_srvs"):
    sys.modules[name] = None  # importing it raises ImportError
"""
SOFTMAX = """
import numpy as np

def _pair(seed):
    rng = np.random.default_rng(seed)
    logits = np.kron(rng.normal(0, 3, (3, 6, 8)), np.ones((8, 8))) + rng.normal(0, 0.1, (3, 48, 64))
    softmax = np.exp(logits) / np.exp(logits).sum(0)
    truth = softmax.argmax(0).astype(np.uint8)
    truth[:, 32:] = rng.integers(0, 3)
    truth[:8] = 255
    return softmax.astype(np.float32), truth

labelled = [_pair(seed) for seed in range(6)]
softmax = _pair(9)[0]
"""


def write_street(folder):
    image, _ = training_sample(0, (120, 160))
    cv2.imwrite(str(folder / "street.png"), image[..., ::-1])


def run(code, folder):
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder in which all examples ran one after the other, and what the first and the others printed."""
    folder = tmp_path_factory.mktemp("guide")
    write_street(folder)
    (folder / "drive").mkdir()
    for k in range(5):
        cv2.imwrite(str(folder / "drive" / f"{k}.png"), training_sample(k, (96, 128))[0])
    for library in ("pandas", "supervision"):
        pytest.importorskip(library, reason=f"{library} is not installed")
    assert len(BLOCKS) == 9
    checks = """
assert len(strict.segments.unreliable()) >= len(result.segments.unreliable())
assert maps_only.entropy.shape == (120, 160)
assert settings.meta_model == "meta.json"
assert len(table) == len(result.segments)
assert 0 < len(detections) == len([s for s in result.segments if s.area >= 20]) + len(
    [t for t in result.unknown_objects if t.area >= 20]
)
assert len(coco["images"]) == 2
assert len(shapes["shapes"]) > 0
assert all((Path("result").with_suffix(e)).stat().st_size > 100 for e in (".png", ".csv", ".json", ".npz"))
assert len(p_wrong) == len(iou) > 10
assert 0 <= p_wrong.min() <= p_wrong.max() <= 1
assert found.segments.names == result.segments.names
print("all done")
"""
    end = "print('=== the first ends ===')"
    paths = "from pathlib import Path"
    code = "\n".join([WITHOUT_ROS, BLOCKS[0], end, *BLOCKS[1:6], SOFTMAX, *BLOCKS[6:], paths, checks])
    first, _, others = run(code, folder).partition("=== the first ends ===")
    return folder, first, others


@pytest.mark.slow
def test_five_lines_are_enough(ran):
    lines = [line for line in BLOCKS[0].splitlines() if line.strip()]
    assert len(lines) == 5
    assert re.fullmatch(r"TrustFrame\(160×120, \d+ segments \(\d+ unreliable\), .* % pixels flagged\)\n", ran[1])
    assert cv2.imread(str(ran[0] / "trust.png")).shape[1] == 1600


@pytest.mark.slow
def test_all_examples_run_one_after_the_other(ran):
    folder, _, printed = ran
    assert printed.endswith("all done\n")
    assert (
        len(re.findall(r"^drive/[12]\.png [12]00000000 TrustFrame", printed, re.MULTILINE)) == 2
    )  # seconds 0.1 to 0.3 at 10 Hz
    assert re.search(r"^not \w+: \d+%, \d+ pixels in \(", printed, re.MULTILINE)
    assert load_meta_model(folder / "own.json").features == ("S", "E", "D")


def test_ros_is_really_absent_there(tmp_path):
    assert (
        run(f"{WITHOUT_ROS}\ntry:\n    import rclpy\nexcept ImportError:\n    print('absent')", tmp_path) == "absent\n"
    )
