"""``trust-seg fit`` and ``trust-seg miou`` with the embedded network on a labelled folder of the synthetic drive."""

import json

import cv2
import numpy as np
import pytest

from trust_seg_ros.cli import main
from trust_seg_ros.meta import load_meta_model
from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.types import Frame


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("drive")
    for kind in ("images", "labels"):
        (root / "val" / kind).mkdir(parents=True)
    for seed in range(6):
        image, labels = training_sample(seed, (180, 240))
        cv2.imwrite(str(root / "val" / "images" / f"s_{seed}.png"), image[..., ::-1])
        cv2.imwrite(str(root / "val" / "labels" / f"s_{seed}.png"), labels)
    return root


@pytest.mark.slow
def test_fit_writes_a_model_that_serves_the_network_it_was_fitted_for(dataset, tmp_path, capsys):
    out = tmp_path / "meta.json"
    assert main(["fit", str(dataset), "--split", "val", "--out", str(out)]) == 0
    model = load_meta_model(out)
    model.check_fits("embedded", model.class_names)
    assert model.summary["images"] == 6
    assert model.summary["fitted_on"]["auroc"] > 0.5
    assert "AUROC" in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["meta.json", "meta.segments"]
    assert json.loads(out.read_text())["summary"]["split"] == "val"


def test_miou_prints_every_class_and_the_mean(dataset, capsys):
    assert main(["miou", str(dataset), "--split", "val", "--markdown"]) == 0
    text = capsys.readouterr().out
    assert "| Bicyclist |" in text
    mean = float(text.split("| **mean** | **")[1].split("**")[0])
    assert 5 < mean < 100


def test_a_missing_split_is_one_clear_line(dataset, tmp_path, capsys):
    assert main(["fit", str(dataset), "--split", "tset", "--out", str(tmp_path / "m.json")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "no split 'tset'" in error
    assert "Its splits are: val; name one with --split" in error


def test_a_data_set_without_splits_needs_no_split(dataset, tmp_path, capsys):
    out = tmp_path / "miou.csv"
    assert main(["miou", str(dataset / "val"), "--markdown", "--csv", str(out)]) == 0
    printed = capsys.readouterr().out
    rows = [line.split(",") for line in out.read_text().splitlines()]
    assert rows[0] == ["class", "iou"]
    assert [name for name, _ in rows[-3:]] == ["Bicyclist", "mean", "pixel accuracy"]
    values = dict(rows[1:])
    assert f"| **mean** | **{100 * float(values['mean']):.2f}** |" in printed
    assert f"| Road | {100 * float(values['Road']):.1f} |" in printed
    assert "6 images" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["miou.csv"]
    assert main(["miou", str(dataset / "val"), "--split", "test"]) == 2
    assert "it has no splits: leave --split out" in capsys.readouterr().err


def test_miou_says_before_the_work_that_its_csv_cannot_be_written(dataset, tmp_path, capsys):
    assert main(["miou", str(dataset), "--split", "val", "--csv", str(tmp_path / "none" / "m.csv")]) == 2
    assert "none/m.csv: there is no folder" in capsys.readouterr().err


def test_labels_without_any_class_are_nothing_to_judge_by(twelve, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "val" / "labels" / "a_1.png"), np.full((64, 64), 255, np.uint8))
    assert main(["miou", *twelve]) == 2
    assert "no pixel of split 'val' has a class" in capsys.readouterr().err


def test_a_class_that_is_nowhere_has_no_iou_and_the_table_says_so(twelve, capsys):
    assert main(["miou", *twelve]) == 0
    out = capsys.readouterr().out
    assert "c11" in out
    c3 = next(line for line in out.splitlines() if " c3 " in line)
    assert "-" in c3
    assert "nan" not in out


def test_the_input_of_the_network_is_as_the_options_say(twelve, capsys):
    """Red enters as blue, so nothing is seen as class 11 any more."""
    assert main(["miou", *twelve, "--markdown", "--order", "bgr", "--input-size", "64x32", "--device", "cpu"]) == 0
    assert "| c11 | 0.0 |" in capsys.readouterr().out


def test_classes_that_differ_are_named(dataset, capsys):
    assert main(["miou", str(dataset), "--split", "val", "--labels", "cityscapes19"]) == 2
    assert "19" in capsys.readouterr().err


TWELVE = """
import torch
from torch import nn
from trust_seg_ros.segmentation import LabelSet

class Red(nn.Module):
    labels = LabelSet("twelve", tuple(f"c{i}" for i in range(12)))
    mean, std, input_size = (0.0,) * 3, (1.0,) * 3, (64, 64)

    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, 12, 1)
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.bias.fill_(-9.0)
            self.head.bias[0] = 3.0
            self.head.weight[11, 0] = 15.0

    def forward(self, x):
        return self.head(x)
"""


@pytest.fixture
def twelve(tmp_path, monkeypatch):
    """Four squares seen as class 11 of 12 on class 0; in truth two of them are class 0."""
    (tmp_path / "twelve_classes.py").write_text(TWELVE)
    monkeypatch.syspath_prepend(tmp_path)
    image, labels = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)
    for n, (y, x) in enumerate([(8, 8), (8, 40), (40, 8), (40, 40)]):
        image[y : y + 12, x : x + 12, 2] = 255  # red in BGR
        labels[y : y + 12, x : x + 12] = 11 if n < 2 else 0
    for kind, picture in (("images", image), ("labels", labels)):
        (tmp_path / "val" / kind).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "val" / kind / "a_1.png"), picture)
    return [str(tmp_path), "--split", "val", "--model", "twelve_classes:Red"]


def test_the_twelfth_class_counts_in_fitting(twelve, tmp_path):
    assert main(["fit", *twelve, "--features", "S", "--out", str(tmp_path / "m.json")]) == 0
    assert load_meta_model(tmp_path / "m.json").summary["segments"] == 5


def test_the_twelfth_class_has_an_iou(twelve, capsys):
    assert main(["miou", *twelve, "--markdown"]) == 0
    assert "| c11 | 50.0 |" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TorchScript
def test_the_meta_model_of_a_file_fits_wherever_the_file_lies(twelve, tmp_path, monkeypatch):
    import torch
    import twelve_classes

    torch.jit.trace(twelve_classes.Red().eval(), torch.zeros(1, 3, 64, 64)).save(str(tmp_path / "net.ts"))
    (tmp_path / "net.yaml").write_text(json.dumps({"classes": [{"name": f"c{i}"} for i in range(12)]}))
    monkeypatch.chdir(tmp_path)
    options = ["--split", "val", "--model", "./net.ts", "--labels", "net.yaml", "--features", "S", "--out", "meta.json"]
    assert main(["fit", ".", *options]) == 0
    assert load_meta_model("meta.json").network == "net.ts"
    settings = PipelineSettings(
        str(tmp_path / "net.ts"),
        str(tmp_path / "net.yaml"),
        device="cpu",
        input_size=(64, 64),
        meta_model="meta.json",
    )
    image = cv2.imread(str(tmp_path / "val" / "images" / "a_1.png"))[..., ::-1]
    assert TrustPipeline.load(settings)(Frame(image)).trust is not None


@pytest.mark.parametrize("command", [["fit", "--out", "no.json"], ["miou"]])
def test_ignoring_a_class_is_refused(twelve, capsys, command):
    assert main([*command, *twelve, "--ignore", "11", "255"]) == 2
    assert "ignored label values [11]: 0..11 are the 12 classes" in capsys.readouterr().err
