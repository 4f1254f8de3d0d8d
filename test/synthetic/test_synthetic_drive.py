"""The drive as a whole: its truth, that it repeats itself, and that it varies."""

import hashlib
import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.synthetic import (
    CLASS_NAMES,
    UNKNOWN_KINDS,
    WEATHERS,
    DriveSettings,
    SyntheticDrive,
    training_sample,
)

SIZE = (96, 160)


def digest(frame) -> str:
    return hashlib.sha256(frame.image.tobytes() + frame.labels.tobytes() + frame.unknown.tobytes()).hexdigest()


@pytest.mark.parametrize("size", [(32, 32), (33, 201), (384, 640), (700, 90)])
def test_any_size_gives_an_image_and_its_truth(size):
    frame = SyntheticDrive(DriveSettings(size=size, seed=3)).frame(7)
    assert frame.image.shape == (*size, 3)
    assert frame.image.dtype == np.uint8
    assert frame.labels.shape == frame.unknown.shape == size
    assert frame.labels.dtype == frame.unknown.dtype == np.uint8
    assert frame.image.std() > 5


@given(seed=st.integers(0, 1 << 40), index=st.integers(0, 100_000))
@settings(max_examples=25, deadline=None)
def test_unknown_pixels_are_those_without_a_class(seed, index):
    frame = SyntheticDrive(DriveSettings(size=SIZE, seed=seed, unknown_rate=6)).frame(index)
    np.testing.assert_array_equal(frame.labels == 255, frame.unknown > 0)
    assert set(np.unique(frame.labels)) <= {*range(len(CLASS_NAMES)), 255}
    assert sorted(set(np.unique(frame.unknown)) - {0}) == list(range(1, len(frame.unknown_kinds) + 1))
    assert set(frame.unknown_kinds) <= set(UNKNOWN_KINDS)


@pytest.mark.parametrize("weather", WEATHERS)
def test_a_frame_does_not_depend_on_what_was_asked_before(weather):
    asked = DriveSettings(size=SIZE, seed=11, weather=weather)
    straight, jumping = SyntheticDrive(asked), SyntheticDrive(asked)
    in_order = [digest(straight.frame(i)) for i in range(4)]
    for far in (40_000, 900, 3, 2):
        jumping.frame(far)
    assert [digest(jumping.frame(i)) for i in (3, 0, 2, 1)] == [in_order[i] for i in (3, 0, 2, 1)]


def test_another_process_draws_the_same_bits():
    code = (
        "import hashlib; from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive\n"
        "f = SyntheticDrive(DriveSettings(size=(96, 160), seed=5)).frame(123)\n"
        "print(hashlib.sha256(f.image.tobytes() + f.labels.tobytes() + f.unknown.tobytes()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert other.stdout.strip() == digest(SyntheticDrive(DriveSettings(size=SIZE, seed=5)).frame(123))


def test_iterating_gives_the_frames_in_order_with_their_times():
    drive = SyntheticDrive(DriveSettings(size=(32, 48), seed=2, fps=10.0))
    frames = list(itertools.islice(drive, 3))
    assert [f.index for f in frames] == [0, 1, 2]
    assert [f.time_s for f in frames] == pytest.approx([0.0, 0.1, 0.2])
    assert digest(frames[2]) == digest(drive.frame(2))


@given(seed=st.integers(0, 1 << 30), index=st.integers(0, 20_000))
@settings(max_examples=20, deadline=None)
def test_unknown_objects_change_no_other_pixel_of_the_truth(seed, index):
    without = SyntheticDrive(DriveSettings(size=SIZE, seed=seed, unknowns=())).frame(index)
    with_them = SyntheticDrive(DriveSettings(size=SIZE, seed=seed, unknown_rate=4)).frame(index)
    elsewhere = with_them.unknown == 0
    np.testing.assert_array_equal(with_them.labels[elsewhere], without.labels[elsewhere])
    assert not without.unknown.any()
    assert without.unknown_kinds == ()


def test_only_the_kinds_asked_for_appear():
    drive = SyntheticDrive(DriveSettings(size=SIZE, seed=4, unknowns=("tyre", "cow"), unknown_rate=8))
    seen = {kind for i in range(0, 2000, 100) for kind in drive.frame(i).unknown_kinds}
    assert seen == {"tyre", "cow"}


def test_every_kind_and_every_class_shows_up():
    kinds, classes = set(), set()
    for seed in range(24):
        frame = SyntheticDrive(DriveSettings(size=(120, 200), seed=seed, unknown_rate=12)).frame(seed * 37)
        kinds |= set(frame.unknown_kinds)
        classes |= set(np.unique(frame.labels).tolist())
    assert kinds == set(UNKNOWN_KINDS)
    assert classes == {*range(len(CLASS_NAMES)), 255}


def test_scenes_have_the_make_up_of_a_street():
    shares = np.zeros(256)
    for seed in range(40):
        shares += np.bincount(training_sample(seed, SIZE)[1].ravel(), minlength=256)
    shares /= shares.sum()
    sky, building, _, road, pavement, tree, _, _, car, person, cyclist = shares[: len(CLASS_NAMES)]
    assert 0.05 < sky < 0.35
    assert 0.10 < building < 0.45
    assert 0.20 < road < 0.55
    assert 0.01 < pavement < 0.15
    assert 0.03 < tree < 0.30
    assert 0.02 < car < 0.30
    assert min(person, cyclist) > 0.0005


def test_the_camera_only_drives_forward():
    drive = SyntheticDrive(DriveSettings(size=(32, 32), seed=9))
    positions = np.array([drive.position(t) for t in np.arange(0, 120, 0.05)])
    assert (np.diff(positions) > 0).all()
    assert positions[-1] - positions[0] == pytest.approx(120 * 9, rel=0.05)


def test_neighbouring_frames_are_alike_and_distant_ones_are_not():
    drive = SyntheticDrive(DriveSettings(size=SIZE, seed=6, weather="overcast"))
    first, soon, late = (drive.frame(i).labels for i in (100, 101, 2500))
    assert (first == soon).mean() > 0.85
    assert (first == late).mean() < (first == soon).mean() - 0.05


def test_weather_shows_in_the_picture():
    mean = {}
    spread = {}
    for weather in WEATHERS:
        images = [SyntheticDrive(DriveSettings(size=SIZE, seed=s, weather=weather)).frame(5).image for s in range(6)]
        mean[weather], spread[weather] = np.mean(images), np.mean([i.std() for i in images])
    assert mean["night"] < mean["dusk"] < mean["clear"]
    assert spread["fog"] < spread["clear"]


def test_noise_can_be_switched_off_and_grows():
    settled = [SyntheticDrive(DriveSettings(size=SIZE, seed=1, noise=n)).frame(3).image.astype(int) for n in (0, 1, 3)]
    slight, strong = np.abs(settled[1] - settled[0]).mean(), np.abs(settled[2] - settled[0]).mean()
    assert 0.3 < slight < strong


def test_an_empty_street_has_no_people():
    labels = SyntheticDrive(DriveSettings(size=SIZE, seed=1, traffic=0.0)).frame(3).labels
    assert not np.isin(labels, (8, 9, 10)).any()


def test_a_training_sample_repeats_for_its_seed_and_varies_over_seeds():
    image, labels = training_sample(8, SIZE)
    again, _ = training_sample(np.int64(8), SIZE)
    other, _ = training_sample(9, SIZE)
    np.testing.assert_array_equal(image, again)
    assert not np.array_equal(image, other)
    assert labels.max() < len(CLASS_NAMES)


def test_a_training_sample_can_hold_unknown_objects():
    labels = [training_sample(s, SIZE, unknowns=("box", "deer"), unknown_rate=6)[1] for s in range(6)]
    assert sum((found == 255).sum() for found in labels) > 100


def test_passing_a_junction_changes_nothing_at_once():
    drive = SyntheticDrive(DriveSettings(size=SIZE, seed=21, weather="overcast", noise=0.0, traffic=0.0, unknowns=()))
    passing = [i for i in range(800) if abs(drive.position(i / 20.0) - 150.0) < 25]
    assert len(passing) > 60
    images = [drive.frame(i).image[50:].astype(int) for i in passing]
    steps = np.array([np.abs(b - a).mean() for a, b in itertools.pairwise(images)])
    assert steps.max() < 4 * np.median(steps)
