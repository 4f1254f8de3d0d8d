"""A small meta model, and segments for it."""

import numpy as np

from trust_seg_ros.meta import LinearPart, MetaModel
from trust_seg_ros.types import SegmentTable


def small_model() -> MetaModel:
    return MetaModel(
        features=("E", "S"),
        means=np.array([0.5, 100.0]),
        scales=np.array([0.1, 50.0]),
        classifier=LinearPart(np.array([2.0, -1.0]), 0.5),
        regressor=LinearPart(np.array([-0.3, 0.1]), 0.6),
        network="embedded",
        class_names=("road", "car"),
        ranges=np.array([[0.0, 1.0], [1.0, 500.0]]),
        summary={"segments": 7},
    )


def table_of(metrics) -> SegmentTable:
    n = len(metrics)
    zeros = np.zeros(n, np.int64)
    return SegmentTable(
        np.zeros((1, 1), np.int32),
        zeros.astype(np.uint8),
        np.zeros((n, 4), np.int32),
        zeros,
        zeros,
        ("S", "E"),
        np.asarray(metrics, np.float64).reshape(n, 2),
    )
