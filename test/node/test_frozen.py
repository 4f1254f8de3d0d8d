"""Images that repeat, and answers that do not follow the image."""

import numpy as np
import pytest
import torch

from trust_seg_ros.node.frozen import FrozenWatch, Unchanged
from trust_seg_ros.types import UncertaintyMaps

PATIENCE_S = 3.0
SIZE = (120, 160)


def image(seed, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def maps(seed, faulty=0, size=SIZE):
    entropy = torch.from_numpy(np.random.default_rng(seed).random(size, np.float32))
    return UncertaintyMaps((entropy * 11).to(torch.uint8), entropy, entropy, entropy, faulty)


def answers(images, of_answers, period=0.1):
    """What the watch says to each of these images and answers, ten a second."""
    watch = FrozenWatch()
    return [watch.answer(i, m, n * period, PATIENCE_S) for n, (i, m) in enumerate(zip(images, of_answers, strict=True))]


def test_one_answer_to_changing_images_is_frozen_after_a_while_and_no_longer_when_it_moves():
    said = answers([image(n) for n in range(50)], [maps(0)] * 40 + [maps(n) for n in range(10)])
    first = next(n for n, text in enumerate(said) if text)
    assert first == 31
    assert "32 answers are the same although the images change, for 3.0 s" in said[first]
    assert all(said[first:40])
    assert not any(said[41:])


@pytest.mark.parametrize(
    ("images", "of_answers"),
    [
        pytest.param([image(0)] * 60, [maps(0)] * 60, id="a standing picture"),
        pytest.param([image(n) for n in range(60)], [maps(n) for n in range(60)], id="a network that works"),
        pytest.param(
            [np.clip(image(0).astype(int) + np.random.default_rng(n).integers(-3, 4, (*SIZE, 3)), 0, 255).astype("u1")
             for n in range(60)], [maps(0)] * 60, id="nothing but noise moves"),
        pytest.param([image(n) for n in range(60)], [maps(0, faulty=SIZE[0] * SIZE[1])] * 60, id="all not finite"),
        pytest.param([image(n) for n in range(60)], [maps(n // 20) for n in range(60)], id="each for two seconds"),
    ],
)  # fmt: skip
def test_what_is_not_frozen(images, of_answers):
    assert not any(answers(images, of_answers))


def test_few_frames_are_not_enough_however_long_they_take():
    assert not any(answers([image(n) for n in range(5)], [maps(0)] * 5, period=10.0))
    assert answers([image(n) for n in range(6)], [maps(0)] * 6, period=10.0)[-1]


def test_a_difference_outside_of_the_sample_is_noticed():
    moving, watch = [maps(0) for _ in range(60)], FrozenWatch()
    for n, one in enumerate(moving):
        one.entropy[1, 1 + n % 3] = n / 60
    assert not any(watch.answer(image(n), one, n / 10, PATIENCE_S) for n, one in enumerate(moving))


def test_repeated_images_are_a_fault_of_the_camera():
    watch = FrozenWatch()
    said = [watch.image(image(0), n / 10, PATIENCE_S) for n in range(40)]
    assert [bool(text) for text in said] == [False] * 30 + [True] * 10
    assert "the last 31 images are the same, for 3.0 s" in said[30]
    assert not watch.image(image(1), 4.0, PATIENCE_S)


def test_nothing_is_looked_at_when_turned_off_and_sizes_may_change():
    watch = FrozenWatch()
    assert not any(watch.image(image(0), n, 0.0) or watch.answer(image(n), maps(0), n, 0.0) for n in range(60))
    sizes = [SIZE, (60, 80), (7, 5), (1, 1)] * 10
    said = [watch.image(image(0, s), n, PATIENCE_S) or watch.answer(image(n, s), maps(0, size=s), n, PATIENCE_S)
            for n, s in enumerate(sizes)]  # fmt: skip
    assert not any(said)


def test_unchanged_counts_from_the_first_that_was_the_same():
    def seen(stream, planes, now):
        return stream.see(planes, lambda: planes, now)

    stream = Unchanged()
    assert seen(stream, (np.zeros((2, 2)),), 5.0) == (1, 0.0)
    assert seen(stream, (np.zeros((2, 2)),), 7.0) == (2, 2.0)
    assert seen(stream, (np.ones((2, 2)),), 8.0) == (1, 0.0)
    assert seen(stream, (np.ones((2, 2)), np.ones((3, 1))), 9.0) == (1, 0.0)
