"""Fitting of the linear meta models on a labelled folder (MetaSeg, Rottmann et al., section III)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trust_seg_ros.datasets.folders import LabelledFolder
from trust_seg_ros.meta.data import SegmentData
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.model import LinearPart, MetaModel, portable_name
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.segments import segment_table, targets
from trust_seg_ros.types import Json
from trust_seg_ros.uncertainty import uncertainty_maps


def collect(
    network: SegmentationNetwork,
    folder: LabelledFolder,
    features: str = "metaseg",
    tick: Callable[[], None] = lambda: None,
) -> SegmentData:
    """Run a network over a labelled folder; metrics and targets of every segment with an interior.

    Args:
        network: the network whose mistakes are to be learned.
        folder: images with ground truth; ignored pixels are removed before components are taken.
        features: name of the feature set.
        tick: called after every image.

    Raises:
        MetaModelError: network and folder differ in their number of classes, or no segment was found.
    """
    if folder.classes != len(network.labels.names):
        raise MetaModelError(f"the data set has {folder.classes} classes, the network {len(network.labels.names)}")
    metrics, iou, iou_adj, image, class_ids, names = [], [], [], [], [], ()
    for index, sample in enumerate(folder):
        picture, truth = folder.read(sample)
        logits = network.infer(picture)
        table = segment_table(uncertainty_maps(logits), logits, features, ground_truth=truth)
        keep = table.interior_sizes > 0
        names = table.names
        metrics.append(table.metrics[keep])
        found = targets(table, truth)
        iou.append(found.iou[keep])
        iou_adj.append(found.iou_adj[keep])
        class_ids.append(table.class_ids[keep])
        image.append(np.full(int(keep.sum()), index, np.int32))
        tick()
    if not metrics or not sum(map(len, metrics)):
        raise MetaModelError("the data set gave no segment with an interior")
    return SegmentData(
        names,
        *(np.concatenate(part) for part in (metrics, iou, iou_adj, class_ids, image)),
        images=tuple(sample.name for sample in folder),
        drives=tuple(sample.drive for sample in folder),
        network=portable_name(network.name),
        class_names=tuple(network.labels.names),
    )


def fit(data: SegmentData, summary: Json | None = None) -> MetaModel:
    """Unpenalised logistic regression of IoU_adj = 0 and linear regression of IoU_adj, on standardised metrics.

    Raises:
        MetaModelError: no false positive, or nothing but false positives: there is nothing to tell apart.
    """
    from sklearn.linear_model import LinearRegression, LogisticRegression

    wrong = data.false_positive
    if wrong.all() or not wrong.any():
        raise MetaModelError(
            f"{int(wrong.sum())} of {wrong.size} segments are false positives; a classifier needs both kinds"
        )
    means, scales = data.metrics.mean(0), data.metrics.std(0)
    scales = np.where(scales > 0, scales, 1.0)
    x = (data.metrics - means) / scales
    classifier = LogisticRegression(C=np.inf, max_iter=5000, tol=1e-6).fit(x, wrong)
    regressor = LinearRegression().fit(x, data.iou_adj)
    return MetaModel(
        features=data.names,
        means=means,
        scales=scales,
        classifier=LinearPart(classifier.coef_[0], float(classifier.intercept_[0])),
        regressor=LinearPart(regressor.coef_, float(regressor.intercept_)),
        network=data.network,
        class_names=data.class_names,
        ranges=np.stack([data.metrics.min(0), data.metrics.max(0)], 1),
        summary={"images": len(np.unique(data.image)), "segments": len(wrong), **(summary or {})},
    )


def scores(model: MetaModel, data: SegmentData) -> dict[str, float]:
    """How well a model does on segments: accuracy and AUROC of the classifier, R² and residual σ of the regressor.

    ``majority`` is the accuracy of always answering the more frequent kind.
    """
    from sklearn.metrics import roc_auc_score

    x = (data.metrics - model.means) / model.scales
    logit, iou = model.classifier(x), np.clip(model.regressor(x), 0, 1)
    wrong, residual = data.false_positive, data.iou_adj - iou
    return {
        "accuracy": float(((logit >= 0) == wrong).mean()),
        "majority": float(max(wrong.mean(), 1 - wrong.mean())),
        "auroc": float(roc_auc_score(wrong, logit)) if 0 < wrong.sum() < wrong.size else float("nan"),
        "r2": float(1 - (residual**2).sum() / ((data.iou_adj - data.iou_adj.mean()) ** 2).sum()),
        "sigma": float(residual.std()),
    }
