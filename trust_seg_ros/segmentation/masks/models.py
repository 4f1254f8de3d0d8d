"""Mask networks of Hugging Face ``transformers``, each combined as its own image processor does it.

Up to the class sums everything is what ``post_process_semantic_segmentation`` of transformers 5 does: MaskFormer,
OneFormer and DETR combine masks at the resolution that the network gives; Mask2Former resizes them to 384×384 before,
whatever the image; EoMT to the size of its input. The resizing is part of the module here, so that a graph of it needs
no rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from trust_seg_ros.segmentation.errors import ModelFileError
from trust_seg_ros.segmentation.failures import in_brief
from trust_seg_ros.segmentation.masks.queries import NAMES, read_masks
from trust_seg_ros.segmentation.protocol import InputSpec, Size

KINDS = ("maskformer", "mask2former", "oneformer", "eomt", "eomt_dinov3", "detr")
"""``model_type`` of the models that answer with masks and a class for each of them."""
MASK2FORMER_SIZE = (384, 384)
"""Size at which the image processor of Mask2Former combines masks."""
TASK = "the task is semantic"
"""What OneFormer's processor tells the network to do (Jain et al. 2023, section 3.1)."""
_TRAINING_ONLY = ("criterion.", "matcher.", "text_mapper.", "model.text_mapper.")


class MaskModel(nn.Module):
    """A mask network of ``transformers`` whose masks have the resolution at which they are combined.

    forward(pixels (B, 3, h, w)) -> a mapping with ``class_queries_logits`` (B, Q, K+1) and ``masks_queries_logits``
    (B, Q, h', w').
    """

    task: torch.Tensor | None

    def __init__(
        self,
        model: nn.Module,
        mask_size: Size | None = None,
        task: torch.Tensor | None = None,
        token_grid: Size | None = None,
    ) -> None:
        """Wrap a model.

        Args:
            model: of ``transformers``, in evaluation mode.
            mask_size: (h', w') that the masks are resized to; None = as the model gives them.
            task: (1, n), what OneFormer is told to do, as token ids; None for other models.
            token_grid: (h, w) of the tokens of an image, the last ones in the layers of EoMT; None for other models.
        """
        super().__init__()
        self.model = model
        self.mask_size = mask_size
        self.token_grid = token_grid
        self.register_buffer("task", task, persistent=False)

    def forward(self, pixels: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """Classes and masks, see the class."""
        if self.task is None:
            answer = read_masks(self.model(pixel_values=pixels))
        else:
            answer = read_masks(self.model(pixel_values=pixels, task_inputs=self.task.expand(len(pixels), -1)))
        assert answer is not None
        masks = answer.masks
        if self.mask_size is not None:
            masks = F.interpolate(masks, size=self.mask_size, mode="bilinear", align_corners=False)
        return dict(zip(NAMES[0], (answer.classes, masks), strict=True))


def load_mask_model(transformers: Any, source: str, options: Mapping[str, Any], config: Any) -> Any:
    """The model and the report of its loading, as ``from_pretrained`` gives them; keys for training alone may miss.

    Raises:
        Exception: whatever ``transformers`` raises.
    """
    model, report = transformers.AutoModelForUniversalSegmentation.from_pretrained(
        source,
        **options,
        config=config,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )
    missing = [key for key in report.get("missing_keys", ()) if not str(key).startswith(_TRAINING_ONLY)]
    return model, {**report, "missing_keys": missing}


def mask_model(
    transformers: Any, model: Any, input_spec: InputSpec, source: str, options: Mapping[str, Any], spec: str
) -> MaskModel:
    """A loaded model, ready to be asked for the semantic segmentation of images.

    Args:
        transformers: the library.
        model: in evaluation mode, in float32.
        input_spec: how an image becomes its input.
        source, options: where it was loaded from; OneFormer's tokenizer lies there, too.
        spec: its name, for errors.

    Raises:
        ModelFileError: OneFormer without its tokenizer, or EoMT in the middle of its training.
    """
    kind = str(model.config.model_type)
    if kind == "oneformer":
        model.model.is_training = False  # else it asks for texts, too
        return MaskModel(model, task=_task(transformers, model.config, source, options, spec))
    if kind.startswith("eomt"):
        _settle_masks(model, spec)
        side = input_spec.squares.side if input_spec.squares else None
        return MaskModel(model, (side, side) if side else input_spec.size, token_grid=tuple(model.grid_size))
    return MaskModel(model, MASK2FORMER_SIZE if kind == "mask2former" else None)


def _task(transformers: Any, config: Any, source: str, options: Mapping[str, Any], spec: str) -> torch.Tensor:
    """Token ids of ``TASK`` (1, task_seq_len), 0 behind them, as OneFormerProcessor makes them."""
    try:
        _check_tokenizer(transformers, source, options)
        tokenizer = transformers.CLIPTokenizer.from_pretrained(source, **options)
        found = tokenizer([TASK], padding="max_length", max_length=int(config.task_seq_len), truncation=True)
    except Exception as error:  # the library raises anything from OSError to TypeError where files are missing
        raise ModelFileError(
            f"{spec}: OneFormer is told its task in words, and CLIP's tokenizer for them is not there "
            f"({in_brief(error)}); put vocab.json and merges.txt, or tokenizer.json, beside config.json: "
            "OneFormerProcessor.from_pretrained(name).save_pretrained(folder)"
        ) from error
    ids, attended = (torch.tensor(found[key], dtype=torch.float32) for key in ("input_ids", "attention_mask"))
    return ids * attended


def _check_tokenizer(transformers: Any, source: str, options: Mapping[str, Any]) -> None:
    """Without its files transformers 5 makes a tokenizer that knows no words."""
    there = {
        name: transformers.utils.cached_file(source, name, **options, _raise_exceptions_for_missing_entries=False)
        for name in ("tokenizer.json", "vocab.json", "merges.txt")
    }
    if there["tokenizer.json"] is None and None in (there["vocab.json"], there["merges.txt"]):
        raise FileNotFoundError("no tokenizer.json, nor vocab.json with merges.txt")


def _settle_masks(model: Any, spec: str) -> None:
    """Hold the probabilities of EoMT's masked attention as numbers: tensors that steer a program are not exported."""
    probabilities = [float(value) for value in model.attn_mask_probs]
    if any(0 < value < 1 for value in probabilities):
        raise ModelFileError(
            f"{spec}: attn_mask_probs are {', '.join(f'{p:.2g}' for p in probabilities)}: in the middle of its "
            "training EoMT masks attention at random and answers an image in two ways; train it to the end, or set "
            "them to 0"
        )
    del model.attn_mask_probs
    model.attn_mask_probs = probabilities
