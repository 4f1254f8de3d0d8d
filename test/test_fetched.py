"""Results whose planes come to the host when they are read."""

import pickle
from dataclasses import replace

import numpy as np
import torch

from trust_seg_ros.types import OodSegments, SegmentTable, UncertaintyMaps
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


class Planes:
    """Planes of 2 by 4 pixels, and what was asked for."""

    size = (2, 4)

    def __init__(self):
        self.asked = []

    def plane(self, name):
        self.asked.append(name)
        return torch.arange(8.0).reshape(2, 4)

    def part(self, name, first, step):
        self.asked.append((name, first, step))
        return self.plane(name)[first[0] :: step[0], first[1] :: step[1]].numpy()

    def faulty(self):
        return 4


def test_only_what_is_read_is_asked_for():
    source = Planes()
    found = FetchedMaps(source)
    assert (found.size, found.pixels, found.faulty_pixels) == ((2, 4), 8, 4)
    assert found.host() is found
    assert source.asked == []
    assert found.margin.sum() == 28
    assert source.asked == ["margin"]


def test_a_part_is_that_of_the_whole():
    source = Planes()
    whole = UncertaintyMaps(torch.zeros((2, 4), dtype=torch.uint8), *(source.plane("entropy"),) * 3)
    where = (1, 1), (1, 2)
    assert np.array_equal(FetchedMaps(source).part("entropy", *where), whole.part("entropy", *where))
    assert whole.part("entropy", *where).tolist() == [[5.0, 7.0]]


def test_a_copy_with_another_array_fetches_nothing_for_it():
    source = Source()
    table = FetchedTable(source.of("ids", np.ones((2, 2), np.int32)), *(np.zeros(1),) * 4, ("S",), np.zeros((1, 1)))
    assert replace(table, ids=np.zeros((4, 4), np.int32)).ids.shape == (4, 4)
    assert source.read == []
    assert len(table) == 1
    assert table.ids.sum() == 4


def test_they_are_pickled_as_what_they_stand_for():
    source = Source()
    table = FetchedTable(source.of("ids", np.ones((2, 2), np.int32)), *(np.zeros(1),) * 4, ("S",), np.zeros((1, 1)))
    ood = FetchedOod(source.of("ids", np.ones((1, 1), np.int32)), *(np.zeros(1),) * 3, np.ones(1, bool))
    copies = [pickle.loads(pickle.dumps(thing)) for thing in (FetchedMaps(Planes()), table, ood)]
    assert [type(copy) for copy in copies] == [UncertaintyMaps, SegmentTable, OodSegments]
    assert copies[0].faulty_pixels == 4
    assert [copies[0].margin.sum(), copies[1].ids.sum(), copies[2].ids.sum()] == [28, 4, 1]


def test_ood_segments_keep_their_optional_parts():
    source = Source()
    found = FetchedOod(source.of("ids", np.ones((1, 1), np.int32)), *(np.zeros(1),) * 3, np.ones(1, bool))
    judged = replace(found, p_ood=np.array([0.5]))
    assert judged.p_ood.tolist() == [0.5]
    assert judged.judged.tolist() == [True]
    assert judged.ids.tolist() == [[1]]
