"""Results whose planes come to the host when they are read."""

from dataclasses import replace

import numpy as np
import torch

from trust_seg_ros.types.fetched import FetchedMaps, FetchedOod, FetchedTable


class Source:
    """Counts how often each plane is fetched."""

    def __init__(self):
        self.read = []

    def of(self, name, value):
        def fetch():
            self.read.append(name)
            return value

        return fetch


def maps(source):
    planes = {name: torch.full((2, 3), i + 0.0) for i, name in enumerate(("entropy", "margin", "variation_ratio"))}
    return FetchedMaps(
        source.of("classes", torch.zeros((2, 3), dtype=torch.uint8)),
        *(source.of(name, plane) for name, plane in planes.items()),
        source.of("faulty", 4),
    )


def test_a_plane_is_fetched_when_it_is_first_read_and_only_then():
    source = Source()
    found = maps(source)
    assert source.read == []
    assert found.margin.tolist() == [[1.0] * 3] * 2
    assert found.margin is found.margin
    assert found.faulty_pixels == 4
    assert source.read == ["margin", "faulty"]
    assert found.host() is found


def test_a_copy_with_another_array_fetches_nothing_for_it():
    source = Source()
    table = FetchedTable(source.of("ids", np.ones((2, 2), np.int32)), *(np.zeros(1),) * 4, ("S",), np.zeros((1, 1)))
    assert replace(table, ids=np.zeros((4, 4), np.int32)).ids.shape == (4, 4)
    assert source.read == []
    assert len(table) == 1
    assert table.ids.sum() == 4


def test_ood_segments_keep_their_optional_parts():
    source = Source()
    found = FetchedOod(source.of("ids", np.ones((1, 1), np.int32)), *(np.zeros(1),) * 3, np.ones(1, bool))
    judged = replace(found, p_ood=np.array([0.5]))
    assert judged.p_ood.tolist() == [0.5]
    assert judged.judged.tolist() == [True]
    assert judged.ids.tolist() == [[1]]
