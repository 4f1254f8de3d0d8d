"""Planes painted by the kernel, in the interpreter, against what the host renders of the same frame."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreted import needs_triton
from trust_frames import frame_of

from trust_seg_ros.drawing.pictures import PIXEL_FLAG, colour_map
from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.kernels import flag_table
from trust_seg_ros.messages.outputs import OUTPUTS
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.types import Frame, OodSegments, SegmentTable, SegmentTrust, UncertaintyMaps

pytestmark = needs_triton
EXACT = np.float32([0.0, 1.0, 0.5, 0.1, 0.9, 127.5 / 255, 0.5 / 255, 1.5 / 255, 2.5 / 255, 254.5 / 255])
"""Many of these times 255 lie on, or just beside, the middle between two bytes."""


def table_of(ids, count):
    n = np.zeros(count)
    return SegmentTable(ids, n.astype(np.uint8), np.zeros((count, 4), np.int32), n, n, (), np.zeros((count, 0)))


def frame(grid, image, seed, count=9, found=5, flags=True):
    """A frame of random maps with ``count`` segments and ``found`` OoD segments; they need not be connected."""
    rng = np.random.default_rng(seed)
    classes = rng.choice([0, 1, 255], grid).astype(np.uint8)
    levels = (rng.random(grid).astype(np.float32), rng.choice(EXACT, grid), rng.choice(EXACT, grid))
    maps = UncertaintyMaps(*map(torch.from_numpy, (classes, *levels)), faulty_pixels=0)
    ids, ood_ids = (rng.integers(0, n + 1, grid, dtype=np.int32) for n in (count, found))
    kept = rng.random(found) < 0.5
    ood = OodSegments(ood_ids, np.zeros((found, 4), np.int32), np.zeros(found), np.zeros(found), kept)
    trust = SegmentTrust(np.zeros(count), np.zeros(count), rng.random(count) < 0.5)
    pixels = rng.random(grid) < 0.3 if flags else None
    return frame_of(
        Frame(np.zeros((*image, 3), np.uint8)), maps, table_of(ids, count), trust, pixel_flags=pixels, ood=ood
    )


def paints_of(view):
    """What the kernel gets for a frame, as tensors."""
    from trust_seg_ros.messages import paint_gpu  # the kernel is defined with the interpreter's variable set

    on_grid = view.frame.on_grid
    tensor = torch.from_numpy
    return paint_gpu.Paints(
        classes=on_grid.maps.classes,
        entropy=on_grid.maps.entropy,
        margin=on_grid.maps.margin,
        ids=tensor(on_grid.segments.ids),
        ood_ids=tensor(on_grid.ood.ids),
        pixel_flags=None if on_grid.pixel_flags is None else tensor(on_grid.pixel_flags),
        unreliable=tensor(flag_table(on_grid.trust.unreliable)),
        ood=tensor(flag_table(on_grid.ood.kept, PIXEL_FLAG)),
        ood_numbers=tensor(np.append(0, view.ood_numbers).astype(np.int32)),
    )


def assert_painted(result, text):
    from trust_seg_ros.messages import paint_gpu

    palette = np.array([[128, 64, 128], [0, 0, 142]], np.uint8)
    view = Rendering(result, MessageOptions(("road", "car"), palette, output_size=text))
    planes = paint_gpu.painted(paints_of(view), tuple(paint_gpu.PLANES), view.size)
    assert set(planes) == set(paint_gpu.PLANES)
    for name, plane in planes.items():
        wanted = OUTPUTS[name].build(view).data
        assert plane.numpy().dtype == wanted.dtype, name
        np.testing.assert_array_equal(plane.numpy(), wanted, err_msg=name)
    colours = paint_gpu.coloured(planes["entropy"])
    np.testing.assert_array_equal(colours.numpy(), OUTPUTS["entropy_color"].build(view).data)


@settings(max_examples=15, deadline=None)
@given(*(st.integers(1, 24) for _ in range(4)), st.integers(0, 999), st.sampled_from(["image", "grid", "7x5"]))
def test_every_plane_is_that_of_the_host(h, w, height, width, seed, text):
    assert_painted(frame((h, w), (height, width), seed), text)


@pytest.mark.parametrize("flags", [True, False])
def test_wide_rows_and_no_flags(flags):
    assert_painted(frame((3, 1100), (3, 1100), 1, flags=flags), "image")


def test_numbers_beyond_16_bits_are_none():
    result = frame((4, 30), (4, 30), 2, count=70_000, found=20)
    result.on_grid.segments.ids[0, :3] = 65534, 65535, 70_000
    assert_painted(result, "image")


def test_every_float_becomes_the_byte_that_opencv_makes():
    from trust_seg_ros.messages import paint_gpu

    edges = (np.arange(256) + 0.5).astype(np.float32) / np.float32(255)
    near = np.concatenate([edges, *(np.nextafter(edges, np.float32(side)) for side in (0, 1))])
    values = np.concatenate([near, np.linspace(0, 1, 4096, dtype=np.float32)])[None]
    wanted = OUTPUTS["entropy"].build(
        Rendering(
            frame_of(
                Frame(np.zeros((*values.shape, 3), np.uint8)),
                UncertaintyMaps(torch.zeros(values.shape, dtype=torch.uint8), *[torch.from_numpy(values)] * 3, 0),
            ),
            MessageOptions(("a",), np.zeros((1, 3), np.uint8)),
        )
    )
    got = paint_gpu.painted(paint_gpu.Paints(entropy=torch.from_numpy(values)), ("entropy", "confidence"))
    assert list(got) == ["entropy", "confidence"]
    np.testing.assert_array_equal(got["entropy"].numpy(), wanted.data)
    np.testing.assert_array_equal(got["confidence"].numpy(), 255 - wanted.data)


def test_colour_maps_are_those_of_the_drawings():
    from trust_seg_ros.messages import paint_gpu

    plane = np.arange(256, dtype=np.uint8).reshape(8, 32)
    for name in ("inferno", "turbo"):
        np.testing.assert_array_equal(
            paint_gpu.coloured(torch.from_numpy(plane), name).numpy(), colour_map(plane, name)
        )
