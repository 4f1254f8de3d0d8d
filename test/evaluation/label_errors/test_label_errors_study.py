"""The errors that benchmarks/label_errors_study.py makes, and its table."""

import sys

import numpy as np
from places import ROOT

from trust_seg_ros.segmentation.labels import load_labels
from trust_seg_ros.synthetic import training_sample

sys.path.insert(0, str(ROOT / "benchmarks"))

import label_errors_study as study

NAMES = load_labels("camvid11").names


def test_errors_are_of_all_kinds_large_enough_and_at_most_two_in_an_image():
    truths = [training_sample(seed, (240, 320))[1] for seed in range(8)]
    labels, errors = study.damaged(truths, NAMES, 12, np.random.default_rng(0))
    assert len(errors) == 12
    assert {error.kind for error in errors} == set(study.KINDS)
    assert max(np.bincount([error.image for error in errors])) <= study.MOST_PER_IMAGE
    for index, (before, after) in enumerate(zip(truths, labels, strict=True)):
        made = [error.changed for error in errors if error.image == index]
        assert all(changed.sum() >= study.LEAST_CHANGED for changed in made)
        np.testing.assert_array_equal(before != after, np.any([np.zeros(before.shape, bool), *made], axis=0))
        assert (after[before == 255] == 255).all()
    again = study.damaged(truths, NAMES, 12, np.random.default_rng(0))[0]
    assert all(np.array_equal(one, other) for one, other in zip(labels, again, strict=True))


def test_the_table_counts_within_the_first():
    found = {1: [("class swapped", 0), ("object missing", 150)], 2: [("class swapped", np.inf), ("object missing", 99)]}
    lines = study.markdown(found).splitlines()
    assert lines[2] == "| all | 50.0 ± 0.0 | 75.0 ± 25.0 | 75.0 ± 25.0 | 75.0 ± 25.0 |"
    assert lines[3].startswith("| class swapped | 50.0 ± 50.0 |")
