"""The library example in README.md runs as it stands there."""

import re

import cv2
from places import CAMVID, ROOT

from trust_seg_ros.datasets.folders import read_image
from trust_seg_ros.synthetic import training_sample

IMAGES = CAMVID / "test" / "images"


def camera_image():
    """A real picture where the data set is, else one of the synthetic drive."""
    files = sorted(IMAGES.glob("*.png"))
    return read_image(files[0]) if files else training_sample(0, (360, 480))[0]


def test_the_example_runs_and_prints_what_it_promises(capsys, tmp_path, monkeypatch):
    (block,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("street.png", cv2.resize(camera_image(), (320, 240))[..., ::-1])
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    result = names["result"]
    assert result.maps.entropy.shape == (240, 320)
    assert 0 < float(result.maps.entropy.mean()) < 1
    assert len(result.trust.p_wrong) == len(result.trust.iou) == len(result.segments) > 0
    assert len(block.strip().splitlines()) <= 6
    head = rf"TrustFrame\(320×240, {len(result.segments)} segments \(\d+ unreliable\), "
    assert re.match(head, capsys.readouterr().out)
    assert cv2.imread("trust.png").shape[1] == 1600
