"""Networks as graphs (.onnx, OpenVINO, TensorRT, programs): read as data, cut to their logits, run by libraries."""
