"""Damaged model files: whatever bytes are there, the readers answer, or refuse by an error of ours that names it."""

import importlib.util
import json
import sys

import numpy as np
import pytest
import torch
from places import ROOT
from safetensors.torch import save_file

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.segmentation.compact import CompactConfig, load_compact
from trust_seg_ros.segmentation.image_processors import input_spec_of


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


FUZZ, MODELS = tool("fuzz"), tool("fuzz_models").MODELS


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_mutated_files_are_read_or_refused(name):
    if name == "openvino":
        pytest.importorskip("openvino")
    outcome = FUZZ.fuzz(FUZZ.Target(*MODELS[name]), 300, seed=5)
    assert outcome.foreign == {}
    assert outcome.refused > 50
    assert outcome.slowest_s < 5


@pytest.mark.parametrize(
    "config",
    [
        {"classes": 10**9},
        {"stem": 10**7},
        {"eighth_blocks": 10**9},
        {"dilations": [1] * 10**5},
        {"decoder": -4},
        {"dropout": 7.0},
        {"stem": "x"},
        {"unknown": 1},
        [],
    ],
)
def test_absurd_shapes_in_weights_are_refused_at_once(tmp_path, config):
    fields = {**CompactConfig().to_json(), **config} if isinstance(config, dict) else config
    path = tmp_path / "net.safetensors"
    save_file({"a": torch.zeros(1)}, str(path), {"config": json.dumps(fields)})
    with pytest.raises(TrustSegError, match=r"net\.safetensors: not weights of a compact network"):
        load_compact(weights=path)


@pytest.mark.slow
def test_settings_of_image_processors():
    """Values of every kind under the keys that are read."""
    keys = (
        *("image_mean", "image_std", "size", "crop_size", "do_resize", "do_rescale", "do_normalize", "do_center_crop"),
        *("rescale_factor", "rescale_offset", "include_top", "image_processor_type", "feature_extractor_type"),
        *("do_flip_channel_order", "do_flip_channels", "keep_aspect_ratio", "default_to_square"),
    )
    sides = ("height", "width", "shortest_edge", "longest_edge", "max_height", "max_width")
    values = [None, True, False, 0, -1, 224, 1e300, float("nan"), float("inf"), "", "x", "BeitImageProcessor", [], {}]
    values += [[0.5] * 3, [1, 2], [None] * 3, ["a"] * 3, {"height": 0, "width": 1}, 10**400, [[1]] * 3]
    rng = np.random.default_rng(3)
    kinds = ("", "beit", "dpt", "mobilevit", "upernet")
    for _ in range(20_000):
        settings = {str(key): values[rng.integers(len(values))] for key in rng.choice(keys, rng.integers(1, 6))}
        if rng.random() < 0.4:
            settings["size"] = {str(s): values[rng.integers(len(values))] for s in rng.choice(sides, 2)}
        size, kind, absent = values[rng.integers(len(values))], kinds[rng.integers(5)], rng.random() < 0.1

        def read(settings=settings, size=size, kind=kind, absent=absent):
            spec = input_spec_of(settings, "m", kind, size, absent=absent)
            assert all(1 <= side <= 1 << 20 for side in spec.size_for((360, 480)))

        text = _refusal(read)
        assert text is None or "m: malformed preprocessor_config.json" in text


def _refusal(read):
    """The text of the error of ours, or None; others pass through and fail the test."""
    try:
        read()
    except TrustSegError as error:
        return str(error)
    return None
