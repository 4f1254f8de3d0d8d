"""A small fleet of recordings, and what a replay of it came to, for tests of the workers."""

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from fault_bags import bag_files, cut, files_of, image, images, pixels, write_bag

pytest.importorskip("rosbags", reason="needs the library rosbags")
import pyarrow.parquet as pq
from fleet_networks import MARKER, SPARED

from trust_seg_ros.cli import main

WORDS = ("--chunk-frames", "3", "--segments", "--topics", "segmentation", "entropy", "segments")
NETWORK = ("-p", "model:=fleet_networks:mortal", "-p", "device:=cpu")
SMOOTHED = ("-p", "thresholds.pixel_policy:=quantile", "-p", "thresholds.smoothing_s:=1.0")
MEASURED = ("processing_ms", "network_ms")
"""Columns of the frame table that hold times."""


def make_fleet(folder):
    """Bags of two days: names that are there twice, both storages, a folder of images, and one that is damaged.

    Returns:
        the pattern that finds all.
    """
    write_bag(folder / "day1" / "drive", images(8))
    write_bag(folder / "day2" / "drive", images(5, size=(40, 48)), "sqlite3")
    cut(write_bag(folder / "day2" / "broken", images(4)), 0.0)
    stills = folder / "day2" / "stills"
    stills.mkdir()
    for i in range(5):
        cv2.imwrite(str(stills / f"{i:03d}.png"), pixels(50 + i, (48, 64)))
    return f"{folder}/day*/*"


def white_bag(path):
    """A bag whose fourth image ends every process that sees it."""
    white = np.full((32, 48, 3), 255, np.uint8).tobytes()
    return write_bag(path, [image(i, data=np.frombuffer(white, np.uint8)) if i == 3 else image(i) for i in range(5)])


@pytest.fixture(scope="module")
def marker(tmp_path_factory):
    """While this file is not there, the next process to judge a frame makes it and dies."""
    path = tmp_path_factory.mktemp("marker") / "died"
    path.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MARKER, str(path))
        patch.setenv(SPARED, str(os.getpid()))
        yield path


def replay(sources, out, *words):
    """Exit status of the command."""
    sources = [sources] if isinstance(sources, str) else sources
    return main(["replay", *map(str, sources), "--out", str(out), *NETWORK, *WORDS, *map(str, words)])


def listed(out):
    """Rows of replay.csv, by the name of the recording and its folder."""
    with (out / "replay.csv").open(newline="") as stream:
        return {"/".join(Path(row["recording"]).parts[-2:]): row for row in csv.DictReader(stream)}


def outcome(folder):
    """Everything of an output that must not depend on the workers."""
    frames = pq.read_table(folder / "frames.parquet")
    segments = (folder / "segments.parquet").read_bytes()
    columns = repr(frames.drop_columns(list(MEASURED)).to_pydict())  # as text, where NaN is NaN
    return bag_files(folder), columns, frames.schema, segments


def assert_same(folder, other):
    """Two outputs are equal, and nothing unfinished is left."""
    names, others = (sorted(name for name in files_of(f) if "run_" not in name) for f in (folder, other))
    assert names == others
    for mine, theirs in zip(outcome(folder), outcome(other), strict=True):
        assert mine == theirs
    assert [name for name in files_of(folder) if ".part" in name or "run_" in name] == []
