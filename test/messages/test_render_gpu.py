"""Pictures of topics from the device where a frame's maps lie: the same bytes as the host's."""

import numpy as np
import pytest
import torch
from interpreted import needs_triton

from trust_seg_ros.drawing import pictures
from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.outputs import IMAGE, OUTPUTS, rendering
from trust_seg_ros.types import Frame, GridFrame, OodSegments, SegmentTable, SegmentTrust, TrustFrame, UncertaintyMaps
from trust_seg_ros.types.fetched import FetchedMaps

pytestmark = needs_triton
SIZE = (9, 14)
TOPICS = tuple(name for name, output in OUTPUTS.items() if output.type == IMAGE and name != "gradient")


class Lying:
    """Planes on a device, here the CPU; what the host asks for is noted."""

    size = SIZE

    def __init__(self, planes):
        self.planes, self.asked = planes, []

    def plane(self, name):
        self.asked.append(name)
        return self.planes[name]

    def part(self, name, first, step):
        return self.plane(name)[first[0] :: step[0], first[1] :: step[1]].numpy()

    def faulty(self):
        return 0

    def on_device(self, name):
        return self.planes.get(name)


def frames(seed=0, flags=True, trust=True):
    """One frame twice: with maps on the host, and with maps on a device."""
    rng = np.random.default_rng(seed)
    classes = torch.from_numpy(rng.integers(0, 3, SIZE, dtype=np.uint8))
    entropy, margin = (torch.from_numpy(rng.random(SIZE, dtype=np.float32)) for _ in range(2))
    ids, ood_ids = (rng.integers(0, 6, SIZE, dtype=np.int32) for _ in range(2))
    table = SegmentTable(
        ids, np.zeros(5, np.uint8), np.zeros((5, 4), np.int32), *(np.ones(5, np.int64),) * 2, (), np.zeros((5, 0))
    )
    judged = SegmentTrust(np.zeros(5), np.zeros(5), rng.random(5) < 0.5) if trust else None
    ood = OodSegments(ood_ids, np.zeros((5, 4), np.int32), np.ones(5, np.int64), np.ones(5), rng.random(5) < 0.5)
    flagged = rng.random(SIZE) < 0.3 if flags else None
    planes = {"classes": classes, "entropy": entropy, "margin": margin, "variation_ratio": margin}
    source = Lying({**planes, "segments.ids": torch.from_numpy(ids), "ood.ids": torch.from_numpy(ood_ids)})
    if flagged is not None:
        source.planes["flags"] = torch.from_numpy(flagged)
    image = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    pair = []
    for maps in (UncertaintyMaps(*planes.values()), FetchedMaps(source)):
        pair.append(TrustFrame(Frame(image), GridFrame(maps, table, judged, flagged, ood)))
    return *pair, source


def options(**more):
    palette = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)
    return MessageOptions(("a", "b", "c"), palette, **more)


def pixels(name, frame, chosen, topics):
    return OUTPUTS[name].build(rendering(frame, chosen, topics)).data


@pytest.mark.parametrize("size", ["image", "grid", "8x5"])
@pytest.mark.parametrize("flags", [True, False])
def test_every_picture_has_the_same_bytes(size, flags):
    host, device, source = frames(1, flags)
    chosen = options(output_size=size)
    view = rendering(device, chosen, TOPICS)
    for name in TOPICS:
        ours, theirs = (OUTPUTS[name].build(v).data for v in (rendering(host, chosen, TOPICS), view))
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs), name
    assert source.asked == [], "no map comes over whole"


def test_without_a_meta_model_nothing_is_unreliable_but_pixels():
    host, device, _ = frames(2, trust=False)
    ours, theirs = (pixels("unreliable", frame, options(), ("unreliable",)) for frame in (host, device))
    assert np.array_equal(ours, theirs)
    assert set(np.unique(theirs)) == {0, pictures.PIXEL_FLAG}


def test_numbers_come_over_as_they_are():
    host, device, source = frames(3)
    chosen = options(entropy_encoding="32FC1")
    for name in ("entropy", "margin", "entropy_color"):
        ours, theirs = (pixels(name, frame, chosen, (name,)) for frame in (host, device))
        assert np.array_equal(ours, theirs), name
    assert source.asked == ["entropy", "margin"]


def test_what_was_made_on_the_host_is_painted_there():
    host, device, source = frames(4)
    del source.planes["flags"], source.planes["ood.ids"]
    for name in ("unreliable", "ood", "ood_ids", "overlay"):
        ours, theirs = (pixels(name, frame, options(), TOPICS) for frame in (host, device))
        assert np.array_equal(ours, theirs), name
