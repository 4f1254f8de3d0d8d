"""The parameter ``grid`` on the wire: judged on the grid that the model names, published at the size of the image."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from node_networks import NAMES
from ood_models import size_model
from ros_bench import Bench, NodeProcess
from sensor_msgs.msg import CompressedImage

from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
from trust_seg_ros.types import Frame

pytestmark = pytest.mark.ros

NETWORK = "node_networks:painted"
TOPICS = ("segmentation", "entropy", "unreliable", "ood", "ood_ids", "segment_ids", "segments")


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "ood.json"
    replace(size_model(NETWORK, NAMES, even=150.0), grid=(48, 64)).save(path)
    return path


def squares(times=1):
    """48 x 64, enlarged: mixed colours; grey squares of 16 x 16 and 12 x 12, an object and a false alarm."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :32, 0] = 255
    picture[:, 32:, 2] = 255
    for top, left, side in ((8, 24, 16), (28, 48, 12)):
        picture[top : top + side, left : left + side] = 128
    return cv2.resize(picture, None, fx=times, fy=times, interpolation=cv2.INTER_NEAREST)


@pytest.mark.parametrize("grid", ["fitted", "64x48"])
def test_a_large_image_is_judged_on_the_grid_and_published_at_its_size(model_file, grid):
    node = NodeProcess("gridded", model=NETWORK, grid=grid, **{"ood.meta_model": model_file})
    bench = Bench("gridded")
    try:
        bench.listen(*TOPICS)
        bench.camera()
        picture = squares(4)
        stamp = bench.answer("segmentation", picture).header.stamp.sec

        def of_frame(name):
            return [m for m in bench.received[name] if m.header.stamp.sec == stamp]

        bench.until(lambda: all(map(of_frame, TOPICS)), f"all topics of frame {stamp}")
        found = {name: of_frame(name)[0] for name in TOPICS}
        for name in TOPICS[:-1]:
            assert (found[name].height, found[name].width) == picture.shape[:2], name
        ids = np.frombuffer(found["ood_ids"].data, np.uint16).reshape(picture.shape[:2])
        settings = PipelineSettings(model=NETWORK, device="cpu", ood_meta_model=str(model_file), grid=grid)
        expected = TrustPipeline.load(settings)(Frame(picture))
        assert expected.on_grid.size == (48, 64)
        kept = np.flatnonzero(expected.ood.kept)
        assert len(kept) == 1
        np.testing.assert_array_equal(ids > 0, expected.ood.ids == kept[0] + 1)
        number = int(ids.max())
        (unknown,) = [d for d in found["segments"].detections if int(d.id) == number]
        rows, columns = np.nonzero(ids)
        assert unknown.bbox.size_x == np.ptp(columns) + 1
        assert unknown.bbox.size_y == np.ptp(rows) + 1
        scores = {r.hypothesis.class_id: r.hypothesis.score for r in unknown.results}
        pixels = int(expected.ood.sizes[kept[0]])
        assert pixels * 16 == len(rows), "sizes are pixels of the grid"
        assert scores["ood"] == pytest.approx(1 / (1 + np.exp(-(pixels - 150) / 50)))
    finally:
        bench.close()
        node.kill()
        print(node.said())


def test_masks_are_published_at_another_size_and_as_png(model_file):
    """Two subscribers of a mask: its image, and its PNG with image_transport's name; each is made only when asked."""
    node = NodeProcess("sized", model=NETWORK, output_size="96x72", **{"ood.meta_model": model_file})
    bench = Bench("sized")
    png = {name: [] for name in ("segmentation", "ood_ids")}
    try:
        bench.listen("segmentation", "segments")
        for name, found in png.items():
            bench.node.create_subscription(CompressedImage, f"/sized/{name}/compressed", found.append, 50)
        bench.camera()
        bench.answer("segmentation", squares(4))

        def joined():
            forms = (bench.received["segmentation"], png["segmentation"], png["ood_ids"])
            found = [{m.header.stamp.sec: m for m in messages} for messages in forms]
            return [[form[stamp] for form in found] for stamp in sorted(set.intersection(*map(set, found)))]

        image, file, ids = bench.until(joined, "both forms of one frame", each=lambda: bench.send(squares(4)))[0]
        assert (image.height, image.width, image.step) == (72, 96, 96)
        assert file.header == image.header
        assert file.format == "mono8; png compressed "
        np.testing.assert_array_equal(
            cv2.imdecode(np.frombuffer(file.data, np.uint8), cv2.IMREAD_UNCHANGED),
            np.frombuffer(image.data, np.uint8).reshape(72, 96),
        )
        assert ids.format == "16UC1; png compressed "
        numbers = cv2.imdecode(np.frombuffer(ids.data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert numbers.dtype == np.uint16
        (unknown,) = [d for d in bench.received["segments"][-1].detections if int(d.id) == numbers.max()]
        assert unknown.bbox.size_x == 64, "boxes are of the camera's image"
        assert np.ptp(np.nonzero(numbers)[1]) + 1 == 24
        assert bench.set("output_size", "grid").successful
        bench.until(
            lambda: bench.received["segmentation"][-1].height == 48, "the grid", each=lambda: bench.send(squares(4))
        )
        refused = bench.set("output_size", "99999x3")
        assert not refused.successful
        assert "expected image, grid or WIDTHxHEIGHT" in refused.reason
    finally:
        bench.close()
        node.kill()
        print(node.said())
