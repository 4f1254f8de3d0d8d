"""A small mask network: it sees three colours with nine queries, left, middle and right of the picture."""

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
        place = torch.linspace(0.0, 1.0, small.shape[1])
        masks, probabilities = [], []
        for c in range(3):
            for third in (0.17, 0.5, 0.83):
                near = 3.0 - 80.0 * (place - third).square()
                masks.append((12.0 * (colour[c] - colour.mean(0)) + near).sigmoid())
                probabilities.append(torch.eye(4)[c] * 3.0 + torch.tensor([0.0, 0.3, 0.1, 0.6 + third]))
        masks.append((8.0 * (0.2 - colour.amax(0))).sigmoid())  # dark: no object
        probabilities.append(torch.tensor([0.2, 0.1, 0.0, 3.0]))
        p, m = torch.stack(probabilities).softmax(1)[:, :-1].contiguous(), torch.stack(masks)
        sums = torch.einsum("qc,qhw->chw", p, m)
        return LogitMaps(sums, (height, width), raw=False, linear=True, queries=MaskQueries(p, m))
