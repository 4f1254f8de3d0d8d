"""The data set layout that docs/extending.md adds: opened, judged by a command, named in refusals, documented."""

import json

import guide
import pytest

HEADING = "Add a data set layout"
CODE = """
import json
from pathlib import Path
import cv2
from trust_seg_ros.cli import main
from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.layouts import has_splits, layout_table, open_dataset
from trust_seg_ros.segmentation.labels import load_labels
from trust_seg_ros.synthetic import training_sample

labels = load_labels("camvid11")
for kind in ("image_2", "semantic"):
    Path("kitti/training", kind).mkdir(parents=True)
for seed in range(3):
    image, truth = training_sample(seed, (96, 128))
    cv2.imwrite(f"kitti/training/image_2/{seed:06d}_10.png", image[..., ::-1])
    cv2.imwrite(f"kitti/training/semantic/{seed:06d}_10.png", truth)
folder = open_dataset("kitti", "training", labels)
same = all((folder.read(sample)[1] == training_sample(k, (96, 128))[1]).all() for k, sample in enumerate(folder))
status = main(["miou", "kitti", "--split", "training", "--device", "cpu", "--csv", "miou.csv"])
try:
    open_dataset("kitti", "testing", labels)
except DatasetError as error:
    refusal = str(error)
drives = [sample.drive for sample in folder]
table = layout_table().splitlines()
print(json.dumps({"same": same, "status": status, "refusal": refusal, "drives": drives, "table": table}))
"""


def test_it_takes_one_file_and_one_row():
    assert sorted(guide.changed_files(HEADING)) == [
        "trust_seg_ros/datasets/kitti.py",
        "trust_seg_ros/datasets/layouts.py",
    ]


@pytest.mark.slow
def test_it_is_opened_judged_and_listed(tmp_path):
    done = guide.run_extended(HEADING, CODE, tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["same"]
    assert found["status"] == 0
    assert (tmp_path / "miou.csv").stat().st_size > 100
    assert found["drives"] == ["000000_10", "000001_10", "000002_10"]
    assert "testing/image_2 with testing/semantic" in found["refusal"]
    assert "Its splits are: training" in found["refusal"]
    row = "| KITTI | `SPLIT/image_2/` | `SPLIT/semantic/` | `NAME.png` in both; every image is a drive of its own |"
    assert row in found["table"]
