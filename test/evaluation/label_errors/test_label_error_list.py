"""The ranking learned from errors made on purpose, and the list."""

import numpy as np
import pytest

from trust_seg_ros.evaluation.label_errors.evidence import evidence_of
from trust_seg_ros.evaluation.label_errors.find import LabelErrors
from trust_seg_ros.evaluation.label_errors.listing import BORDER, CLASS, MISSING, listed
from trust_seg_ros.evaluation.label_errors.page import COLUMNS, csv_text, page_html
from trust_seg_ros.evaluation.label_errors.ranking import FEATURES, ranked
from trust_seg_ros.evaluation.label_errors.regions import MEASURES, Regions
from trust_seg_ros.segments import segment_table_from_softmax
from trust_seg_ros.synthetic import training_sample


def regions(pixels, labelled, predicted, **measures):
    """Regions by hand: lists of positions in an image of 100 x 100."""
    table = np.full((len(pixels), len(MEASURES)), 0.1)
    table[:, MEASURES.index("size")] = [len(part) for part in pixels]
    for name, values in measures.items():
        table[:, MEASURES.index(name)] = values
    parts = [np.sort(np.asarray(part)) for part in pixels]
    boxes = [(min(p % 100), min(p // 100), max(p % 100) + 1, max(p // 100) + 1) for p in parts]
    kinds = np.zeros(len(parts), np.uint8)
    return Regions(
        np.concatenate(parts).astype(np.int32),
        np.cumsum([0, *map(len, parts)]),
        kinds,
        np.array(labelled, np.uint8),
        np.array(predicted, np.uint8),
        np.ones(len(parts), np.int32),
        np.array(boxes, np.int32),
        table,
    )


def block(top, left, side=10):
    return (np.arange(top, top + side)[:, None] * 100 + np.arange(left, left + side)).ravel()


def errors(parts, p, top=10):
    return listed(parts, [np.asarray(values, float) for values in p], [(100, 100)] * len(parts), top)


def test_the_likeliest_comes_first_and_the_list_has_an_end():
    parts = [regions([block(0, 0), block(50, 50)], [1, 2], [3, 4]), regions([block(20, 20)], [1], [3])]
    found = errors(parts, [[0.2, 0.9], [0.5]])
    assert [(error.image, error.p) for error in found] == [(0, 0.9), (1, 0.5), (0, 0.2)]
    assert len(errors(parts, [[0.2, 0.9], [0.5]], top=2)) == 2
    assert errors([], []) == []


def test_one_image_does_not_fill_the_list():
    parts = [regions([block(0, 0), block(0, 50), block(50, 0)], [1, 2, 3], [4, 5, 6]), regions([block(0, 0)], [1], [4])]
    p = [np.array([0.9, 0.8, 0.7]), np.array([0.1])]
    assert [error.image for error in listed(parts, p, [(100, 100)] * 2, 10, per_image=2)] == [0, 0, 1]


def test_of_equals_the_larger_comes_first():
    parts = [regions([block(0, 0, 5), block(50, 50, 20)], [1, 2], [3, 4])]
    assert [len(error.pixels) for error in errors(parts, [[0.5, 0.5]])] == [400, 25]


@pytest.mark.parametrize(
    ("second", "classes", "count"),
    [
        ((2, 2), (7, 8), 1),  # most of it lies in the first
        ((0, 12), (1, 8), 1),  # beside it, the same label
        ((0, 12), (7, 3), 1),  # beside it, the same prediction
        ((0, 12), (7, 8), 2),
        ((0, 30), (1, 3), 2),
    ],
)
def test_one_place_is_one_entry(second, classes, count):
    parts = [regions([block(0, 0), block(*second)], [1, classes[0]], [3, classes[1]])]
    assert len(errors(parts, [[0.9, 0.8]])) == count


def test_a_place_is_named_after_what_it_covers():
    shares = {"label_share": [0.9, 0.1, 0.1], "predicted_share": [0.2, 0.8, 0.1]}
    parts = [regions([block(0, 0), block(40, 40), block(80, 80)], [1, 2, 3], [4, 5, 6], **shares)]
    assert [error.kind for error in errors(parts, [[0.9, 0.8, 0.7]])] == [CLASS, MISSING, BORDER]


def sure_of(truth, q=11):
    prob = np.full((q, *truth.shape), 0.02, np.float32)
    np.put_along_axis(prob, np.where(truth == 255, 0, truth)[None].astype(int), 0.8, axis=0)
    return prob / prob.sum(0)


def evidence(seed, damage=None, noise=0.0):
    """A drawn scene, a network that is right but for noise, and labels that are not where ``damage`` says."""
    image, truth = training_sample(seed, (120, 160))
    rng = np.random.default_rng(seed)
    said = truth.copy()
    for _ in range(round(noise)):  # mistakes of the network: blocks of a class that it is less sure of
        y, x = rng.integers(0, 100), rng.integers(0, 140)
        said[y : y + 12, x : x + 12] = rng.integers(11)
    prob = sure_of(said)
    wrong = said != truth
    prob[:, wrong] = 0.6 * prob[:, wrong] + 0.4 / 11
    labels = truth.copy()
    if damage is not None:
        labels[damage] = np.where(truth[damage] == 255, 255, (truth[damage] + 3) % 11)
    classes = prob.argmax(0).astype(np.uint8)
    table = segment_table_from_softmax(prob, ground_truth=labels)
    return evidence_of(image, labels, classes, prob, table, np.random.default_rng((0, seed)))


def test_an_error_in_the_labels_stands_before_the_networks_mistakes():
    place = (slice(70, 110), slice(20, 70))
    images = [evidence(seed, place if seed == 4 else None, noise=4) for seed in range(10)]
    ranking = ranked(images)
    assert ranking.weights.shape == (len(FEATURES),)
    first = listed([image.regions for image in images], ranking.p, [image.size for image in images], 5)[0]
    assert first.image == 4
    mask = first.mask((120, 160))
    assert mask[place].sum() == mask.sum()


def test_images_without_any_dispute_give_an_empty_list():
    images = [evidence(seed) for seed in range(3)]
    ranking = ranked(images)
    assert [len(p) for p in ranking.p] == [0, 0, 0]
    assert listed([image.regions for image in images], ranking.p, [image.size for image in images], 5) == []


def test_one_image_alone_is_ordered_by_the_network():
    ranking = ranked([evidence(1, (slice(70, 110), slice(20, 70)), noise=2)])
    assert ranking.weights is None
    assert ((ranking.p[0] > 0) & (ranking.p[0] < 1)).all()


def test_markup_in_names_is_text_on_the_page():
    names = tuple(f"<b>class {k}</b>" for k in range(11))
    found = LabelErrors(tuple(errors([regions([block(0, 0)], [1], [3])], [[0.9]])), (), (), 7, None, {}, 1)
    row = dict.fromkeys(COLUMNS, 1) | {"p": 0.9, "image": "ä <script>&", "kind": "border"}
    row |= {"labelled": names[1], "predicted": names[3]}
    page = page_html([row], found, names, np.zeros((11, 3), np.uint8), "<i>data</i>")
    assert "<script>" not in page
    assert "<b>class" not in page
    assert "ä &lt;script&gt;&amp;" in page
    assert "&lt;i&gt;data&lt;/i&gt;" in page
    assert csv_text([row | {"image": 'a,"b"\n'}]).startswith(",".join(COLUMNS))
