"""Texts that name synthetic drives."""

import pytest

from trust_seg_ros.synthetic import SyntheticDriveError
from trust_seg_ros.synthetic.words import drive_words

USUAL = {"hz": 10.0, "seconds": 2.0}


def read(text):
    return drive_words(text, USUAL, ("lens",), "the form", SyntheticDriveError)


def test_what_is_given_and_what_is_usual():
    said = read("synthetic:seeds=3-5:hz=5:lens=fisheye:size=96x64")
    assert (list(said.seeds), said.size) == ([3, 4, 5], (64, 96))
    assert said.numbers == {"hz": 5.0, "seconds": 2.0}
    assert said.texts == {"lens": "fisheye"}
    assert (read("synthetic:seeds=0-0").size, read("synthetic:seeds=0-0").texts) == ((360, 480), {})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("synthetic:", "expected the form"),
        ("synthetic:seeds=5-4", "expected the form"),
        ("synthetic:seeds=0-1:size=9", "expected the form"),
        ("synthetic:seeds=0-1:speed=3", "'speed=3' is not understood"),
        ("synthetic:seeds=0-1:hz=", "'hz=' is not understood"),
        ("synthetic:seeds=0-1:hz=5:hz=6", "'hz=6' is not understood"),
        ("synthetic:seeds=0-1:hz=fast", "could not convert"),
    ],
)
def test_other_texts_are_refused(text, why):
    with pytest.raises(SyntheticDriveError, match=why):
        read(text)
