import numpy as np
import pytest

from trust_seg_ros.synthetic import (
    UNKNOWN_KINDS,
    SyntheticDriveError,
    SyntheticSet,
    parse_synthetic_set,
    training_sample,
)


def test_scenes_are_training_samples_of_the_seeds():
    scenes = parse_synthetic_set("synthetic:seeds=4-6:kinds=box,cow:rate=8:size=96x64:weather=fog")
    assert len(scenes) == 3
    image, labels = scenes.read(2)
    expected = training_sample(6, (64, 96), ("box", "cow"), 8.0, "fog")
    assert np.array_equal(image, expected[0])
    assert np.array_equal(labels, expected[1])
    with pytest.raises(IndexError):
        scenes.read(3)


def test_the_embedded_networks_own_scenes_are_the_default():
    assert parse_synthetic_set("synthetic:seeds=0-399") == SyntheticSet(0, 399, (), 1.5, (360, 480), None)


@pytest.mark.parametrize(
    "text",
    [
        "synthetic:seeds=0-9:size=64x48",
        "synthetic:seeds=3-3:kinds=deer,tyre:rate=2.5:size=640x384:weather=rain",
        "synthetic:seeds=3-3:size=64x48:look=unseen",
    ],
)
def test_text_and_set_are_one(text):
    assert str(parse_synthetic_set(text)) == text
    assert parse_synthetic_set(text.replace(":", ";").replace("synthetic;", "synthetic:")) == parse_synthetic_set(text)


def test_all_kinds():
    assert parse_synthetic_set("synthetic:seeds=0-0:kinds=all").kinds == UNKNOWN_KINDS


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("synthetic:", "no seeds; expected synthetic:seeds=FIRST-LAST"),
        ("synthetic:seeds=5", "seeds=5; expected"),
        ("synthetic:seeds=5-4", "0 <= FIRST <= LAST"),
        ("synthetic:seeds=0-1:kinds=unicorn", "unknown kind 'unicorn'; there are: deer"),
        ("synthetic:seeds=0-1:colour=red", "'colour=red' is not understood"),
        ("synthetic:seeds=0-1:seeds=2-3", "'seeds=2-3' is not understood"),
        ("synthetic:seeds=0-1:size=big", "size=big"),
        ("synthetic:seeds=0-1:size=8x8", "size is"),
        ("synthetic:seeds=0-1:rate=-1", "rate=-1"),
        ("synthetic:seeds=0-1:rate=99", "unknown_rate is 99.0"),
        ("synthetic:seeds=0-1:weather=snow", "weather is 'snow'"),
        ("synthetic:seeds=0-1:look=gaudy", "look is 'gaudy'; expected one of own, painted, unseen"),
    ],
)
def test_texts_that_mean_nothing(text, told):
    with pytest.raises(SyntheticDriveError, match=told):
        parse_synthetic_set(text)
