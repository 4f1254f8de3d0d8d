"""Names of the libraries that can run a network; nothing is loaded for them."""

TORCH, AUTO = "torch", "auto"
ONNXRUNTIME, OPENVINO = "onnxruntime", "openvino"
BACKENDS = (TORCH, AUTO, ONNXRUNTIME, OPENVINO)
"""Choices of the setting ``backend``; the first one is the default."""
