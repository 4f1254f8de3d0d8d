"""Small mask networks of Hugging Face with random weights, as folders that ``save_pretrained`` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

KINDS = ("maskformer", "mask2former", "oneformer", "eomt", "eomt_padded")
"""What :func:`save` makes; the last one is an EoMT whose images are padded instead of cut."""
SIDE = 64
"""Side of EoMT's squares; shorter side of the images of the others."""
QUERIES = 6

_SWIN: dict[str, Any] = {
    "embed_dim": 8,
    "depths": [1, 1, 1, 1],
    "num_heads": [1, 1, 2, 2],
    "window_size": 4,
    "image_size": SIDE,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}


def make(kind: str, names: tuple[str, ...], **options: Any) -> Any:
    """A model with the classes ``names``, in evaluation mode; its weights are spread so that classes vary."""
    import transformers

    torch.manual_seed(0)
    labels: dict[str, Any] = {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}}
    swin = transformers.SwinConfig(**_SWIN)
    if kind == "maskformer":
        decoder = transformers.DetrConfig(
            d_model=32, encoder_layers=1, decoder_layers=3, encoder_attention_heads=2, decoder_attention_heads=2,
            encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=QUERIES, use_pretrained_backbone=False,
        )  # fmt: skip
        config = transformers.MaskFormerConfig(
            backbone_config=swin, decoder_config=decoder, fpn_feature_size=32, mask_feature_size=32, **labels, **options
        )
        model = transformers.MaskFormerForInstanceSegmentation(config)
    elif kind == "mask2former":
        config = transformers.Mask2FormerConfig(
            backbone_config=swin, feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=16,
            encoder_layers=1, decoder_layers=2, num_attention_heads=2, dim_feedforward=16, num_queries=QUERIES,
            **labels, **options,
        )  # fmt: skip
        model = transformers.Mask2FormerForUniversalSegmentation(config)
    elif kind == "oneformer":
        config = transformers.OneFormerConfig(
            backbone_config=swin, num_queries=QUERIES, conv_dim=32, mask_dim=32, hidden_dim=32,
            encoder_feedforward_dim=16, dim_feedforward=16, encoder_layers=1, decoder_layers=2, num_attention_heads=2,
            query_dec_layers=2, text_encoder_width=16, text_encoder_num_layers=1, task_seq_len=77,
            **labels, **options,
        )  # fmt: skip
        model = transformers.OneFormerForUniversalSegmentation(config)
    else:
        config = transformers.EomtConfig(
            hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE, patch_size=16, num_blocks=1,
            num_queries=QUERIES, num_register_tokens=1, mlp_ratio=2, **labels, **options,
        )  # fmt: skip
        model = transformers.EomtForUniversalSegmentation(config)
    return _spread(model.eval(), kind)


@torch.no_grad()
def _spread(model: Any, kind: str) -> Any:
    """Last layers that give every query its own mask and classes: as they are drawn, all queries say the same."""
    last = _LAST[kind]
    heads = [model.get_submodule(name) for name in last]
    width = SIDE if kind.startswith("eomt") else SIDE + 32
    coarse = torch.randn((1, 3, SIDE // 16, width // 16), generator=torch.Generator().manual_seed(1))
    pixels = torch.nn.functional.interpolate(2 * coarse, (SIDE, width), mode="bilinear")
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            module.weight.normal_(0.0, module.in_features**-0.5)
    for name, parameter in model.named_parameters():
        if name.endswith("queries_embedder.weight"):
            parameter.mul_(30.0)
    centre = _mean_features(model, kind, heads[0], pixels)
    for head in heads:
        seen: list[torch.Tensor] = []
        handle = head.register_forward_hook(lambda _m, inputs, _out, seen=seen: seen.append(inputs[0]))
        forward(model, kind, pixels)
        handle.remove()
        told = seen[-1].reshape(QUERIES, -1).double()
        told = torch.cat([told, torch.ones(QUERIES, 1)], 1)
        wanted = 2 * torch.randn(QUERIES, head.out_features, dtype=torch.float64)
        if head is heads[1]:
            wanted = 5 * torch.eye(head.out_features, dtype=torch.float64).repeat(QUERIES, 1)[:QUERIES]
        else:  # masks that are neither 0 nor 1 everywhere
            wanted -= (wanted @ centre)[:, None] * centre / centre.square().sum()
        solved = torch.linalg.pinv(told, rtol=1e-2) @ wanted
        head.weight.copy_(solved[:-1].T)
        head.bias.copy_(solved[-1])
        if head is heads[0]:
            spread = float(forward(model, kind, pixels).masks_queries_logits.std())
            head.weight.mul_(3 / spread)
            head.bias.mul_(3 / spread)
    return model


@torch.no_grad()
def _mean_features(model: Any, kind: str, head: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Mean of the features that masks are products of: the mean of a mask is linear in its embedding."""
    head.weight.zero_()
    means = []
    for unit in torch.eye(head.out_features):
        head.bias.copy_(unit)
        means.append(forward(model, kind, pixels).masks_queries_logits.mean())
    return torch.stack(means).double()


def forward(model: Any, kind: str, pixels: torch.Tensor, task: torch.Tensor | None = None) -> Any:
    """The answer of a model to (B, 3, h, w)."""
    more = {} if kind != "oneformer" else {"task_inputs": torch.ones(len(pixels), 77) if task is None else task}
    with torch.no_grad():
        return model(pixel_values=pixels, **more)


_LAST = {
    "maskformer": ("mask_embedder.2.0", "class_predictor"),
    "mask2former": ("model.transformer_module.decoder.mask_predictor.mask_embedder.2.0", "class_predictor"),
    "oneformer": (
        "model.transformer_module.decoder.mask_embed.layers.2.0",
        "model.transformer_module.decoder.class_embed",
    ),
    "eomt": ("mask_head.fc3", "class_predictor"),
    "eomt_padded": ("mask_head.fc3", "class_predictor"),
}
"""Kind -> the last layers of its masks and of its classes."""


def settings(kind: str) -> dict[str, Any]:
    """Content of a preprocessor_config.json as it is published for such a model, with smaller sizes."""
    if kind == "eomt":
        return {
            "image_processor_type": "EomtImageProcessor",
            "do_split_image": True,
            "do_pad": False,
            "size": {"shortest_edge": SIDE, "longest_edge": None},
        }
    if kind == "eomt_padded":
        return {
            "image_processor_type": "EomtImageProcessor",
            "do_split_image": False,
            "do_pad": True,
            "size": {"shortest_edge": SIDE, "longest_edge": SIDE},
        }
    name = {"maskformer": "MaskFormer", "mask2former": "Mask2Former", "oneformer": "OneFormer"}[kind]
    return {"image_processor_type": f"{name}ImageProcessor", "size": {"shortest_edge": SIDE, "longest_edge": 4 * SIDE}}


def save(kind: str, folder: Path, names: tuple[str, ...], **options: Any) -> Any:
    """Write such a model, its processor's file and what else it needs into a folder.

    Returns:
        The model.
    """
    model = make(kind, names, **options)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings(kind)))
    if kind == "oneformer":
        write_tokenizer(folder)
    return model


def write_tokenizer(folder: Path) -> None:
    """CLIP's tokenizer with a vocabulary of letters alone."""
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
