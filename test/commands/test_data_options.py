"""Options of commands that run a network over labelled images."""

import argparse

import cv2
import numpy as np
import pytest

from trust_seg_ros.commands import passes_options
from trust_seg_ros.commands.data_options import add_data_arguments, network_settings, open_split
from trust_seg_ros.datasets.folders import DatasetError
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.segmentation.passes import AVERAGES, Passes
from trust_seg_ros.segmentation.settings import NetworkSettings

LABELS = LabelSet("two", ("a", "b"), ignore=7)


def parsed(*words, **options):
    parser = argparse.ArgumentParser()
    add_data_arguments(parser, "", "val", "judge on", **options)
    return parser.parse_args([str(word) for word in words])


@pytest.fixture
def flat(tmp_path):
    """images/ and labels/ without splits."""
    return labelled(tmp_path / "flat", "images/d_1.png", "labels/d_1.png")


@pytest.fixture
def parts(tmp_path):
    """Two splits of different lengths."""
    for place in ("val/{}/d_1.png", "test/{}/d_1.png", "test/{}/d_2.png"):
        root = labelled(tmp_path / "parts", place.format("images"), place.format("labels"))
    return root


def labelled(root, *places):
    for place in places:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.zeros((2, 2, 3), np.uint8) if "images" in place else np.array([[0, 1], [7, 8]], np.uint8)
        cv2.imwrite(str(root / place), pixels)
    return root


def test_without_options_the_network_is_the_embedded_one_as_it_is():
    assert network_settings(parsed("data")) == NetworkSettings()


def test_every_network_option_has_its_place_in_the_settings():
    words = "--model net.pt2 --labels camvid11 --device cuda:1 --half off --input-size 1024x512 --order bgr"
    args = parsed("data", *words.split(), "--mean", 0.5, -1, 0, "--std", 1, 2, 0.25)
    assert network_settings(args) == NetworkSettings(
        "net.pt2", "camvid11", "cuda:1", "off", (512, 1024), (0.5, -1.0, 0.0), (1.0, 2.0, 0.25), "bgr"
    )


def test_how_often_the_network_looks_has_its_place_in_the_settings():
    words = [
        "--input-window",
        "64x32",
        "--input-window-overlap",
        0.5,
        "--input-flip",
        "--input-average",
        "probabilities",
        "--input-scales",
        0.75,
        1,
    ]
    passes = network_settings(parsed("data", *words)).passes
    assert passes == Passes((32, 64), 0.5, (0.75, 1.0), True, "probabilities")
    assert network_settings(parsed("data")).passes.single
    assert passes_options.AVERAGES == AVERAGES  # written twice, so that --help need not wait for torch


@pytest.mark.parametrize(("text", "size"), [("640x384", (384, 640)), ("640X384", (384, 640)), ("0x0", (0, 0))])
def test_the_input_size_is_width_then_height(text, size):
    assert network_settings(parsed("data", "--input-size", text)).input_size == size


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--input-size 640", "argument --input-size: '640' is not a size; expected WIDTHxHEIGHT"),
        ("--input-size 0x384", "'0x384' is not a size; expected WIDTHxHEIGHT, each from 1 to 16384"),
        ("--input-size 20000x384", "'20000x384' is not a size"),
        ("--input-size -3x4", "--input-size"),
        ("--mean a 0 0", "argument --mean: 'a'; expected three numbers, for example 0.485"),
        ("--mean nan 0 0", "argument --mean: 'nan'; expected three numbers"),
        ("--mean 0 0", "argument --mean: expected 3 arguments"),
        ("--std 1 0 1", "argument --std: '0'; expected three numbers above 0"),
        ("--std 1 inf 1", "argument --std: 'inf'; expected three numbers above 0"),
        ("--order gbr", "argument --order: invalid choice: 'gbr'"),
        ("--half yes", "argument --half: invalid choice: 'yes'"),
        ("--device tpu", "argument --device: 'tpu' is not a device; expected auto, cpu, cuda or cuda:N"),
        ("--ignore 3 x", "argument --ignore: 'x' is not a label value; expected whole numbers from 0 to 65535"),
        ("--ignore 65536", "'65536' is not a label value"),
    ],
)
def test_a_bad_option_is_named_with_what_was_expected(words, told, capsys):
    with pytest.raises(SystemExit) as stopped:
        parsed("data", *words.split())
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err


def test_the_split_is_the_default_or_what_is_named(parts):
    args = parsed(parts)
    assert (args.split, len(open_split(args, args.split, LABELS))) == ("val", 1)
    args = parsed("--split", "test", parts)
    assert (args.split, len(open_split(args, args.split, LABELS))) == ("test", 2)


def test_several_splits_take_the_place_of_the_default(parts):
    assert parsed(parts, several=True).split == ["val"]
    assert parsed(parts, "--split", "test", several=True).split == ["test"]
    assert parsed("--split", "test", parts, "--split", "val", several=True).split == ["test", "val"]
    assert parsed(parts, several=True).split == ["val"]  # parsing twice adds nothing up


def test_no_split_is_needed_where_there_is_none(flat):
    args = parsed(flat)
    assert args.split == "all"
    assert [sample.name for sample in open_split(args, args.split, LABELS)] == ["d_1"]
    assert parsed(flat, several=True).split == ["all"]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_split_cannot_be_named_where_there_is_none(flat, swapped):
    words = [flat, "--split", "val"]
    args = parsed(*(words[1:] + words[:1] if swapped else words))
    assert args.split == "val"
    with pytest.raises(
        DatasetError, match=r"flat: no split 'val'; .*it has no splits: leave --split out, or use 'all'"
    ):
        open_split(args, args.split, LABELS)


def test_all_is_not_the_sum_of_splits(parts):
    with pytest.raises(DatasetError, match=r"no split 'all'; .*Its splits are: test, val; name one"):
        open_split(parsed(parts), "all", LABELS)


def test_the_data_set_may_be_left_out_where_that_makes_sense(parts, capsys):
    args = parsed("--device", "cpu", optional=True)
    assert (args.dataset, args.split) == (None, "val")
    assert parsed("--device", "cpu", parts, optional=True).dataset == parts
    with pytest.raises(SystemExit):
        parsed("--device", "cpu")
    assert "DATASET" in capsys.readouterr().err


def test_ignored_values_are_those_named(flat):
    folder = open_split(parsed(flat), "all", LABELS)
    with pytest.raises(DatasetError, match=r"label values \[8\]"):
        folder.read(folder.samples[0])
    folder = open_split(parsed(flat, "--ignore", 7, 8), "all", LABELS)
    assert folder.read(folder.samples[0])[1].tolist() == [[0, 1], [255, 255]]
    folder = open_split(parsed(flat, "--ignore"), "all", LABELS)
    with pytest.raises(DatasetError, match=r"label values \[7, 8\]"):
        folder.read(folder.samples[0])
