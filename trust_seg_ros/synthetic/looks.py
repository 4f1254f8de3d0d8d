"""Scenes in other looks than the drive's own: painted over, by many cameras, with faults of lenses and codecs."""

from __future__ import annotations

import numpy as np

from trust_seg_ros.synthetic.camera_faults import camera_faults
from trust_seg_ros.synthetic.drive import training_sample
from trust_seg_ros.synthetic.repaint import TRAINING, UNSEEN, repainted

LOOKS = ("own", "painted", "unseen")
"""Names of the looks: the drive's own; painted over as in training from scenes alone; painted over with patterns that
this training never uses, to judge by."""


def scene_in_look(
    seed: int,
    size: tuple[int, int],
    unknowns: tuple[str, ...] = (),
    unknown_rate: float = 1.5,
    weather: str | None = None,
    look: str = "own",
) -> tuple[np.ndarray, np.ndarray]:
    """A scene as ``training_sample`` draws it, in one of ``LOOKS``.

    In the looks other than "own", scenes with even seeds are seen by the car's camera, the others by another one.

    Raises:
        SyntheticDriveError: as ``training_sample`` does.
    """
    if look == "own":
        return training_sample(seed, size, unknowns, unknown_rate, weather)
    image, labels = training_sample(seed, size, unknowns, unknown_rate, weather, float(seed % 2))
    rng = np.random.default_rng((seed, 1))
    return camera_faults(repainted(image, labels, rng, TRAINING if look == "painted" else UNSEEN), rng), labels
