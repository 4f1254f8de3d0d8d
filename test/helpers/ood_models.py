"""An OoD meta model whose verdict can be worked out by hand: the larger a segment, the likelier it is an object."""

import numpy as np

from trust_seg_ros.meta import LinearPart
from trust_seg_ros.meta.ood import OodModel


def size_model(network, class_names, score="entropy", threshold=0.7, even=100.0):
    """P(OoD) = 1 / (1 + exp(-(S - even) / 50)) for a segment of S pixels."""
    return OodModel(
        features=("S",),
        means=np.array([even]),
        scales=np.array([50.0]),
        classifier=LinearPart(np.array([-1.0]), 0.0),
        ranges=np.array([[1.0, 1e6]]),
        network=network,
        class_names=tuple(class_names),
        score=score,
        threshold=threshold,
    )
