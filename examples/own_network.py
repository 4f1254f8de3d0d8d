"""A network of your own: any torch module that answers with logits, and the names of its classes.

    python examples/own_network.py

The same text, "own_network:build", is what the node's parameter ``model`` takes when this folder is on PYTHONPATH.
"""

import torch
from torch import nn

from trust_seg_ros import Frame, PipelineSettings, TrustPipeline
from trust_seg_ros.segmentation import LabelSet
from trust_seg_ros.synthetic import training_sample


class Colours(nn.Module):
    """Tells what is blue, green or grey; stands for a network that has learned something."""

    labels = LabelSet("colours", ("sky", "green", "grey"))  # or the path of a YAML file: docs/networks.md
    mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)  # how it wants its input normalised
    stride = 8  # the sides of its input are multiples of this

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.AvgPool2d(8)
        self.head = nn.Conv2d(3, 3, 1)  # the last convolution: gradient scores find it by themselves
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[-2, 0, 2], [-1, 2, -1], [0, -1, -1]])[:, :, None, None])
            self.head.bias.copy_(torch.tensor([0.0, 0.0, 0.5]))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(1, 3, h, w) → logits (1, 3, h / 8, w / 8): raw, not upsampled, no softmax."""
        return self.head(self.body(pixels))


def build() -> nn.Module:
    """What the pipeline calls; load trained weights here."""
    return Colours()


def main() -> None:
    """Judge one image with it."""
    # A meta model belongs to one network. Until `trust-seg fit` has made one, "none": maps and flags of pixels only.
    pipeline = TrustPipeline.load(PipelineSettings(model="own_network:build", meta_model="none", device="cpu"))
    image, _ = training_sample(seed=3, size=(240, 320))
    result = pipeline(Frame(image))
    for k, name in enumerate(pipeline.labels.names):
        print(f"{name:6} {100 * (result.maps.classes == k).float().mean():5.1f} % of the image")
    print(f"mean entropy {result.maps.entropy.mean():.2f}; {len(result.segments)} segments; trust: {result.trust}")
    for score in ("energy", "gradient_onehot", "mc_dropout"):
        print(f"{score}: {pipeline.unavailable(score) or 'can be given'}")


if __name__ == "__main__":
    main()
