"""Fine-tuning of networks other than the compact one: what comes out can be used."""

import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from trust_seg_ros.segmentation import InputSpec, load_network
from trust_seg_ros.segmentation.image_processors import input_spec_of
from trust_seg_ros.segmentation.preprocess import preprocess
from trust_seg_ros.segmentation.processor_file import processor_settings
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.training.finetune import FineTuner
from trust_seg_ros.training.finetune_settings import FineTuneSettings
from trust_seg_ros.training.mixing import MixSettings
from trust_seg_ros.training.team import Team

FACTORY = """
import torch
from torch import nn


class Net(nn.Module):
    labels, stride = "camvid11", 4

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.BatchNorm2d(8), nn.ReLU())
        self.head, self.auxiliary = nn.Conv2d(8, 11, 1), nn.Conv2d(8, 11, 1)

    def forward(self, x):
        return {"out": self.head(self.body(x))}


def make():
    torch.manual_seed(3)
    return Net()
"""


def settings(model, out, **network):
    return FineTuneSettings(
        ("synthetic:seeds=0-3:size=96x64",),
        ("synthetic:seeds=4-6:kinds=cow,box:rate=8:size=96x64",),
        out,
        network=NetworkSettings(str(model), device="cpu", **network),
        mix=MixSettings(batch=2, crop=(64, 64), ratio=0.5, keep_rest=True),
        learning_rate=1e-3,
        epochs=1,
        judge=(),
        threads=1,
    )


def run(chosen):
    tuner = FineTuner(chosen, Team(0, 1, torch.device("cpu")), lambda text: None)
    tuner.run()
    return tuner.network.module


def test_a_factorys_weights_are_its_state_dict(tmp_path, monkeypatch):
    (tmp_path / "seg_tuned.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(str(tmp_path))
    trained = run(settings("seg_tuned:make", tmp_path / "run"))
    fresh = sys.modules.pop("seg_tuned").make()
    start = fresh.head.weight.clone()
    fresh.load_state_dict(load_file(str(tmp_path / "run" / "weights.safetensors")))
    assert torch.equal(fresh.head.weight, trained.head.weight)
    assert not torch.equal(fresh.head.weight, start)
    assert (tmp_path / "run" / "weights.safetensors").stat().st_mode & 0o044 == 0o044


def test_a_hugging_face_model_becomes_a_folder_that_loads(tmp_path):
    transformers = pytest.importorskip("transformers", reason="the optional extra 'hf' is not installed")
    torch.manual_seed(0)
    names = load_network(device="cpu").labels.names
    config = transformers.SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 16, 24, 32],
        num_attention_heads=[1, 1, 2, 4],
        decoder_hidden_size=16,
        id2label=dict(enumerate(names)),
    )
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(tmp_path / "before")
    trained = run(settings(tmp_path / "before", tmp_path / "run", input_size=(64, 96), order="bgr"))
    network = load_network(str(tmp_path / "run" / "model"), device="cpu")
    assert network.input_spec.size == (64, 96)
    assert network.input_spec.order == "bgr"
    assert network.labels.names == names
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    same = load_network(str(tmp_path / "run" / "model"), device="cpu").infer(image).logits
    before = load_network(str(tmp_path / "before"), device="cpu", input_size=(64, 96), order="bgr").infer(image).logits
    assert not torch.allclose(same, before, atol=1e-3)
    with torch.no_grad():
        expected = trained(preprocess(image, network.input_spec, torch.device("cpu"))).logits[0]
    assert torch.allclose(same, expected, atol=1e-4)


@pytest.mark.parametrize(
    "spec",
    [
        InputSpec(size=(64, 96), stride=32),
        InputSpec(mean=(1.0, 2.0, 3.0), std=(4.0, 5.0, 6.0), order="bgr", scale=1.0, stride=32),
    ],
)
def test_processor_settings_say_the_input_again(spec):
    assert input_spec_of(processor_settings(spec), "again") == spec
