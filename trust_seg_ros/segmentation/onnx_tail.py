"""The end of an ONNX graph: which output holds the scores of classes, and the last convolution before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trust_seg_ros.segmentation.errors import ModelFileError
from trust_seg_ros.segmentation.onnx_masks import FLOATS, mask_outputs
from trust_seg_ros.segmentation.onnx_weights import Weights, attribute
from trust_seg_ros.types import Classifier

if TYPE_CHECKING:
    import onnx

_PASSED = ("Identity", "Dropout", "Cast")
_CLASSES_ONLY = ("ArgMax", "Cast", "Squeeze", "Unsqueeze", "Reshape", "Transpose", "Identity", "Resize", "TopK")


@dataclass(frozen=True)
class Tail:
    """What to ask a graph for.

    Attributes:
        outputs: names of the logits and, where they are known, of the features; or of the classes and masks of a mask
            network.
        classifier: the convolution between them.
        remarks: what was taken off, a sentence each.
    """

    outputs: tuple[str, ...]
    classifier: Classifier | None
    remarks: tuple[str, ...]


def cut_to_logits(model: onnx.ModelProto, name: str) -> Tail:
    """Let a graph answer with its logits and, where its last convolution is found, with the features before it.

    Args:
        model: the model; its outputs are replaced, and nodes that they do not need are removed.
        name: its name, for errors.

    Raises:
        ModelFileError: it has no output of class scores.
    """
    graph = model.graph
    if (pair := mask_outputs(graph, name)) is not None:
        _ask_for(model, pair)
        return Tail(pair, None, ())
    makers = {output: node for node in graph.node for output in node.output}
    logits, features = _chosen(graph, makers, name)
    weights = Weights(graph, makers)
    found, remarks = _last_convolution(makers, logits, weights)
    if features is not None and found is not None and _source(makers, found[0].input[0]) != _source(makers, features):
        found = None  # its features are others than the input of that convolution
    if found is None or found[1] is None:
        wanted: tuple[str, ...] = (logits,) if features is None else (logits, features)
        _ask_for(model, wanted)
        return Tail(wanted, None, ())
    node, classifier = found
    wanted = (node.output[0], node.input[0])
    _ask_for(model, wanted)
    return Tail(wanted, classifier, remarks)


def _chosen(graph: Any, makers: dict[str, Any], name: str) -> tuple[str, str | None]:
    """Names of the outputs that hold logits and features."""
    outputs = list(graph.output)
    scores = [o for o in outputs if o.type.tensor_type.elem_type in FLOATS and len(o.type.tensor_type.shape.dim) == 4]
    named = [o for o in scores if o.name in ("logits", "out")]
    features = next((o for o in scores if o.name == "features"), None)
    if not named and features is None and len(scores) == 2:  # one is the other's convolution
        pairs = {(node.output[0], node.input[0]) for node in makers.values() if node.op_type == "Conv"}
        named, before = next(((([a], b)) for a in scores for b in scores if (a.name, b.name) in pairs), ([], None))
        features = before
    rest = [o for o in scores if o is not features]
    chosen = named[0] if named else rest[0] if len(rest) == 1 else None
    if chosen is not None:
        return chosen.name, None if features is None else features.name
    if len(rest) > 1:
        names = ", ".join(o.name for o in rest)
        raise ModelFileError(
            f"{name}: answers with several maps, {names}; name that of the class scores 'logits' when you export it"
        )
    raise ModelFileError(f"{name}: {_why_none(outputs, makers)}")


def _why_none(outputs: list[Any], makers: dict[str, Any]) -> str:
    """Why none of the outputs is a map of class scores, and the way out."""
    for output in outputs:
        node = makers.get(output.name)
        while node is not None and node.op_type in _CLASSES_ONLY:
            if node.op_type in ("ArgMax", "TopK"):
                return (
                    "this graph gives classes only, without which there is no uncertainty: its argmax is folded in; "
                    "export the network without it, with logits (1, q, h, w) as output"
                )
            node = makers.get(node.input[0]) if node.input else None
        if node is not None and node.op_type.startswith(("QLinear", "Quantize")):
            return (
                f"its output {output.name!r} is quantised, whole numbers with a scale; end the graph with "
                "DequantizeLinear, so that it gives logits as floating point numbers"
            )
    said = ", ".join(f"{o.name} {_shape(o)}" for o in outputs) or "nothing"
    return f"answers with {said}; expected logits (1, q, h, w) as floating point numbers"


def _shape(value: Any) -> str:
    dims = value.type.tensor_type.shape.dim
    return "(" + ", ".join(d.dim_param or str(d.dim_value or "?") for d in dims) + ")"


def _last_convolution(makers: dict[str, Any], logits: str, weights: Weights) -> tuple[Any, tuple[str, ...]]:
    """((convolution, its kernel), remarks on what lies behind it), or (None, ()) if there is no plain one."""
    remarks: list[str] = []
    node = makers.get(logits)
    while node is not None:
        if node.op_type == "Conv":
            return (node, weights.classifier(node)), tuple(remarks)
        if node.op_type in ("Softmax", "LogSoftmax") and attribute(node, "axis", -1) in (1, -3):
            remarks.append("a softmax is folded into the graph; the logits before it are used")
        elif node.op_type == "DequantizeLinear" and _rounds(makers.get(node.input[0])):
            remarks.append("the graph rounds its logits to whole numbers with a scale; those before it are used")
            node = makers[node.input[0]]
        elif not (node.op_type in _PASSED or (node.op_type == "Resize" and _is_bilinear(node))):
            break
        node = makers.get(node.input[0])
    return None, ()


def _source(makers: dict[str, Any], name: str) -> str:
    """The value that another one is, but for its type and for rounding."""
    node = makers.get(name)
    while node is not None and node.op_type in ("Identity", "Cast", "QuantizeLinear", "DequantizeLinear"):
        name = node.input[0]
        node = makers.get(name)
    return name


def _rounds(node: Any) -> bool:
    return node is not None and node.op_type == "QuantizeLinear"


def _is_bilinear(node: Any) -> bool:
    """Whether a node upsamples as the package does it: bilinearly, with pixels as areas."""
    return (
        attribute(node, "mode", b"nearest") == b"linear"
        and attribute(node, "coordinate_transformation_mode", b"half_pixel") in (b"half_pixel", b"pytorch_half_pixel")
        and not attribute(node, "antialias", 0)
    )


def _ask_for(model: onnx.ModelProto, names: tuple[str, ...]) -> None:
    """Make these the outputs of a model, and remove the nodes that none of them needs."""
    from onnx.helper import make_empty_tensor_value_info, make_tensor_value_info

    graph = model.graph
    kinds = _kinds(model, names)
    declared = {value.name: value for value in (*graph.output, *graph.value_info)}
    ranks = {key: len(value.type.tensor_type.shape.dim) or 4 for key, value in declared.items()}
    outputs = [
        make_tensor_value_info(name, kinds[name], [None] * ranks.get(name, 4))
        if kinds.get(name)
        else make_empty_tensor_value_info(name)
        for name in names
    ]
    del graph.output[:]
    graph.output.extend(outputs)
    needed = _reached(graph, names)
    kept = [node for node in graph.node if needed & set(node.output)]
    del graph.node[:]
    graph.node.extend(kept)
    stored = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(stored)


def _reached(graph: onnx.GraphProto, names: tuple[str, ...]) -> set[str]:
    """Values that these are made of; converters leave nodes in any order."""
    makers = {output: node for node in graph.node for output in node.output}
    needed, open_names = set(names), list(names)
    while open_names:
        node = makers.get(open_names.pop())
        fresh = set() if node is None else _names_read(node) - needed
        needed |= fresh
        open_names += fresh
    return needed


def _kinds(model: onnx.ModelProto, names: tuple[str, ...]) -> dict[str, int]:
    """ONNX types of values inside a graph, which may be others than those of its outputs; 0 where it is not known."""
    from onnx.shape_inference import infer_shapes

    def declared(graph: onnx.GraphProto) -> dict[str, int]:
        return {value.name: value.type.tensor_type.elem_type for value in (*graph.output, *graph.value_info)}

    kinds = declared(model.graph)
    if all(kinds.get(name) for name in names):
        return kinds
    try:
        return {**declared(infer_shapes(model).graph), **kinds}
    except Exception:  # of Protocol Buffers and onnx, which share no base; a runtime works the types out by itself
        return kinds


def name_outputs(model: onnx.ModelProto, names: tuple[str, ...]) -> None:
    """Rename the outputs of a model, in their order."""
    new = {value.name: name for value, name in zip(model.graph.output, names, strict=True)}
    taken = {name for name in names if name not in new}
    new |= {name: f"inner {name}" for name in taken}  # nothing else may be called so
    for node in model.graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    for value in (*model.graph.output, *model.graph.value_info):
        value.name = new.get(value.name, value.name)


def _names_read(node: Any) -> set[str]:
    """Names that a node reads, those of the graphs inside it included."""
    names = set(node.input)
    for held in node.attribute:
        for inner in (held.g, *held.graphs):
            names.update(*(_names_read(one) for one in inner.node), (output.name for output in inner.output))
    return names
