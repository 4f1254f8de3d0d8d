"""Names of the libraries that can run a network, and of ONNX Runtime's providers; nothing is loaded for them."""

from __future__ import annotations

TORCH, AUTO = "torch", "auto"
ONNXRUNTIME, OPENVINO, TENSORRT = "onnxruntime", "openvino", "tensorrt"
BACKENDS = (TORCH, AUTO, ONNXRUNTIME, OPENVINO, TENSORRT)
"""Choices of the setting ``backend``; the first one is the default."""
_SUFFIX = "ExecutionProvider"


def provider_names(text: str) -> tuple[str, ...]:
    """The providers in a text, separated by commas, in ONNX Runtime's own spelling but for capitals.

    >>> provider_names("tensorrt, CUDAExecutionProvider")
    ('tensorrtExecutionProvider', 'CUDAExecutionProvider')
    """
    parts = [part.strip() for part in text.split(",")]
    return tuple(part if part.endswith(_SUFFIX) else part + _SUFFIX for part in parts if part)


def short_provider(name: str) -> str:
    """The name that a user writes: "cuda" for "CUDAExecutionProvider"."""
    return name.removesuffix(_SUFFIX).lower()
