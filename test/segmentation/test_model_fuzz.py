"""Damaged model files: whatever bytes are there, the readers answer with an error of ours or not at all."""

import json
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.segmentation.archive import inspect_archive
from trust_seg_ros.segmentation.compact import CompactConfig, CompactNet, load_compact, save_compact
from trust_seg_ros.segmentation.image_processors import input_spec_of
from trust_seg_ros.segmentation.modules import is_compact_file

INPUTS = 2_000


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """One of the ways files get damaged: bits, bytes, runs, cuts, and pieces moved or written twice."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at, length = int(rng.integers(len(out))), int(rng.integers(1, 64))
        kind = rng.integers(6)
        if kind == 0:
            out[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            out[at] = int(rng.choice((0, 255, 34, 47, 123, 128)))
        elif kind == 2:
            out[at : at + length] = rng.bytes(length)
        elif kind == 3:
            out = out[: max(1, at)] if rng.random() < 0.2 else out
        elif kind == 4:
            out[at:at] = out[at : at + length]
        else:
            del out[at : at + length]
        out = out or bytearray(b"x")
    return bytes(out)


def fuzz(path, data, read, seed):
    """Damage the start, where the headers are, in half of the inputs, and the end, a zip's directory, in a quarter."""
    rng, refused = np.random.default_rng(seed), 0
    for index in range(INPUTS):
        part = (slice(0, 512), slice(0, 512), slice(-2048, None), slice(None))[index % 4]
        start, stop, _ = part.indices(len(data))
        path.write_bytes(data[:start] + mutated(data[start:stop], rng) + data[stop:])
        text = refusal(lambda: read(path))
        assert text is None or path.name in text
        refused += text is not None
    return refused


def refusal(read):
    """The text of the error of ours, or None; others pass through and fail the test."""
    try:
        read()
    except TrustSegError as error:
        return str(error)
    return None


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    module = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 11, 1)).eval()
    torch.export.save(torch.export.export(module, (torch.zeros(1, 3, 16, 16),)), folder / "net.pt2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(module, torch.zeros(1, 3, 16, 16)), folder / "net.ts")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["net.pt2", "net.ts"])
def test_archives(programs, tmp_path, name):
    assert fuzz(tmp_path / name, (programs / name).read_bytes(), inspect_archive, 1) > INPUTS / 4


@pytest.mark.slow
def test_weights_of_the_compact_network(tmp_path):
    small = CompactConfig(stem=16, quarter=16, eighth=16, sixteenth=16, eighth_blocks=1, dilations=(1,), decoder=16)
    path = tmp_path / "net.safetensors"
    save_compact(CompactNet(small).eval(), path)

    def read(damaged):
        if is_compact_file(damaged):
            load_compact(weights=damaged)

    assert fuzz(path, path.read_bytes(), read, 2) > INPUTS / 100


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
    for _ in range(10 * INPUTS):
        settings = {str(key): values[rng.integers(len(values))] for key in rng.choice(keys, rng.integers(1, 6))}
        if rng.random() < 0.4:
            settings["size"] = {str(s): values[rng.integers(len(values))] for s in rng.choice(sides, 2)}
        size, kind, absent = values[rng.integers(len(values))], kinds[rng.integers(5)], rng.random() < 0.1

        def read(settings=settings, size=size, kind=kind, absent=absent):
            spec = input_spec_of(settings, "m", kind, size, absent=absent)
            assert all(1 <= side <= 1 << 20 for side in spec.size_for((360, 480)))

        text = refusal(read)
        assert text is None or "m: malformed preprocessor_config.json" in text
