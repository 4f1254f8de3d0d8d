"""Films in which little happens: one view for a while, then another."""

import cv2
import numpy as np

from trust_seg_ros.synthetic import training_sample

SIZE, RATE = (120, 160), 10


def view(seed):
    """A drawn street (H, W, 3) uint8 RGB."""
    return training_sample(seed, SIZE)[0]


def film(path, seeds, frames):
    """Of each seed's view so many frames, each a little noisier or brighter than the last, as a camera's are."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), RATE, SIZE[::-1])
    rng = np.random.default_rng(0)
    for seed in seeds:
        image = view(seed).astype(np.int16)
        for _ in range(frames):
            noisy = np.clip(image + rng.integers(-2, 3, image.shape), 0, 255).astype(np.uint8)
            writer.write(np.ascontiguousarray(noisy[..., ::-1]))
    writer.release()
    return path
