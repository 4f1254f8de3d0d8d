"""Fine-tuned weights in the form that ``--model`` takes, or that a factory can load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Protocol, cast

from trust_seg_ros.segmentation.compact import CompactNet, save_compact
from trust_seg_ros.segmentation.modules import NamedModule
from trust_seg_ros.segmentation.processor_file import processor_settings
from trust_seg_ros.support.resumable import whole_folder
from trust_seg_ros.support.tensor_file import save_tensors, seal_tensors
from trust_seg_ros.training.errors import TrainingError

WEIGHTS, FOLDER = "weights.safetensors", "model"


def save_trained(named: NamedModule, spec: str, out: Path, notes: dict[str, str]) -> tuple[Path, str]:
    """Write the network's weights to ``out``, replacing the weights of an earlier call.

    The compact network is written as one safetensors file, a Hugging Face model as a folder; for any other module its
    state_dict is written, for the factory to load.

    Args:
        named: the network.
        spec: the ``--model`` text that it was loaded from.
        out: an existing folder.
        notes: text to text, kept in the file's metadata.

    Returns:
        Path written, and how to use it.

    Raises:
        TrainingError: the weights cannot be written.
    """
    module = named.module
    path = out / WEIGHTS
    try:
        if isinstance(module, CompactNet):
            save_compact(module, path, notes)
            return path, f"--model {path}"
        if hasattr(module, "save_pretrained"):
            return _save_pretrained(cast("_Pretrained", module), named, out), f"--model {out / FOLDER}"
        save_tensors(path, module.state_dict(), notes)
    except OSError as error:
        raise TrainingError(f"{out}: the weights cannot be written ({error})") from error
    return path, f"in {spec}: module.load_state_dict(safetensors.torch.load_file({str(path)!r}))"


class _Pretrained(Protocol):
    """A network of the library transformers."""

    def save_pretrained(self, folder: Path, *, safe_serialization: bool) -> None:
        """Write weights and configuration into a folder."""


def _save_pretrained(module: _Pretrained, named: NamedModule, out: Path) -> Path:
    settings = json.dumps(processor_settings(named.input_spec), indent=2) + "\n"
    with whole_folder(out / FOLDER, out / f"{FOLDER}.part") as place:
        module.save_pretrained(place, safe_serialization=True)
        for weights in place.glob("*.safetensors"):
            seal_tensors(weights)
        (place / "preprocessor_config.json").write_text(settings, encoding="utf-8")
    return out / FOLDER
