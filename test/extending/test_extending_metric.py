"""The segment metric that docs/extending.md adds: collected, fitted, computed live, documented."""

import json

import guide
import pytest

HEADING = "Add a segment metric"
FIT = """
from pathlib import Path
import json
import cv2
import numpy as np
from trust_seg_ros import Frame, PipelineSettings, TrustPipeline
from trust_seg_ros.cli import main
from trust_seg_ros.fitting.store import SegmentStore
from trust_seg_ros.segments import FEATURE_SETS
from trust_seg_ros.segments.tables import metric_table, set_table
from trust_seg_ros.synthetic import training_sample

for kind in ("images", "labels"):
    Path("drive/val", kind).mkdir(parents=True)
for seed in range(6):
    image, labels = training_sample(seed, (192, 256))
    cv2.imwrite(f"drive/val/images/s_{seed}.png", image[..., ::-1])
    cv2.imwrite(f"drive/val/labels/s_{seed}.png", labels)
words = ["fit", "drive", "--out", "meta.json", "--device", "cpu", "--workers", "1", "--features"]
wrong = main([*words, "metaseg,fil"])
assert main([*words, "E,S,fill"]) == 0
live = TrustPipeline.load(PipelineSettings(device="cpu", meta_model="meta.json"))
result = live(Frame(image))
table = result.segments
left, top, right, bottom = table.boxes.T
model = json.loads(Path("meta.json").read_text())
print(json.dumps({
    "wrong": wrong,
    "stored": "fill" in SegmentStore.open("meta.segments").names,
    "used": list(model["features"]),
    "set": live.features,
    "same": bool((table.column("fill") == table.sizes / ((right - left) * (bottom - top))).all()),
    "largest": float(table.column("fill").max()),
    "judged": bool(np.isfinite(result.trust.p_wrong).all()) and len(table) > 5,
    "sets": {name: "fill" in FEATURE_SETS[name].names(11) for name in FEATURE_SETS},
    "row": "| `fill` | share of its box that the segment covers | `all` |" in metric_table().splitlines(),
    "sum": set_table().splitlines()[-1].endswith("relative_centroid, fill | 44 + 2q |"),
}))
"""


def test_it_takes_one_file_and_one_row():
    assert sorted(guide.changed_files(HEADING)) == [
        "trust_seg_ros/segments/box_fill.py",
        "trust_seg_ros/segments/families.py",
    ]


@pytest.mark.slow
def test_it_is_collected_fitted_computed_live_and_documented(tmp_path):
    done = guide.run_extended(HEADING, FIT, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "did you mean fill" in " ".join(done.stderr.split())
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("largest") <= 1
    assert found.pop("used") == ["S", "E", "fill"]
    assert found == {
        "wrong": 2,
        "stored": True,
        "set": "all",
        "same": True,
        "judged": True,
        "sets": {"metaseg": False, "meta_ood": False, "meta_scale_free": False, "all": True},
        "row": True,
        "sum": True,
    }
