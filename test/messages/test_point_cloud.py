import numpy as np
import pytest

from trust_seg_ros.ground.errors import GroundError
from trust_seg_ros.messages.point_cloud import RawCloud, places

XYZ = (("x", 0, 7), ("y", 4, 7), ("z", 8, 7))


def cloud(data, width=2, height=1, step=12, fields=XYZ, row_step=None, big=False):
    row_step = width * step if row_step is None else row_step
    return RawCloud("lidar", 5, height, width, fields, big, step, row_step, np.frombuffer(data, np.uint8))


def test_places_are_read_at_their_offsets_whatever_lies_between():
    kind = np.dtype({"names": ["i", "z", "y", "x"], "formats": ["<f4", "<f8", "<f4", "<f4"], "itemsize": 32})
    points = np.zeros((2, 3), kind)
    points["x"], points["y"], points["z"] = np.arange(6).reshape(2, 3), 10, np.arange(6).reshape(2, 3) / 3
    fields = [(name, kind.fields[name][1], 8 if name == "z" else 7) for name in ("i", "z", "y", "x")]
    padded = b"".join(row.tobytes() + b"\0" * 8 for row in points)
    found = places(cloud(padded, 3, 2, 32, fields, row_step=3 * 32 + 8))
    np.testing.assert_array_equal(found, np.stack([points["x"], points["y"], points["z"]], -1).reshape(6, 3))


def test_the_other_order_of_bytes():
    data = np.array([[1, 2, 3], [4, 5, 6]], ">f4")
    np.testing.assert_array_equal(places(cloud(data.tobytes(), big=True)), data)


def test_an_empty_cloud_has_no_places():
    assert places(cloud(b"", 0)).shape == (0, 3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fields": XYZ[:2]}, "fields x, y, expected x, y and z"),
        ({"fields": ()}, "fields none"),
        ({"fields": (("x", 0, 5), *XYZ[1:])}, "of 32 or 64 bit floating point"),
        ({"step": 8}, "2 points of 8 bytes"),
        ({"row_step": 12}, "in rows of 12"),
        ({"width": 3}, "24 bytes, expected 36"),
        ({"height": 1 << 30}, "24 bytes, expected"),
    ],
)
def test_what_holds_no_points_is_refused(changes, words):
    with pytest.raises(GroundError, match=words):
        places(cloud(np.zeros(6, "<f4").tobytes(), **changes))
