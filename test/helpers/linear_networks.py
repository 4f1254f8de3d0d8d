"""A small mask network: it sees three colours, each with a query for every place of a coarse grid."""

from itertools import product

import cv2
import numpy as np
import torch

from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.segmentation.protocol import InputSpec
from trust_seg_ros.types import LogitMaps, MaskQueries


class Masks:
    """Class sums and queries at half the size of the image, as transformers' mask networks give them."""

    name, raw = "linear_networks:Masks", False
    labels = LabelSet("colours", ("red", "green", "blue"), ignore=9)
    device, input_spec = torch.device("cpu"), InputSpec(stride=2)

    def warm_up(self, size):
        self.infer(np.zeros((*size, 3), np.uint8))

    def infer(self, image):
        height, width = image.shape[:2]
        small = cv2.resize(image, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA)
        colour = torch.from_numpy(np.ascontiguousarray(small)).permute(2, 0, 1).float() / 255 - 0.5
        y, x = (torch.linspace(0.0, 1.0, side) for side in small.shape[:2])
        masks, probabilities = [], []
        for number, (row, column, c) in enumerate(product(range(6), range(8), range(3))):
            away = (6 * y[:, None] - row - 0.5).square() + (8 * x - column - 0.5).square()
            masks.append((12.0 * (colour[c] - colour.mean(0)) + 3.0 - 6.0 * away).sigmoid())
            probabilities.append(torch.eye(4)[c] * 3.0 + torch.tensor([0.0, 0.3, 0.1, 0.3 + number / 100]))
        masks.append((8.0 * (0.2 - colour.amax(0))).sigmoid())  # dark: no object
        probabilities.append(torch.tensor([0.2, 0.1, 0.0, 3.0]))
        p, m = torch.stack(probabilities).softmax(1)[:, :-1].contiguous(), torch.stack(masks)
        sums = torch.einsum("qc,qhw->chw", p, m)
        return LogitMaps(sums, (height, width), raw=False, linear=True, queries=MaskQueries(p, m))
