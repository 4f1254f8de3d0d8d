"""Labels that are numbered in another way than the network's classes are found on the first images.

CamVid's ids under a network of Cityscapes are valid ids: nothing is out of range, and every number computed from them
is wrong. What gives them away is that another assignment of ids to classes explains them well. A network that is merely
bad agrees with no assignment: its agreement beyond chance (Cohen's kappa) stays low whatever the ids are called.
Measured on CamVid and photographs of streets, 8 images: ids of another numbering reach a kappa of 0.74 to 0.91 under
the best assignment, 80 networks with random weights at most 0.34.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from trust_seg_ros.datasets.errors import DatasetError, LabelsContradictError
from trust_seg_ros.datasets.folders import LabelledFolder
from trust_seg_ros.datasets.label_map import FROM_ONE, IGNORE
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.types import UNLABELLED
from trust_seg_ros.uncertainty import uncertainty_maps

IMAGES = 8
"""Most images that are looked at, spread over the data set."""
HARDLY = 0.1
"""Pixel accuracy below which labels and network hardly agree."""
CLEARLY = 0.5
"""Kappa of the best assignment from which the labels are numbered otherwise; accuracy from which they fit."""
_FEWEST = 1000  # labelled pixels that say something
_AHEAD = 0.25  # of the best assignment before the given one, from which it is worth a remark
_SEEN = 0.1  # of a label's pixels must be predicted as a class, and
_OFTENER = 5  # times more often than elsewhere, to suggest it although another is more frequent there
_SHOWN = 4
Predict = Callable[[np.ndarray], np.ndarray]
"""Image (H, W, 3) uint8 RGB -> predicted classes (H, W) uint8, 255 = none."""


@dataclass(frozen=True, eq=False)
class LabelFit:
    """How well labels and predictions agree, as they are numbered and under the best other numbering.

    Attributes:
        counts: (q, q) int64 pixels, rows = label, columns = predicted class.
        names: of the q classes.
        images: number of images counted.
    """

    counts: np.ndarray
    names: tuple[str, ...]
    images: int

    @property
    def pixels(self) -> int:
        """Number of labelled pixels with a predicted class."""
        return int(self.counts.sum())

    @property
    def accuracy(self) -> float:
        """Share of pixels whose label is the predicted class."""
        return float(np.trace(self.counts) / max(self.pixels, 1))

    def best(self) -> tuple[float, float]:
        """Accuracy and kappa if every label stood for the class that suits it best, each class taken once."""
        if not self.pixels:
            return 0.0, 0.0
        share, assigned = self.counts / self.pixels, self._assigned()
        accuracy = float(share[np.arange(len(share)), assigned].sum())
        chance = float((share.sum(1) * share.sum(0)[assigned]).sum())
        return accuracy, (accuracy - chance) / (1 - chance) if chance < 1 else 0.0

    def _assigned(self) -> np.ndarray:
        """(q,) class of every label, each class taken once, so that most pixels agree."""
        return np.asarray(linear_sum_assignment(-self.counts)[1])

    @property
    def contradicts(self) -> bool:
        """The labels are numbered in another way than the network's classes."""
        return self.pixels >= _FEWEST and self.accuracy < HARDLY and self.best()[1] >= CLEARLY

    @property
    def one_ahead(self) -> bool:
        """Label n lies where the network says class n - 1, and label 0 is not clearly the last class."""
        rest, last = self.counts[1:], self.counts[0, -1]
        moved = np.trace(rest) >= 0.9 * self.best()[0] * max(rest.sum(), 1)
        return bool(moved and last <= CLEARLY * self.counts[0].sum())

    def words(self) -> list[str]:
        """The labels of most pixels in words: what they say, and what the network says there."""
        order = [int(label) for label in np.argsort(-self.counts.sum(1), kind="stable") if self.counts[label].any()]
        return [
            f"label {label} ({self.names[label]!r}) lies where the network says {self.names[c]!r} ({share:.0%})"
            for label, (c, share) in ((label, self._usual(label)) for label in order[:_SHOWN])
        ]

    def suggestion(self) -> str:
        """The label map that the predictions suggest, as YAML."""
        lines = ["map:"]
        for label, c in enumerate(self._assigned().tolist()):
            size, hits = self.counts[label].sum(), self.counts[label, c]
            if not size:
                continue
            usual, share = self._usual(label)
            if hits >= _SEEN * size and hits * self.pixels >= _OFTENER * size * self.counts[:, c].sum():
                name, why = self.names[c], f"predicted on {hits / size:.0%} of its pixels"
            elif share >= CLEARLY:
                name, why = self.names[usual], f"predicted on {share:.0%} of its pixels"
            else:
                name, why = "", f"unclear: {self.names[usual]!r} is predicted on {share:.0%} of its pixels"
            lines.append(f"  {label}: {json.dumps(name, ensure_ascii=False) if name else IGNORE}  # {why}")
        return "\n".join(lines)

    def _usual(self, label: int) -> tuple[int, float]:
        """The class predicted most on a label, and its share of the label's pixels."""
        row = self.counts[label]
        return int(row.argmax()), float(row.max() / row.sum())


def label_fit(predict: Predict, folder: LabelledFolder, names: Sequence[str], images: int = IMAGES) -> LabelFit:
    """Compare labels and predictions of a few images, fewer if the first ones agree; unreadable ones are left out.

    Raises:
        TrustSegError: the network fails.
    """
    q = len(names)
    counts, seen = np.zeros((q, q), np.int64), 0
    places = np.unique(np.linspace(0, len(folder) - 1, images).round().astype(int)).tolist() if len(folder) else []
    for place in places:
        try:
            image, truth = folder.read(folder.samples[place])
        except DatasetError:  # told where the image is used
            continue
        classes = predict(image)
        known = (truth != UNLABELLED) & (classes != UNLABELLED)
        flat = truth[known].astype(np.int64) * q + classes[known]
        counts += np.bincount(flat, minlength=q * q).reshape(q, q)
        seen += 1
        if counts.sum() >= _FEWEST and np.trace(counts) >= CLEARLY * counts.sum():
            break
    return LabelFit(counts, tuple(names), seen)


def check_labels(
    predict: Predict, folder: LabelledFolder, names: Sequence[str], what: str, accept: bool = False
) -> str:
    """Refuse labels that are numbered in another way than the network's classes.

    Args:
        predict: the network.
        folder: the labelled images; up to ``IMAGES`` of them are looked at.
        names: of the network's classes.
        what: name of the data set, for messages.
        accept: do not refuse.

    Returns:
        A remark on labels that fit badly; "" if they fit.

    Raises:
        LabelsContradictError: below ``HARDLY`` of the labelled pixels have the predicted class, while another
            assignment of labels to classes agrees clearly; the text says which. Never for fewer than 1,000 pixels.
        TrustSegError: the network fails.
    """
    if folder.classes != len(names):  # refused elsewhere, with the reason
        return ""
    fit = label_fit(predict, folder, names)
    if fit.contradicts and not accept:
        raise LabelsContradictError(f"{what}: {_contradiction(fit, folder)}")
    return f"{what}: {text}" if (text := _remark(fit)) else ""


def classes_of(network: SegmentationNetwork) -> Predict:
    """Predictions of a network for :func:`check_labels`."""
    return lambda image: uncertainty_maps(network.infer(image)).classes.numpy(force=True)


def _measured(fit: LabelFit) -> str:
    number = "one image" if fit.images == 1 else f"{fit.images} images"
    return f"on {number} the network predicts the labelled class of {fit.accuracy:.1%} of the pixels"


def _contradiction(fit: LabelFit, folder: LabelledFolder) -> str:
    joined = "\n  ".join(fit.words())
    text = (
        f"the labels contradict the network. {_measured(fit)[0].upper()}{_measured(fit)[1:]}; were they numbered "
        f"otherwise, it would be {fit.best()[0]:.1%}:\n  {joined}\n"
    )
    anyway = "To go on all the same: --accept-labels"
    if folder.label_map is not None:
        return f"{text}These are the classes that {folder.label_map.name} gives: check it. {anyway}"
    if fit.one_ahead:
        return f"{text}The ids seem to count from 1, with 0 for no class: give --label-map {FROM_ONE}. {anyway}"
    return (
        f"{text}Is --labels the label set of the network, and are these its ids? If they are those of another data "
        f"set, map them: --label-map FILE, where the file says what each stands for. Judging by the predictions, and "
        f"to be checked:\n\n{fit.suggestion()}\n\n{anyway}"
    )


def _remark(fit: LabelFit) -> str:
    if fit.pixels < _FEWEST:
        return ""
    accuracy, kappa = fit.best()
    if kappa >= CLEARLY and accuracy - fit.accuracy >= _AHEAD:
        words = ", ".join(fit.words())
        return f"{_measured(fit)}; were the labels numbered otherwise, it would be {accuracy:.1%}: {words}"
    if fit.accuracy < HARDLY:
        return (
            f"{_measured(fit)}, and no other numbering of the labels explains that: are labels, --labels, --mean, "
            "--std and --order those of this network?"
        )
    return ""
