"""Semantic segmentation models of transformers, small and with random weights that say something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from image_processor_cases import CASES, Case

_NAMES = {"id2label": {0: "road", 1: "car", 2: "sky"}, "label2id": {"road": 0, "car": 1, "sky": 2}}
_STAGES = [f"stage{index}" for index in range(1, 5)]
_HEAD = {"hidden_size": 16, "auxiliary_channels": 8, "pool_scales": [1, 2]}


def _vit(side: int) -> dict[str, Any]:
    return {
        "hidden_size": 16,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "image_size": side,
        "patch_size": 16,
    }


def _beit(side: int) -> dict[str, Any]:
    return {**_vit(side), "out_indices": [1, 2, 3, 4], "use_auxiliary_head": False, "pool_scales": [1, 2], **_NAMES}


def _segformer(t: Any) -> Any:
    sizes = {"depths": [1] * 4, "hidden_sizes": [8, 16, 24, 32], "num_attention_heads": [1, 1, 2, 4]}
    return t.SegformerForSemanticSegmentation(t.SegformerConfig(**sizes, decoder_hidden_size=16, **_NAMES))


def _mobilevit(t: Any) -> Any:
    sizes = {"hidden_sizes": [16, 16, 16], "neck_hidden_sizes": [8, 8, 8, 8, 8, 8, 16], "aspp_out_channels": 16}
    return t.MobileViTForSemanticSegmentation(t.MobileViTConfig(**sizes, num_attention_heads=2, **_NAMES))


def _mobilevitv2(t: Any) -> Any:
    config = t.MobileViTV2Config(width_multiplier=0.25, aspp_out_channels=16, **_NAMES)
    return t.MobileViTV2ForSemanticSegmentation(config)


def _mobilenet(t: Any) -> Any:
    return t.MobileNetV2ForSemanticSegmentation(t.MobileNetV2Config(depth_multiplier=0.25, **_NAMES))


def _dpt(t: Any) -> Any:
    neck = {"backbone_out_indices": [0, 1, 2, 3], "neck_hidden_sizes": [8] * 4, "fusion_hidden_size": 8}
    config = t.DPTConfig(**_vit(128), **neck, use_auxiliary_head=False, semantic_classifier_dropout=0.0, **_NAMES)
    return t.DPTForSemanticSegmentation(config)


def _upernet(t: Any, backbone: Any) -> Any:
    return t.UperNetForSemanticSegmentation(
        t.UperNetConfig(backbone_config=backbone, use_auxiliary_head=False, **_HEAD, **_NAMES)
    )


def _convnext(t: Any) -> Any:
    return _upernet(t, t.ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, out_features=_STAGES))


def _swin(t: Any) -> Any:
    return _upernet(t, t.SwinConfig(embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, out_features=_STAGES))


_MAKERS: dict[str, Callable[[Any], Any]] = {
    "SegFormer": _segformer,
    "SegFormer, older file": _segformer,
    "MobileViT": _mobilevit,
    "MobileViTv2": _mobilevitv2,
    "MobileNetV2": _mobilenet,
    "DPT": _dpt,
    "BEiT": lambda t: t.BeitForSemanticSegmentation(t.BeitConfig(**_beit(128))),
    "Data2VecVision": lambda t: t.Data2VecVisionForSemanticSegmentation(t.Data2VecVisionConfig(**_beit(224))),
    "UperNet on ConvNeXt": _convnext,
    "UperNet on Swin": _swin,
}
NAMES = tuple(_MAKERS)


def make(name: str) -> tuple[Any, Case]:
    """A model in evaluation mode, and what its processor's file says."""
    import transformers

    torch.manual_seed(0)
    model = _MAKERS[name](transformers).eval()
    for parameter in model.parameters():  # the usual 0.02 makes logits that are zero up to rounding
        torch.nn.init.normal_(parameter, std=0.2)
    return model, next(case for case in CASES if case.name == name)
