"""Image processors of Hugging Face and what files say of them; run it for the table in docs/network_contract.md.

The files are such as lie beside published checkpoints, with smaller sizes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from trust_seg_ros.segmentation.image_processors import input_spec_of
from trust_seg_ros.segmentation.preprocess import preprocess
from trust_seg_ros.segmentation.scenes import scene_image

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """A kind of model, the content of its preprocessor_config.json, and a picture that needs no resizing."""

    name: str
    kind: str
    settings: dict[str, Any] = field(repr=False)
    same: tuple[int, int]


CASES = (
    Case("SegFormer", "segformer", {"image_processor_type": "SegformerImageProcessor"}, (512, 512)),
    Case(
        "SegFormer, older file",
        "segformer",
        {"feature_extractor_type": "SegformerFeatureExtractor", "size": 128, "reduce_labels": True},
        (128, 128),
    ),
    Case(
        "MobileViT",
        "mobilevit",
        {
            "feature_extractor_type": "MobileViTFeatureExtractor",
            "size": 128,
            "crop_size": 128,
            "do_center_crop": True,
            "do_flip_channel_order": True,
        },
        (128, 192),
    ),
    Case(
        "MobileViTv2",
        "mobilevitv2",
        {"image_processor_type": "MobileViTImageProcessor", "size": {"shortest_edge": 128}, "do_center_crop": False},
        (128, 160),
    ),
    Case(
        "MobileNetV2",
        "mobilenet_v2",
        {
            "image_processor_type": "MobileNetV2ImageProcessor",
            "size": {"shortest_edge": 128},
            "crop_size": {"height": 96, "width": 96},
        },
        (128, 160),
    ),
    Case(
        "DPT",
        "dpt",
        {"feature_extractor_type": "DPTFeatureExtractor", "size": 128, "ensure_multiple_of": 32},
        (128, 128),
    ),
    Case(
        "DPT, aspect kept",
        "",
        {
            "image_processor_type": "DPTImageProcessor",
            "size": 128,
            "keep_aspect_ratio": True,
            "ensure_multiple_of": 32,
        },
        (128, 192),
    ),
    Case(
        "BEiT",
        "beit",
        {"feature_extractor_type": "BeitFeatureExtractor", "size": 128, "crop_size": 128, "do_center_crop": False},
        (128, 128),
    ),
    Case("Data2VecVision", "data2vec-vision", {"image_processor_type": "BeitImageProcessor"}, (224, 224)),
    Case(
        "UperNet on ConvNeXt",
        "upernet",
        {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}},
        (384, 384),
    ),
    Case(
        "UperNet on Swin",
        "upernet",
        {"image_processor_type": "ViTImageProcessor", "size": {"height": 128, "width": 96}, "image_std": 0.25},
        (128, 96),
    ),
    Case(
        "DeiT",
        "",
        {"image_processor_type": "DeiTImageProcessor", "size": 128, "do_center_crop": False, "do_rescale": False},
        (128, 128),
    ),
    Case(
        "EfficientNet",
        "",
        {
            "image_processor_type": "EfficientNetImageProcessor",
            "size": {"height": 96, "width": 128},
            "rescale_factor": 1 / 127.5,
            "rescale_offset": True,
        },
        (96, 128),
    ),
)


def ours(case: Case, image: np.ndarray) -> np.ndarray:
    """What reaches the network here: (3, h, w)."""
    return preprocess(image, input_spec_of(case.settings, case.name, case.kind), CPU)[0].numpy()


def theirs(case: Case, image: np.ndarray) -> np.ndarray:
    """What the processor of transformers makes of the image: (3, h, w); its Pillow variant where there are two."""
    import transformers

    name = case.settings.get("image_processor_type", case.settings.get("feature_extractor_type"))
    name = name.replace("FeatureExtractor", "ImageProcessor")
    made = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    settings = {key: value for key, value in case.settings.items() if not key.endswith("_type")}
    return np.asarray(made(**settings)(image, return_tensors="np")["pixel_values"][0])


def difference(case: Case, image: np.ndarray) -> np.ndarray:
    """|ours - theirs| on what both see: the centre, where their processor cuts it out."""
    mine, other = ours(case, image), theirs(case, image)
    top, left = ((a - b) // 2 for a, b in zip(mine.shape[1:], other.shape[1:], strict=True))
    return np.abs(mine[:, top : top + other.shape[1], left : left + other.shape[2]] - other)


def table() -> str:
    """The differences as a table, in units of the network's input."""
    rows = [
        "| | same size, largest | resized, largest | resized, mean | deviation of the input |",
        "|---|---|---|---|---|",
    ]
    for case in CASES:
        same = difference(case, scene_image(case.same))
        image = scene_image((case.same[0] * 3, case.same[1] * 3))
        other, spread = difference(case, image), ours(case, image).std()
        rows.append(f"| {case.name} | {same.max():.1e} | {other.max():.2f} | {other.mean():.3f} | {spread:.2f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
