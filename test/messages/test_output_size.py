"""The size of published images, whatever the sizes of camera and grid."""

import numpy as np
import pytest
import torch
from trust_frames import frame_of

from trust_seg_ros.grid import GridError, resized
from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.output_size import published_size
from trust_seg_ros.messages.outputs import OUTPUTS
from trust_seg_ros.messages.render import Rendering, overlay, segmentation
from trust_seg_ros.node.parameter import ParameterError
from trust_seg_ros.node.settings import settings_from
from trust_seg_ros.types import Frame, UncertaintyMaps

IMAGE, GRID = (40, 60), (8, 12)


@pytest.fixture
def frame():
    """Of a grid of 8 x 12 in an image of 40 x 60."""
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 2, GRID).astype(np.uint8)
    entropy = rng.random(GRID).astype(np.float32)
    maps = UncertaintyMaps(*(torch.from_numpy(m) for m in (classes, entropy, entropy, entropy)), faulty_pixels=0)
    image = rng.integers(0, 256, (*IMAGE, 3), dtype=np.uint8)
    return frame_of(Frame(image), maps, pixel_flags=entropy > 0.5)


def rendering(frame, size, **options):
    palette = np.array([[128, 64, 128], [0, 0, 142]], np.uint8)
    return Rendering(frame, MessageOptions(("road", "car"), palette, output_size=size, **options))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("image", IMAGE), ("grid", GRID), ("30x20", (20, 30)), ("60x40", IMAGE), ("7x5", (5, 7)), ("100x90", (90, 100))],
)
def test_every_image_has_the_size_that_is_set(frame, text, expected):
    view = rendering(frame, text)
    for name in ("segmentation", "confidence", "entropy", "margin", "entropy_color"):
        fields = OUTPUTS[name].build(view)
        assert (fields.height, fields.width) == expected, name
        assert fields.data.flags.c_contiguous
    np.testing.assert_array_equal(segmentation(view).data, resized(frame.on_grid.maps.classes.numpy(), expected))


def test_scores_take_the_nearest_pixel_so_that_no_value_is_made_up(frame):
    values = frame.on_grid.maps.entropy.numpy()
    shown = OUTPUTS["entropy"].build(rendering(frame, "7x5", entropy_encoding="32FC1")).data
    assert np.isin(shown, values).all()
    assert shown.dtype == np.float32


def test_the_overlay_shows_the_image_at_that_size(frame):
    as_image = overlay(rendering(frame, "image")).data
    assert as_image.shape == (*IMAGE, 3)
    small, large = (rendering(frame, text) for text in ("30x20", "120x80"))
    assert overlay(small).data.shape == (20, 30, 3)
    assert abs(float(small.image.mean()) - float(frame.frame.image.mean())) < 1, "reduced by areas"
    assert large.image.shape == (80, 120, 3)


@pytest.mark.parametrize("text", ["640x", "640", "0x480", "network", "area:64x48", "99999x99999", "16385x1", ""])
def test_other_sizes_are_refused_with_what_was_expected(text):
    with pytest.raises(ParameterError, match=r"output_size.*expected image, grid or WIDTHxHEIGHT"):
        settings_from({"output_size": text})
    with pytest.raises(GridError, match="expected image, grid or WIDTHxHEIGHT"):
        published_size(text, IMAGE, GRID)
