"""The network loader that docs/extending.md adds: loads, runs in a pipeline, is in texts of help and refusal."""

import guide
import pytest

HEADING = "Add a network loader"
CODE = """
import numpy as np, torch
from trust_seg_ros import Frame, PipelineSettings, TrustPipeline
from trust_seg_ros.cli import main
from trust_seg_ros.node.parameters import BY_NAME
from trust_seg_ros.segmentation import LabelError, ModelError, load_network
from trust_seg_ros.segmentation.loaders import network_table

rng = np.random.default_rng(0)
weight, bias = rng.normal(size=(11, 3)).astype(np.float32), rng.normal(size=11).astype(np.float32)
np.savez("net.npz", weight=weight, bias=bias)
network = load_network("net.npz", labels="camvid11", device="cpu", mean=(0, 0, 0), std=(1, 1, 1))
image = rng.integers(0, 256, (64, 96, 3), np.uint8)
logits = network.infer(image).logits.numpy().astype(np.float64)
expected = np.einsum("qc,hwc->qhw", weight.astype(np.float64), image / 255.0) + bias[:, None, None]
print(np.abs(logits - expected).max() < 1e-4)
pipeline = TrustPipeline.load(PipelineSettings("net.npz", labels="camvid11", device="cpu"))
print(len(pipeline(Frame(image)).segments) > 0, pipeline.unavailable("gradient_onehot") is None)
for words in (("net.npz", {}), ("net.npz", {"labels": "cityscapes19"}), ("net.nqz", {})):
    try:
        load_network(words[0], device="cpu", **words[1])
    except (LabelError, ModelError) as error:
        print(type(error).__name__, error)
print(BY_NAME["model"].description)
print(network_table())
"""


def test_it_takes_one_file_and_one_row():
    assert sorted(guide.changed_files(HEADING)) == [
        "trust_seg_ros/segmentation/array_file.py",
        "trust_seg_ros/segmentation/loaders.py",
    ]


@pytest.mark.slow
def test_it_loads_runs_and_is_listed(tmp_path):
    done = guide.run_extended(HEADING, CODE, tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["True", "True True"]
    assert lines[2] == "LabelError net.npz: an .npz file does not say its classes; set labels"
    assert "11" in lines[3]
    assert "19" in lines[3]
    assert lines[4].startswith("ModelSpecError network 'net.nqz' is not known")
    assert lines[4].endswith("'package.module:callable' or an .npz file")
    assert lines[5].endswith("or an .npz file.")
    assert "| an .npz file | a 1×1 convolution: arrays `weight` (q, 3) and `bias` (q,) | you name them |  |" in lines
