"""Confusion matrix of classes and the IoU it gives."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.types import UNLABELLED


class ConfusionMatrix:
    """Counts of (true class, predicted class) over a data set.

    Pixels without ground truth are left out; a pixel predicted as unlabelled counts as a miss of its true class.

    Attributes:
        counts: (q, q + 1) int64, rows = truth, columns = prediction, the last column = unlabelled.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.counts = np.zeros((classes, classes + 1), np.int64)

    def add(self, truth: np.ndarray, predicted: np.ndarray) -> None:
        """Count one image; both (H, W) uint8 with 255 = none."""
        valid = truth != UNLABELLED
        columns = np.where(predicted == UNLABELLED, self.classes, predicted)[valid].astype(np.int64)
        flat = truth[valid].astype(np.int64) * (self.classes + 1) + columns
        self.counts += np.bincount(flat, minlength=self.counts.size).reshape(self.counts.shape)

    def iou(self) -> np.ndarray:
        """(q,) float64 in [0, 1]; NaN for a class that neither occurs nor is predicted."""
        hit = np.diag(self.counts).astype(np.float64)
        union = self.counts.sum(1) + self.counts[:, :-1].sum(0) - hit
        return np.divide(hit, union, out=np.full(self.classes, np.nan), where=union > 0)

    def mean_iou(self) -> float:
        """Mean IoU over the classes that occur or are predicted."""
        return float(np.nanmean(self.iou()))

    def accuracy(self) -> float:
        """Share of labelled pixels predicted right."""
        return float(np.diag(self.counts).sum() / max(self.counts.sum(), 1))
