"""What --speed, --start, --duration and --loop of play and demo come to, and what the demo hands on to its camera."""

import argparse

import cv2
import numpy as np
import pytest

from trust_seg_ros import cli
from trust_seg_ros.commands import demo, play
from trust_seg_ros.commands.options import described, source_arguments, source_of


@pytest.fixture
def folder(tmp_path):
    for index in range(10):
        assert cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((12, 16, 3), index, np.uint8))
    return tmp_path


def parsed(command, *words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def test_the_camera_of_the_demo_plays_what_the_demo_was_asked_for(folder):
    words = ("--speed", 2, "--start", 0.3, "--duration", 0.4, "--rate", 20, "--size", "32x24")
    asked = parsed(demo, "--source", folder, *words)
    handed_on = parsed(play, *source_arguments(asked))
    names = ("speed", "start", "duration", "rate", "size", "seed", "bag_topic", "weather", "number_rate")
    assert {n: getattr(handed_on, n) for n in names} == {n: getattr(asked, n) for n in names}
    assert [f.stamp_ns for f in source_of(handed_on, loop=False)] == [f.stamp_ns for f in source_of(asked, loop=False)]


def test_the_title_says_which_part_and_how_fast(folder):
    args = parsed(play, folder, "--speed", 0.5, "--start", 0.2, "--duration", 0.4, "--loop")
    title = described(source_of(args, args.loop), args)
    assert title == f"10 images of {folder} at 10 Hz, looped, from 0.2 s to 0.6 s, 0.5 times as fast"
    plain = parsed(play, folder)
    assert described(source_of(plain, False), plain) == f"10 images of {folder} at 10 Hz"


@pytest.mark.parametrize(
    ("words", "loop"), [((), True), (("--loop",), True), (("--no-loop",), False), (("--once",), False)]
)
def test_the_demo_loops_unless_told_otherwise(words, loop):
    assert parsed(demo, *words).loop is loop


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--speed", "0"], "the speed is 0; expected a factor above 0"),
        (["--speed", "-2"], "the speed is -2"),
        (["--start", "7"], "the start is 7 s, but"),
        (["--start", "-1"], "the start is -1 s"),
        (["--duration", "0"], "the duration is 0 s"),
    ],
)
@pytest.mark.parametrize("command", ["play", "demo"])
def test_mistakes_are_one_line_before_anything_starts(folder, tmp_path, capsys, command, words, said):
    source = [str(folder)] if command == "play" else ["--source", str(folder), "--out", str(tmp_path / "out")]
    assert cli.main([command, *source, *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
