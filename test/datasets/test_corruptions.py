import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.datasets.corruptions import CORRUPTIONS, SEVERITIES, Corruption, CorruptionError, parse_corruption
from trust_seg_ros.datasets.corruptions.apply import FAMILIES, _generator, corrupt
from trust_seg_ros.datasets.corruptions.pixels import disc_kernel, line_kernel
from trust_seg_ros.synthetic import training_sample

KINDS = tuple(CORRUPTIONS)
FOG_7_A = 8096217650892224739
DRAWN = ("night", "fog", "rain", "motion_blur")
"""Those with something random."""


@pytest.fixture(scope="module")
def street():
    return training_sample(3, (360, 480), (), 1.0)[0]


def psnr(a, b):
    return 10 * np.log10(255.0**2 / np.mean((a.astype(float) - b) ** 2))


def sharpness(image):
    return cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F).std()


def test_every_kind_has_a_formula():
    assert tuple(FAMILIES) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_quality_falls_with_every_severity(street, kind):
    levels = [psnr(corrupt(street, kind, severity, 1, "a"), street) for severity in SEVERITIES]
    assert all(before > after + 0.3 for before, after in itertools.pairwise(levels)), levels
    assert levels[0] < 45
    assert 5 < levels[-1] < 27


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_arguments_give_the_same_bytes(street, kind):
    assert np.array_equal(corrupt(street, kind, 3, 7, "a"), corrupt(street.copy(), kind, 3, 7, "a"))


@pytest.mark.parametrize("kind", DRAWN)
def test_other_names_and_seeds_draw_otherwise(street, kind):
    one = corrupt(street, kind, 3, 7, "a")
    assert not np.array_equal(one, corrupt(street, kind, 3, 7, "b"))
    assert not np.array_equal(one, corrupt(street, kind, 3, 8, "a"))


def test_nothing_depends_on_generators_elsewhere(street):
    np.random.seed(1)
    cv2.setRNGSeed(1)
    first = corrupt(street, "night", 3, 0, "a")
    np.random.seed(2)
    cv2.setRNGSeed(2)
    assert np.array_equal(first, corrupt(street, "night", 3, 0, "a"))


def test_drops_of_light_rain_also_fall_in_heavy_rain():
    black = np.zeros((120, 160, 3), np.uint8)
    light, heavy = (corrupt(black, "rain", severity, 0, "a").astype(int)[..., 0] for severity in (1, 5))
    streaks = light > light.min() + 20
    assert streaks.any()
    assert (heavy[streaks] > heavy.min() + 20).all()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None)
@given(
    size=st.tuples(st.integers(16, 90), st.integers(16, 90)),
    severity=st.sampled_from(SEVERITIES),
    content=st.sampled_from(["noise", 0, 255, 128]),
    strided=st.booleans(),
)
def test_any_image_gives_an_image_of_its_size(kind, size, severity, content, strided):
    generator = np.random.default_rng(0)
    image = np.full((*size, 3), content, np.uint8) if content != "noise" else generator.integers(0, 256, (*size, 3))
    image = image.astype(np.uint8)
    image = image[:, ::-1, ::-1] if strided else image
    before = image.copy()
    image.flags.writeable = False
    out = corrupt(image, kind, severity, 0, "x")
    assert out.shape == image.shape
    assert out.dtype == np.uint8
    assert out.flags.c_contiguous
    assert np.array_equal(image, before)


@pytest.mark.parametrize("size", [(16, 2000), (1200, 16)])
@pytest.mark.parametrize("kind", KINDS)
def test_very_long_images(kind, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert corrupt(image, kind, 5).shape == image.shape


@pytest.mark.parametrize("kind", ["motion_blur", "defocus", "over_exposure", "fog", "rain"])
def test_a_larger_image_looks_the_same(street, kind):
    """Lengths grow with the height: corrupting a picture of twice the size and halving it changes little."""
    large = cv2.resize(street, (960, 720), interpolation=cv2.INTER_LINEAR)
    small = cv2.resize(corrupt(large, kind, 4, 0, "a"), (480, 360), interpolation=cv2.INTER_AREA)
    one = corrupt(street, kind, 4, 0, "a")
    assert psnr(one, small) > psnr(one, street) + 3 or kind == "rain"  # other drops fall
    assert abs(one.mean() - small.mean()) < 4
    assert 0.5 < sharpness(one) / sharpness(small) < 2


def test_night_is_darker_and_noisier(street):
    grey = np.full_like(street, 128)
    means = [corrupt(grey, "night", severity).mean() for severity in (1, 3, 5)]
    assert 128 > means[0] > means[1] > means[2] > 5
    relative = [corrupt(grey, "night", s).std() / corrupt(grey, "night", s).mean() for s in (1, 3, 5)]
    assert relative[0] < relative[1] < relative[2]


def test_fog_hides_the_horizon_more_than_the_road():
    image = np.zeros((360, 480, 3), np.uint8)
    image[:, ::2] = 200
    contrast = corrupt(image, "fog", 3).astype(float).std(1).mean(-1)
    assert contrast[340] > 1.5 * contrast[160]


def test_motion_blur_smears_along_rows_more_than_along_columns():
    point = np.zeros((91, 91, 3), np.uint8)
    point[45, 45] = 255
    out = corrupt(cv2.resize(point, (360, 360), interpolation=cv2.INTER_NEAREST), "motion_blur", 5, 0, "a")[..., 0]
    rows, columns = np.nonzero(out)
    assert np.ptp(columns) > np.ptp(rows)
    assert np.ptp(columns) >= 15


def test_low_contrast_keeps_the_mean(street):
    out = corrupt(street, "low_contrast", 4)
    assert abs(out.mean() - street.mean()) < 1
    assert out.std() == pytest.approx(0.22 * street.std(), rel=0.05)


def test_over_exposure_bleeds():
    image = np.full((360, 480, 3), 40, np.uint8)
    image[150:200, 200:260] = 255
    out = corrupt(image, "over_exposure", 4).astype(int)
    assert out[205, 230, 0] > out[20, 20, 0] > 40


@pytest.mark.parametrize("kernel", [line_kernel(0.0, 0.3), line_kernel(7.3, 1.2), disc_kernel(0.0), disc_kernel(3.4)])
def test_filters_keep_the_light_in_its_place(kernel):
    assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
    assert kernel.min() >= 0
    middle = (np.array(kernel.shape) - 1) / 2
    centre = [(np.indices(kernel.shape)[axis] * kernel).sum() for axis in (0, 1)]
    assert centre == pytest.approx(middle, abs=1e-3)


def test_the_disc_has_its_area():
    assert disc_kernel(4.0).max() == pytest.approx(1 / (np.pi * 16), rel=0.02)


@pytest.mark.parametrize(
    ("text", "kind", "severity"),
    [
        ("fog:3", "fog", 3),
        ("fog", "fog", 3),
        (" night : 5 ", "night", 5),
        ("motion-blur:1", "motion_blur", 1),
        ("Motion Blur:2", "motion_blur", 2),
        ("over_exposure", "over_exposure", 3),
    ],
)
def test_spellings(text, kind, severity):
    assert parse_corruption(text, seed=4) == Corruption(kind, severity, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_corruption_reads_back_from_its_text(kind):
    assert parse_corruption(str(Corruption(kind, 2))) == Corruption(kind, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("snow:3", "no corruption 'snow'; choose one of: night, fog, rain"),
        ("fog:6", "severity 6 of fog; expected a whole number from 1"),
        ("fog:0", "severity 0 of fog"),
        ("fog:", "severity '' in 'fog:'"),
        ("fog:much", "severity 'much' in 'fog:much'; expected a whole number from 1 to 5, for example fog:3"),
        ("fog:-1", "severity '-1'"),
        ("fog:2.5", "severity '2.5'"),
        ("fog:3:7", "is no corruption"),
        ("", "is no corruption"),
        (":3", "is no corruption"),
    ],
)
def test_what_is_no_corruption_is_explained(text, said):
    with pytest.raises(CorruptionError) as error:
        parse_corruption(text)
    assert said in str(error.value)


@pytest.mark.parametrize("seed", [-1, True, 1.5])
def test_seeds_are_whole_numbers(seed):
    with pytest.raises(CorruptionError, match="seed"):
        Corruption("fog", 3, seed)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((40, 40), np.uint8),
        np.zeros((40, 40, 4), np.uint8),
        np.zeros((40, 40, 3), np.float32),
        np.zeros((15, 40, 3), np.uint8),
        [[1]],
    ],
)
def test_what_is_no_image_is_refused(image):
    with pytest.raises(CorruptionError, match="expected"):
        corrupt(image, "fog")


def test_what_is_drawn_depends_on_nothing_but_seed_kind_and_name():
    """Raw numbers of the generator, which NumPy promises to keep: results can be repeated elsewhere."""
    raw = [_generator(Corruption("fog", level, 7), "a").bit_generator.random_raw() for level in (1, 5)]
    assert raw == [FOG_7_A, FOG_7_A]
