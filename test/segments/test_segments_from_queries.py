"""Segments that are those of a mask network's queries, against their definition pixel by pixel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trust_seg_ros.segments import FeatureError, FeatureSet, apply_ignore, segment_table, targets
from trust_seg_ros.segments.queries import find_query_segments, owners
from trust_seg_ros.types import UNLABELLED, LogitMaps, MaskQueries
from trust_seg_ros.uncertainty import MaskQueriesNeededError, uncertainty_maps


def mask_answer(q, queries, h, w, size, seed, spread=5.0):
    generator = torch.Generator().manual_seed(seed)
    p = (torch.randn(queries, q + 1, generator=generator) * spread).softmax(1)[:, :-1].contiguous()
    masks = (torch.randn(queries, h, w, generator=generator) * spread - 1.0).sigmoid()
    return summed(p, masks, size)


def summed(p, masks, size):
    return LogitMaps(torch.einsum("qc,qhw->chw", p, masks), size, raw=False, linear=True, queries=MaskQueries(p, masks))


def by_definition(maps, classes):
    """ids (H, W) and, per segment, its class, query and the float64 mask values of its pixels."""
    masks = torch.nn.functional.interpolate(
        maps.queries.masks[None], size=maps.size, mode="bilinear", align_corners=False
    )[0].numpy()
    p, ids, found = maps.queries.probabilities.numpy(), np.zeros(classes.shape, int), {}
    for y, x in np.ndindex(classes.shape):
        c = classes[y, x]
        if c != UNLABELLED:
            query = int(np.argmax(p[:, c] * masks[:, y, x]))
            values = found.setdefault((int(c), query), [])
            values.append(float(masks[query, y, x]))
            ids[y, x] = list(found).index((int(c), query)) + 1
    return ids, found


@st.composite
def cases(draw):
    h, w = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    size = (draw(st.sampled_from([h, 2 * h, 7, 110])), draw(st.sampled_from([w, 3 * w, 17])))
    maps = mask_answer(draw(st.integers(2, 6)), draw(st.integers(1, 8)), h, w, size, draw(st.integers(0, 2**31)))
    if draw(st.booleans()):
        maps.logits[:, : draw(st.integers(0, h)), : draw(st.integers(0, w))] = 0.0
    return maps


@settings(max_examples=40, deadline=None)
@given(maps=cases(), threads=st.sampled_from([1, 3]), ignored=st.booleans())
def test_one_segment_for_each_class_and_query(maps, threads, ignored):
    found = uncertainty_maps(maps)
    truth = None
    if ignored:
        rng = np.random.default_rng(0)
        truth = rng.choice(np.array([0, 1, UNLABELLED], np.uint8), maps.size)
    table = segment_table(found, maps, "metaseg", ground_truth=truth, threads=threads, segments_from="queries")
    classes = found.classes.numpy() if truth is None else apply_ignore(found.classes.numpy(), truth)
    ids, want = by_definition(maps, classes)
    assert (table.ids == ids).all()
    assert table.class_ids.tolist() == [c for c, _ in want]
    assert table.sizes.tolist() == [len(values) for values in want.values()]
    p = maps.queries.probabilities.numpy()
    assert table.column("query_prob").tolist() == [p[query, c] for c, query in want]
    assert np.allclose(table.column("query_mask"), [np.mean(values) for values in want.values()], atol=1e-6)
    for number in range(1, len(table) + 1):
        rows, columns = np.nonzero(ids == number)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert table.boxes[number - 1].tolist() == box
        interior = sum(
            (ids[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] == number).all()
            for y, x in zip(rows, columns, strict=True)
        )
        assert table.interior_sizes[number - 1] == (0 if (ids == number).all() else interior)
        assert table.column("E")[number - 1] == pytest.approx(found.entropy.numpy()[ids == number].mean(), abs=1e-5)


def test_two_cars_side_by_side_are_two_segments_and_one_behind_a_pole_is_one():
    p = torch.tensor([[0.9, 0.0], [0.8, 0.0], [0.0, 0.9]])
    masks = torch.zeros(3, 2, 9)
    masks[0, :, :3] = 1.0  # a car ...
    masks[1, :, 3:5] = 0.9  # ... touching another one ...
    masks[1, :, 6:] = 0.9
    masks[2, :, 5] = 1.0  # ... behind a pole
    maps = summed(p, masks, (2, 9))
    found = uncertainty_maps(maps)
    table = segment_table(found, maps, segments_from="queries")
    assert table.ids.tolist() == [[1, 1, 1, 2, 2, 3, 2, 2, 2]] * 2
    assert table.class_ids.tolist() == [0, 0, 1]
    assert table.column("query_prob").tolist() == pytest.approx([0.9, 0.8, 0.9])
    assert table.column("query_mask").tolist() == pytest.approx([1.0, 0.9, 1.0])
    components = segment_table(found, maps)
    assert components.ids.tolist() == [[1, 1, 1, 1, 1, 2, 3, 3, 3]] * 2
    assert "query_prob" not in components.names


def test_neighbours_of_another_query_count_by_their_class():
    p = torch.tensor([[0.9, 0.0], [0.8, 0.0], [0.0, 0.9]])
    masks = torch.zeros(3, 1, 6)
    masks[0, :, :2], masks[1, :, 2:4], masks[2, :, 4:] = 1.0, 1.0, 1.0
    maps = summed(p, masks, (1, 6))
    table = segment_table(uncertainty_maps(maps), maps, "meta_ood", segments_from="queries")
    assert table.column("ndist_0").tolist() == [1.0, 0.5, 1.0]
    assert table.column("ndist_1").tolist() == [0.0, 0.5, 0.0]


def test_segments_of_queries_have_targets():
    maps = mask_answer(4, 6, 10, 12, (40, 48), seed=2)
    found = uncertainty_maps(maps)
    truth = np.random.default_rng(1).integers(0, 4, maps.size).astype(np.uint8)
    truth[:5] = UNLABELLED
    table = segment_table(found, maps, ground_truth=truth, segments_from="queries")
    for variant in ("component", "released"):
        of = targets(table, truth, variant)
        assert len(of.iou) == len(table)
        assert ((of.iou == 0) == (of.iou_adj == 0)).all()
        for number in range(1, len(table) + 1):
            hit = (truth[table.ids == number] == table.class_ids[number - 1]).any()
            assert (of.iou[number - 1] > 0) == hit


def test_the_result_does_not_depend_on_threads():
    maps = mask_answer(5, 9, 30, 40, (240, 320), seed=4)
    classes = uncertainty_maps(maps).classes.numpy()
    one, two = (find_query_segments(classes, owners(maps, classes, n), n) for n in (1, 4))
    assert (one.ids == two.ids).all()
    assert (one.boxes == two.boxes).all()


def test_other_networks_and_other_words_are_refused():
    logits = LogitMaps(torch.randn(3, 4, 5), (8, 10))
    found = uncertainty_maps(logits)
    with pytest.raises(MaskQueriesNeededError, match="segments_from: queries needs the masks of a mask network"):
        segment_table(found, logits, segments_from="queries")
    with pytest.raises(FeatureError, match=r"no origin of segments 'query'.*did you mean queries"):
        segment_table(found, logits, segments_from="query")
    with pytest.raises(FeatureError, match="segments_from='queries'"):
        segment_table(found, logits, FeatureSet(families=("size", "query")))
