"""Training from scenes alone: no data set is read, and the weights say which input they are made for."""

import argparse

import numpy as np
import pytest
import torch

from trust_seg_ros.commands import train
from trust_seg_ros.segmentation.compact import INPUT_SIZE, CompactNet, CompactWeightsError, load_compact, save_compact
from trust_seg_ros.segmentation.loader import load_network
from trust_seg_ros.support.tensor_file import load_tensors, save_tensors
from trust_seg_ros.training.trainer import KEPT, NEUTRAL


def options(*words):
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.slow
def test_the_command_trains_without_any_data_and_the_weights_know_their_input(tmp_path):
    words = "--scenes-only --iterations 2 --evaluate-every 2 --batch 2 --crop 32 48 --synthetic-scenes 2 --half off"
    assert train.run(options(*words.split(), "--threads", "1", "--out", str(tmp_path / "run"))) == 0
    kept = tmp_path / "run" / KEPT
    net = load_compact(weights=kept)
    assert net.input_size == (64, 96)
    assert (net.mean, net.std) == NEUTRAL
    network = load_network(str(kept), device="cpu")
    assert network.input_spec.size == (64, 96)
    assert network.input_spec.mean == NEUTRAL[0]
    assert network.infer(np.zeros((120, 160, 3), np.uint8)).logits.shape == (11, 16, 24)


@pytest.mark.parametrize("words", [[], ["--scenes-only", "--camvid", "data"]])
def test_one_source_of_images_is_named_and_not_two(words, capsys):
    with pytest.raises(SystemExit):
        options(*words, "--out", "run")
    assert "--scenes-only" in capsys.readouterr().err


def test_weights_for_the_usual_input_say_nothing_about_it(tmp_path):
    save_compact(CompactNet(), tmp_path / "net.safetensors")
    assert "input" not in load_tensors(tmp_path / "net.safetensors", "").metadata
    assert load_compact(weights=tmp_path / "net.safetensors").input_size == INPUT_SIZE


@pytest.mark.parametrize(
    "text",
    [
        '{"mean": [0.5, 0.5], "std": [1, 1, 1], "size": [64, 64]}',
        '{"mean": [0.5, 0.5, 0.5], "std": [1, 0, 1], "size": [64, 64]}',
        '{"mean": [0.5, 0.5, 0.5], "std": [1, 1, 1], "size": [64, 1000000]}',
        '{"mean": [0.5, 0.5, 0.5], "std": [1, 1, 1], "size": [64.5, 64]}',
        '{"size": [64, 64]}',
        "[]",
        "{",
    ],
)
def test_an_input_that_no_network_has_is_refused(tmp_path, text):
    path = tmp_path / "net.safetensors"
    save_compact(CompactNet(), path)
    file = load_tensors(path, "")
    tensors = {name: torch.clone(value) for name, value in file.tensors.items()}
    save_tensors(path, tensors, {"config": file.metadata["config"], "input": text})
    with pytest.raises(CompactWeightsError, match="not weights of a compact network"):
        load_compact(weights=path)
