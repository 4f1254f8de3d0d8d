"""Checkpoints without pickles: weights and optimiser as safetensors, the rest as JSON, replaced atomically.

``checkpoint.json`` names its two tensor files. These are written first; the checkpoint becomes valid when
``checkpoint.json`` is renamed into place. Older files are deleted after that, so a complete checkpoint exists whenever
a run is killed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from trust_seg_ros.support.content_hash import DamagedError, check_json, with_hash
from trust_seg_ros.support.reading import lfs_pointer, reason
from trust_seg_ros.support.resumable import write_text
from trust_seg_ros.support.tensor_file import load_tensors, save_tensors
from trust_seg_ros.training.errors import TrainingError

CHECKPOINT = "checkpoint.json"


@dataclass
class State:
    """State of a run.

    Attributes:
        step: optimiser steps done.
        settings: settings that must not change when a run is continued, plain JSON values.
        before: qualities of the network before the first step, see ``quality``.
    """

    step: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(folder: Path, state: State, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Write a checkpoint and delete the files of the one before.

    Raises:
        TrainingError: the folder cannot be written to.
    """
    names = {kind: f"{kind}-{state.step:07d}.safetensors" for kind in ("weights", "optimiser")}
    record = {"step": state.step, "settings": state.settings, "before": state.before, **names}
    try:
        save_tensors(folder / names["weights"], module.state_dict())
        save_tensors(folder / names["optimiser"], _flat(module, optimiser))
        write_text(folder / CHECKPOINT, json.dumps(with_hash(record), indent=2) + "\n")
        for old in folder.glob("*.safetensors"):
            if old.name.startswith(("weights-", "optimiser-")) and old.name not in names.values():
                old.unlink()
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{folder}: the checkpoint cannot be written ({error})") from error


def load_checkpoint(folder: Path, module: nn.Module, optimiser: torch.optim.Optimizer) -> State | None:
    """Load a checkpoint's tensors into network and optimiser; None if there is no checkpoint.

    Raises:
        TrainingError: it is damaged, or of another network; nothing on disk is changed.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    way_out = f"choose another --out, or delete {path} to start anew"
    try:
        record = json.loads(path.read_bytes())
        check_json(record, path, way_out, required=True)
        state = State(int(record["step"]), dict(record["settings"]), dict(record["before"]))
        weights, moments = (load_tensors(folder / record[kind], way_out).tensors for kind in ("weights", "optimiser"))
    except DamagedError as error:
        raise TrainingError(str(error)) from error
    except Exception as error:  # readers of damaged files raise nearly everything
        why = lfs_pointer(path) or f"{type(error).__name__}: {reason(error)}"
        raise TrainingError(f"{path}: damaged ({why}); {way_out}") from error
    clash = _differences(module.state_dict(), weights)
    if clash:
        raise TrainingError(f"{path}: of another architecture than the network: {clash}; {way_out}")
    module.load_state_dict(weights)
    try:
        _restore(module, optimiser, moments)
    except (KeyError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{path}: the optimiser's tensors do not fit ({error}); {way_out}") from error
    return state


def _flat(module: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The optimiser's tensors by "parameter's name/key"."""
    names: dict[torch.Tensor, str] = {parameter: name for name, parameter in module.named_parameters()}
    return {
        f"{names[parameter]}/{key}": value
        for parameter, values in optimiser.state.items()
        for key, value in values.items()
    }


def _restore(module: nn.Module, optimiser: torch.optim.Optimizer, moments: dict[str, torch.Tensor]) -> None:
    places = dict(module.named_parameters())
    for name, value in moments.items():
        parameter_name, _, key = name.rpartition("/")
        parameter = places[parameter_name]
        if value.ndim and value.shape != parameter.shape:
            raise ValueError(f"{name} is {tuple(value.shape)}, the parameter {tuple(parameter.shape)}")
        # step counts stay on the CPU, as in the optimiser; the others get their parameter's memory layout
        optimiser.state[parameter][key] = torch.empty_like(parameter.detach()).copy_(value) if value.ndim else value


def _differences(mine: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> str:
    """How two networks' tensors differ, in a few words; "" if they do not."""
    told = []
    for word, names in (("it lacks", mine.keys() - theirs.keys()), ("it has", theirs.keys() - mine.keys())):
        if names:
            told.append(f"{word} {', '.join(sorted(names)[:3])}{' …' if len(names) > 3 else ''}")
    shapes = sorted(k for k in mine.keys() & theirs.keys() if mine[k].shape != theirs[k].shape)
    told += [f"{k} is {tuple(theirs[k].shape)}, the network's {tuple(mine[k].shape)}" for k in shapes[:3]]
    return "; ".join(told)
