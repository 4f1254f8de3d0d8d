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
    assert len(BLOCKS) == 7
    checks = """
assert strict.trust.unreliable.sum() >= result.trust.unreliable.sum()
assert maps_only.entropy.shape == (120, 160)
assert settings.meta_model == "meta.json"
assert table.num_rows == len(result.segments)
assert len(p_wrong) == len(iou) > 10
assert 0 <= p_wrong.min() <= p_wrong.max() <= 1
assert found.segments.names == result.segments.names
print("all done")
"""
    end = "print('=== the first ends ===')"
    code = "\n".join([WITHOUT_ROS, BLOCKS[0], end, *BLOCKS[1:4], SOFTMAX, *BLOCKS[4:], checks])
    first, _, others = run(code, folder).partition("=== the first ends ===")
    return folder, first, others


@pytest.mark.slow
def test_five_lines_are_enough(ran):
    lines = [line for line in BLOCKS[0].splitlines() if line.strip()]
    assert len(lines) == 5
    ids = np.array(ran[1].replace("[", " ").replace("]", " ").split(), int)
    assert ids.size > 0
    assert set(ids.tolist()) <= set(range(11))


@pytest.mark.slow
def test_all_examples_run_one_after_the_other(ran):
    folder, _, printed = ran
    assert printed.endswith("all done\n")
    assert load_meta_model(folder / "own.json").features == ("S", "E", "D")


def test_ros_is_really_absent_there(tmp_path):
    assert (
        run(f"{WITHOUT_ROS}\ntry:\n    import rclpy\nexcept ImportError:\n    print('absent')", tmp_path) == "absent\n"
    )
