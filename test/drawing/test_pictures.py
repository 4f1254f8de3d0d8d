import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trust_seg_ros.drawing import pictures

PALETTE = np.array([[10, 20, 30], [200, 100, 50], [0, 0, 255]], np.uint8)


def scene(height=90, width=120):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    classes = rng.integers(0, 3, (height, width), dtype=np.uint8)
    return image, classes


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@settings(max_examples=50, deadline=None)
def test_label_picture_is_the_palette_and_neutral_where_there_is_no_entry(classes):
    picture = pictures.label_picture(classes, PALETTE)
    expected = np.full((*classes.shape, 3), pictures.NEUTRAL, np.uint8)
    for class_id, colour in enumerate(PALETTE):
        expected[classes == class_id] = colour
    assert np.array_equal(picture, expected)


def test_a_full_palette_leaves_unlabelled_neutral():
    palette = np.full((256, 3), 9, np.uint8)
    assert tuple(pictures.label_picture(np.full((2, 2), 255, np.uint8), palette)[0, 0]) == pictures.NEUTRAL


def test_label_picture_reads_strided_views():
    classes = np.arange(24, dtype=np.uint8).reshape(4, 6)[:, ::2] % 3
    assert np.array_equal(pictures.label_picture(classes, PALETTE), PALETTE[classes])


@pytest.mark.parametrize("alpha", [0.0, 0.25, 1.0])
def test_overlay_is_the_weighted_mean_of_camera_and_mask(alpha):
    image, classes = scene()
    picture = pictures.overlay(image, classes, PALETTE, alpha)
    assert np.allclose(picture, (1 - alpha) * image + alpha * PALETTE[classes], atol=1)


def test_overlay_changes_nothing_outside_the_flagged_segment_and_its_edge():
    image, classes = scene()
    before = image.copy()
    flags = np.zeros(classes.shape, bool)
    flags[30:60, 30:80] = True
    plain = pictures.overlay(image, classes, PALETTE)
    marked = pictures.overlay(image, classes, PALETTE, unreliable=flags)
    changed = (plain != marked).any(axis=2)
    near = np.zeros_like(flags)
    near[28:62, 28:82] = True
    assert not changed[~near].any()
    assert changed[30, 30:80].all(), "the outline"
    assert 0.2 < changed[32:58, 32:78].mean() < 0.8, "the hatching leaves the inside visible"
    assert np.array_equal(image, before)
    signal = (marked == np.array(pictures.SIGNAL, np.uint8)).all(axis=2)
    assert signal[30, 30:80].all()


def test_bool_and_published_masks_mark_alike():
    image, classes = scene()
    flags = np.zeros(classes.shape, bool)
    flags[10:40, 5:50] = True
    assert np.array_equal(
        pictures.overlay(image, classes, PALETTE, unreliable=flags),
        pictures.overlay(image, classes, PALETTE, unreliable=flags.astype(np.uint8) * 255),
    )


def test_single_pixels_are_dotted_not_hatched():
    image, classes = scene()
    flags = np.full(classes.shape, pictures.PIXEL_FLAG, np.uint8)
    changed = pictures.overlay(image, classes, PALETTE, unreliable=flags) != pictures.overlay(image, classes, PALETTE)
    assert 0.02 < changed.any(axis=2).mean() < 0.3


def test_a_segment_as_large_as_the_image_has_an_outline_at_the_edge():
    picture = np.zeros((40, 40, 3), np.uint8)
    pictures.mark(picture, np.ones((40, 40), bool))
    assert (picture[0] == pictures.SIGNAL).all()


def test_colour_map_is_monotonous_in_brightness_and_clips():
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[None]
    luminance = pictures.colour_map(ramp, "inferno").astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(luminance[0]) > -1.0).all()
    assert luminance[0, -1] > luminance[0, 0] + 150
    outside = pictures.colour_map(np.array([[-5.0, 0.0, 1.0, 7.0, np.nan]]))
    assert np.array_equal(outside[0, 0], outside[0, 1])
    assert np.array_equal(outside[0, 2], outside[0, 3])
    assert np.array_equal(outside[0, 4], outside[0, 2]), "NaN shows as untrustworthy"


def test_inferno_is_red_not_blue_in_the_middle():
    red, _, blue = pictures.colour_map(np.array([[0.5]]))[0, 0]
    assert red > blue


@given(hnp.arrays(np.float32, (3, 4), elements=st.floats(-1, 2, width=32)))
@settings(max_examples=50, deadline=None)
def test_as_bytes_rounds(values):
    assert np.abs(pictures.as_bytes(values).astype(float) - np.clip(values, 0, 1) * 255).max() <= 0.5 + 1e-3


def test_spotlight_keeps_only_flagged_segments_in_colour():
    image, _ = scene()
    flags = np.zeros(image.shape[:2], bool)
    flags[20:50, 20:60] = True
    picture = pictures.spotlight(image, flags, [pictures.FlagLabel((20, 20, 60, 50), "car 0.9")])
    grey = (picture[..., 0] == picture[..., 1]) & (picture[..., 1] == picture[..., 2])
    assert grey[60:].all()
    assert not grey[25:45, 25:55].any()


def test_labels_do_not_cover_each_other_and_too_wide_ones_are_left_out():
    image, _ = scene()
    none = np.zeros(image.shape[:2], bool)
    first = pictures.FlagLabel((10, 40, 30, 50), "a 0.9")
    one = pictures.spotlight(image, none, [first])
    assert np.array_equal(one, pictures.spotlight(image, none, [first, first]))
    assert np.array_equal(one, pictures.spotlight(image, none, [first, pictures.FlagLabel((0, 0, 9, 9), "x" * 99)]))
    assert (one == pictures.SIGNAL).all(axis=2).any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda i, c: pictures.label_picture(c.astype(int), PALETTE), "uint8"),
        (lambda i, c: pictures.label_picture(c, PALETTE[:, :2]), "palette"),
        (lambda i, c: pictures.overlay(i, c[1:], PALETTE), "same size"),
        (lambda i, c: pictures.overlay(i, c, PALETTE, alpha=1.5), "1.5"),
        (lambda i, c: pictures.overlay(i, c, PALETTE, unreliable=c[1:]), "flags"),
        (lambda i, c: pictures.overlay(i[..., 0], c, PALETTE), "RGB"),
        (lambda i, c: pictures.colour_map(i), "map"),
        (lambda i, c: pictures.colour_map(c, "jet"), "inferno"),
    ],
)
def test_wrong_arrays_are_named(call, words):
    with pytest.raises(pictures.PictureError, match=words):
        call(*scene())


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 2), (4, 1), (1, 5)])
def test_pictures_of_a_few_pixels(shape):
    image = np.full((*shape, 3), 100, np.uint8)
    classes, palette = np.zeros(shape, np.uint8), np.full((1, 3), 50, np.uint8)
    flags = np.full(shape, 255, np.uint8)
    plain = pictures.overlay(image, classes, palette, 0.5, np.zeros(shape, np.uint8))
    assert plain.shape == image.shape
    assert not np.array_equal(pictures.overlay(image, classes, palette, 0.5, flags), plain)
