"""The examples of docs/library.md run as they stand there, in a process in which ROS cannot be imported."""

import re
import subprocess
import sys

import cv2
import numpy as np
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


@pytest.fixture
def folder(tmp_path):
    image, _ = training_sample(0, (120, 160))
    cv2.imwrite(str(tmp_path / "street.png"), image[..., ::-1])
    return tmp_path


def run(code, folder):
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_five_lines_are_enough(folder):
    lines = [line for line in BLOCKS[0].splitlines() if line.strip()]
    assert len(lines) == 5
    printed = run(f"{WITHOUT_ROS}\n{BLOCKS[0]}", folder)
    ids = np.array(printed.replace("[", " ").replace("]", " ").split(), int)
    assert ids.size > 0
    assert set(ids.tolist()) <= set(range(11))


@pytest.mark.slow
def test_all_examples_run_one_after_the_other(folder):
    assert len(BLOCKS) == 7
    checks = """
assert strict.trust.unreliable.sum() >= result.trust.unreliable.sum()
assert maps_only.entropy.shape == (120, 160)
assert settings.meta_model == "meta.json"
assert table.num_rows == len(result.segments)
assert len(p_wrong) == len(iou) > 10
assert 0 <= p_wrong.min() <= p_wrong.max() <= 1
assert found.segments.names == result.segments.names
"""
    run("\n".join([WITHOUT_ROS, *BLOCKS[:4], SOFTMAX, *BLOCKS[4:], checks]), folder)
    assert load_meta_model(folder / "own.json").features == ("S", "E", "D")


def test_ros_is_really_absent_there(folder):
    assert run(f"{WITHOUT_ROS}\ntry:\n    import rclpy\nexcept ImportError:\n    print('absent')", folder) == "absent\n"
