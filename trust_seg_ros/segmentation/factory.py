"""Networks from a Python factory, ``package.module:callable``.

The callable is called without arguments, or with ``device`` (a ``torch.device``) if it has a parameter of that name.
It returns either a ``SegmentationNetwork``, used unchanged, or a ``torch.nn.Module`` whose forward takes (1, 3, h, w)
and returns what ``checks.CONTRACT`` says. The module may have these attributes; a caller may override each of them:

- ``labels``: a ``LabelSet``, the name or path of one, or a list of the names of the classes;
- ``mean``, ``std``, ``order``, ``scale``, ``stride``: as in ``InputSpec``;
- ``input_size``: (h, w), or None for "as the image";
- ``classifier``: the last ``nn.Conv2d``, when forward returns features too.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.segmentation.errors import LabelError, ModelError, ModelOutputError, ModelSpecError
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.segmentation.last_layer import is_plain, kernel_of
from trust_seg_ros.segmentation.protocol import InputSpec, SegmentationNetwork
from trust_seg_ros.types import Classifier


def call_factory(spec: str, device: torch.device) -> nn.Module | SegmentationNetwork:
    """Call the factory named ``spec`` and return its network.

    Args:
        spec: ``package.module:callable``; dots are allowed on both sides.
        device: passed to the callable if it has a parameter of that name.

    Raises:
        ModelSpecError: no such module or callable.
        ModelError: importing or calling it failed, with its own error as the cause.
        ModelOutputError: it returned something other than a network.
    """
    factory = _find(spec)
    try:
        wants_device = "device" in inspect.signature(factory).parameters
    except (TypeError, ValueError):
        wants_device = False
    try:
        made = factory(device=device) if wants_device else factory()
    except TrustSegError:
        raise
    except Exception as error:  # foreign code may raise anything
        raise ModelError(f"network factory {spec!r} failed: {type(error).__name__}: {error}") from error
    if isinstance(made, (nn.Module, SegmentationNetwork)):
        return made
    raise ModelOutputError(
        f"network factory {spec!r} returned {type(made).__name__}; expected a torch.nn.Module or a SegmentationNetwork"
    )


def _find(spec: str) -> Callable[..., Any]:
    module_name, _, path = spec.partition(":")
    try:
        target: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name + ".").startswith(error.name + "."):
            raise ModelSpecError(
                f"network factory {spec!r}: no module {error.name!r}; install it or add its folder to PYTHONPATH"
            ) from None
        raise ModelError(f"network factory {spec!r}: importing {module_name} failed: {error}") from error
    except Exception as error:  # foreign code may raise anything
        raise ModelError(
            f"network factory {spec!r}: importing {module_name} failed: {type(error).__name__}: {error}"
        ) from error
    for name in path.split("."):
        if not hasattr(target, name):
            raise ModelSpecError(f"network factory {spec!r}: {module_name} has no {path!r}")
        target = getattr(target, name)
    if not callable(target):
        raise ModelSpecError(f"network factory {spec!r} is {type(target).__name__}; expected something to call")
    found: Callable[..., Any] = target
    return found


def module_spec(module: nn.Module) -> InputSpec:
    """The input that a module describes by its attributes; missing ones get the defaults of ``InputSpec``.

    Raises:
        ModelSpecError: an attribute is out of range.
    """
    given: dict[str, Any] = {}
    for name, attribute in (("size", "input_size"), ("mean", "mean"), ("std", "std"), ("order", "order")):
        if getattr(module, attribute, None) is not None:
            value = getattr(module, attribute)
            value = value.flatten().tolist() if isinstance(value, torch.Tensor) else value
            given[name] = value if isinstance(value, str) else tuple(value)
    for name in ("scale", "stride"):
        value = getattr(module, name, None)
        if value is None:
            continue
        if not isinstance(value, (int, float)):  # the stride of a Conv2d, say, is a pair
            raise ModelSpecError(
                f"{type(module).__name__}.{name} is {value!r}; expected a number: wrap the network in another module"
            )
        given[name] = value
    return InputSpec(**given)


def module_labels(module: nn.Module) -> LabelSet | None:
    """The labels of a module, or None if it has none.

    Raises:
        LabelError: it names a set that does not exist, or is something else.
    """
    labels = getattr(module, "labels", None)
    if labels is None or isinstance(labels, LabelSet):
        return labels
    if isinstance(labels, (list, tuple)) and all(isinstance(name, str) for name in labels):
        return LabelSet(type(module).__name__, tuple(labels))
    if not isinstance(labels, (str, Path)):
        raise LabelError(
            f"{type(module).__name__}.labels is {labels!r}; expected a LabelSet, the name or path of one, or a list of "
            "the names of the classes"
        )
    return load_labels(labels)


def module_classifier(module: nn.Module) -> Classifier | None:
    """The kernel of the module's ``classifier``, if that is a plain convolution; else None."""
    layer = getattr(module, "classifier", None)
    return kernel_of(layer) if isinstance(layer, nn.Conv2d) and is_plain(layer) else None
