"""Which operators an ONNX graph needs, and what would have to bring those that runtimes do not have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from trust_seg_ros.segmentation.errors import ModelFileError
from trust_seg_ros.segmentation.graphs.onnx_weights import attribute
from trust_seg_ros.support.backends import short_provider

if TYPE_CHECKING:
    import onnx

KNOWN_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"}
"""Sets of operators that runtimes bring; any other is somebody's own code."""
_BROUGHT_BY = {
    "ai.onnx.contrib": "the library onnxruntime-extensions",
    "trt.plugins": "plugins of TensorRT",
    "org.openvinotoolkit": "OpenVINO's extensions",
    "mmdeploy": "the operators of mmdeploy",
    "com.microsoft.dml": "the provider DirectML of Windows",
}
"""Set of operators -> what has their code."""


def check_operators(model: onnx.ModelProto, name: str) -> None:
    """Refuse a graph that needs operators which a runtime does not have.

    Args:
        model: the graph.
        name: its name, for errors.

    Raises:
        ModelFileError: it does; the text says what has them, and the way out.
    """
    own = KNOWN_DOMAINS | {function.domain for function in model.functions}
    foreign: dict[str, str] = {}
    for node in _nodes(model.graph.node):
        if node.op_type == "EPContext":
            raise ModelFileError(f"{name}: {_compiled_for(node)}")
        if node.domain not in own:
            foreign.setdefault(f"{node.domain}::{node.op_type}", node.domain)
    if foreign:
        some = ", ".join(sorted(foreign)[:5])
        known = sorted({_BROUGHT_BY[domain] for domain in foreign.values() if domain in _BROUGHT_BY})
        if known:
            raise ModelFileError(
                f"{name}: needs operators of {' and '.join(known)}, {some}, which are not loaded here; export it with "
                "standard operators"
            )
        raise ModelFileError(
            f"{name}: needs operators of somebody's own, {some}, whose code is not in the file; export it with "
            "standard operators"
        )


def _compiled_for(node: Any) -> str:
    source = attribute(node, "source", b"")
    said = source.decode(errors="replace") if isinstance(source, bytes) else str(source)
    provider = f"the provider {short_provider(said)} of ONNX Runtime" if said else "one provider of ONNX Runtime"
    return (
        f"holds a network that was compiled for {provider} (EPContext), without its layers; give the .onnx file that "
        "it was compiled from, and choose that provider by providers"
    )


def _nodes(nodes: Any) -> Iterator[Any]:
    """Nodes, and those of the graphs inside them."""
    for node in nodes:
        yield node
        for held in node.attribute:
            for graph in (held.g, *held.graphs):
                yield from _nodes(graph.node)
