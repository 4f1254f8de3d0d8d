"""A look at a loaded network on made-up scenes: signs that images reach it in another form than it was trained on."""

from __future__ import annotations

import contextlib
import math
import time

import torch

from trust_seg_ros.segmentation.errors import SegmentationError
from trust_seg_ros.segmentation.preprocess import preprocess
from trust_seg_ros.segmentation.protocol import InputSpec, SegmentationNetwork
from trust_seg_ros.segmentation.scenes import scene_image

SCENES = 3
PATIENCE_S = 1.5
"""A slow network is shown fewer scenes, but two."""
SCENE_SIZE = (192, 256)
"""Scenes for a network that takes any size."""

CERTAIN = 0.02
"""Mean normalised entropy below which a network is certain of everything; the shipped ones have 0.3 to 0.6 here, and
0.003 to 0.015 where images are not scaled to 0..1."""
DEPENDS = 0.05
"""Share of the logits' deviation that comes from the image and not from the place in it; the shipped networks and
networks of random weights have 0.5 to 0.8."""
NOTHING = 0.02
"""Mean of the sum of a mask network's class sums below which it sees nothing; around 1 is usual."""
SPREAD = 100.0
"""Standard deviation of a scene as it reaches the network: 0.2 to 3 is usual, up to 80 for bytes as they are."""

_CHECK = "check mean, std, order and whether the network normalises by itself"


def implausible(network: SegmentationNetwork) -> tuple[str, ...]:
    """A sentence for every sign that the network does not see what it was trained on; none for a plausible one.

    Shows it up to ``SCENES`` scenes. Nothing is certain here: a network may be right to behave like this.
    """
    spec = network.input_spec
    found = [_spread(spec)]
    with contextlib.suppress(SegmentationError):  # a complete network may refuse pictures that are not its camera's
        found += _answers(network)
    return tuple(f"plausibility: {text}" for text in found if text)


def _spread(spec: InputSpec) -> str:
    spread = float(preprocess(scene_image(SCENE_SIZE), spec, torch.device("cpu")).float().std())
    if spread <= SPREAD:
        return ""
    return (
        f"a picture reaches the network with a standard deviation of {spread:.3g}, usual are 0.2 to 3; check mean "
        f"{spec.mean} and std {spec.std} for images scaled to 0..{255 * spec.scale:g}"
    )


@torch.inference_mode()
def _answers(network: SegmentationNetwork) -> list[str]:
    size = network.input_spec.size or network.input_spec.size_for(SCENE_SIZE)
    start, answers = time.monotonic(), []
    for seed in range(SCENES):
        maps = network.infer(scene_image(size, seed))
        answers.append(maps.logits.float())
        if len(answers) > 1 and time.monotonic() - start > PATIENCE_S:
            break
    if any(answer.shape != answers[0].shape for answer in answers):
        return []
    logits = torch.stack(answers)
    faulty = float((~logits.isfinite()).any(1).float().mean())
    if faulty:
        return [f"{100 * faulty:.3g} % of the pixels of made-up scenes get logits that are not finite"]
    if maps.linear and float(logits.sum(1).mean()) < NOTHING:
        return [f'the masks of the network hold nothing on made-up scenes, "no object" nearly everywhere; {_CHECK}']
    log_p = logits.clamp_min(1e-12).log() if maps.linear else logits
    log_p = log_p.log_softmax(1)  # of logarithms of class sums: each divided by their sum
    entropy = float(-(log_p.exp() * log_p).sum(1).mean()) / math.log(logits.shape[1])
    found = []
    if entropy < CERTAIN:
        found.append(
            f"the network is certain of everything, even of made-up scenes (mean entropy {entropy:.2g}); {_CHECK}"
        )
    elif bool((logits == logits[:, :1]).all()):
        found.append("the network says nothing: all classes get the same value; are its weights loaded?")
    elif _dependence(logits) < DEPENDS:
        found.append(f"the network's answer hardly depends on the image; {_CHECK}")
    return found


def _dependence(logits: torch.Tensor) -> float:
    """Deviation between images at one place over deviation altogether; logits are (images, q, h, w)."""
    between = (logits - logits.mean(0, keepdim=True)).square().mean()
    altogether = (logits - logits.mean((0, 2, 3), keepdim=True)).square().mean()
    return float((between / altogether).sqrt()) if altogether > 0 else 0.0
