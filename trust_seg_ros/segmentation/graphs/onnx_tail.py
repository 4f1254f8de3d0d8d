"""The end of an ONNX graph: which output holds the scores of classes, and the convolutions that make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trust_seg_ros.segmentation.errors import ModelFileError
from trust_seg_ros.segmentation.graphs.graph_tails import Ending, Step, ending_of
from trust_seg_ros.segmentation.graphs.onnx_masks import FLOATS, mask_outputs
from trust_seg_ros.segmentation.graphs.onnx_steps import read_step
from trust_seg_ros.segmentation.graphs.onnx_weights import Weights, attribute
from trust_seg_ros.types import Classifier

if TYPE_CHECKING:
    import onnx

_PASSED = ("Identity", "Dropout", "Cast")
_CLASSES_ONLY = ("ArgMax", "Cast", "Squeeze", "Unsqueeze", "Reshape", "Transpose", "Identity", "Resize", "TopK")


@dataclass(frozen=True)
class GraphTail:
    """What to ask a graph for.

    Attributes:
        outputs: names of the logits and, where they are known, of the features; with an ``ending``, of the outputs of
            its convolutions, and then of their inputs; or of the classes and masks of a mask network.
        ending: the last convolution, or two whose outputs are added, and what lies behind; None = not known.
        remarks: what was taken off, a sentence each.
    """

    outputs: tuple[str, ...]
    ending: Ending | None
    remarks: tuple[str, ...]


def cut_to_logits(model: onnx.ModelProto, name: str, *, plain: bool = False) -> GraphTail:
    """Let a graph answer with its logits and, where its last convolution is found, with the features before it.

    Args:
        model: the model; its outputs are replaced, and nodes that they do not need are removed.
        name: its name, for errors.
        plain: cut only where the convolution's output is the logits.

    Raises:
        ModelFileError: it has no output of class scores.
    """
    graph = model.graph
    if (pair := mask_outputs(graph, name)) is not None:
        _ask_for(model, pair)
        return GraphTail(pair, None, ())
    makers = {output: node for node in graph.node for output in node.output}
    logits, features = _chosen(graph, makers, name)
    heads, steps, remarks = _last_convolutions(makers, logits, Weights(graph, makers))
    if features is not None and (
        steps or len(heads) != 1 or _source(makers, heads[0][0].input[0]) != _source(makers, features)
    ):
        heads = ()  # its features are others than the input of that convolution
    ending = ending_of([kernel for _, kernel in heads], steps) if heads else None
    if ending is not None and ending.tail.where.corners and not _of_the_image(graph, logits):
        ending = None
    if ending is None or (plain and not ending.plain):
        wanted: tuple[str, ...] = (logits,) if features is None else (logits, features)
        _ask_for(model, wanted)
        return GraphTail(wanted, None, ())
    nodes = [node for node, _ in heads]
    wanted = (*(node.output[0] for node in nodes), *(node.input[0] for node in nodes))
    _ask_for(model, wanted)
    return GraphTail(wanted, ending, remarks)


def _of_the_image(graph: Any, logits: str) -> bool:
    """Whether a graph says that its answer has the size of the image."""
    answer = next(value for value in graph.output if value.name == logits)
    held = {tensor.name for tensor in graph.initializer}
    image = next((value for value in graph.input if value.name not in held), None)
    if image is None:
        return False
    sides = [_sides(value) for value in (image, answer)]
    of_image = sides[0][1:3] if sides[0][3:] == [3] else sides[0][2:]
    return all(of_image) and of_image == sides[1][2:]


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


def _sides(value: Any) -> list[str | int | None]:
    """Sides of a value as a graph declares them: numbers, names of those that are free, None."""
    return [dim.dim_param or dim.dim_value or None for dim in value.type.tensor_type.shape.dim]


def _shape(value: Any) -> str:
    return "(" + ", ".join(str(side or "?") for side in _sides(value)) + ")"


_Head = tuple[Any, Classifier]


def _last_convolutions(
    makers: dict[str, Any], logits: str, weights: Weights
) -> tuple[tuple[_Head, ...], list[Step], tuple[str, ...]]:
    """The convolutions that make an answer with their kernels, what lies behind them, and remarks on what is taken off.

    There are none if what makes the answer is something else.
    """
    steps: list[Step] = []
    remarks: list[str] = []
    node = makers.get(logits)
    while node is not None:
        if node.op_type == "Conv":
            kernel = weights.classifier(node)
            return (() if kernel is None else ((node, kernel),)), steps, tuple(remarks)
        if node.op_type == "Add" and (heads := _added(node, makers, weights)):
            return heads, steps, tuple(remarks)
        if node.op_type in ("Softmax", "LogSoftmax") and attribute(node, "axis", -1) in (1, -3):
            if any((step.scale, step.shift, step.stop) != (None, None, None) for step in steps):
                break  # of some classes, or made hotter: no softmax of other logits
            remarks.append("a softmax is folded into the graph; the logits before it are used")
        elif node.op_type == "DequantizeLinear" and _rounds(makers.get(node.input[0])):
            remarks.append("the graph rounds its logits to whole numbers with a scale; those before it are used")
            node = makers[node.input[0]]
        elif node.op_type not in _PASSED:
            step = read_step(node, weights)
            if step is None:
                break
            steps.append(step[1])
            node = makers.get(step[0])
            continue
        node = makers.get(node.input[0])
    return (), [], ()


def _source(makers: dict[str, Any], name: str) -> str:
    """The value that another one is, but for its type and for rounding."""
    node = makers.get(name)
    while node is not None and node.op_type in ("Identity", "Cast", "QuantizeLinear", "DequantizeLinear"):
        name = node.input[0]
        node = makers.get(name)
    return name


def _rounds(node: Any) -> bool:
    return node is not None and node.op_type == "QuantizeLinear"


def _added(node: Any, makers: dict[str, Any], weights: Weights) -> tuple[_Head, ...]:
    """The two convolutions whose outputs a node adds, () if it adds something else."""
    parts = [makers.get(name) for name in node.input]
    if any(part is None or part.op_type != "Conv" for part in parts):
        return ()
    kernels = [weights.classifier(part) for part in parts]
    return tuple((part, kernel) for part, kernel in zip(parts, kernels, strict=True) if kernel is not None)[
        : 0 if None in kernels else 2
    ]


def _ask_for(model: onnx.ModelProto, names: tuple[str, ...]) -> None:
    """Make these the outputs of a model, and remove the nodes that none of them needs."""
    from onnx.helper import make_empty_tensor_value_info, make_tensor_value_info

    graph = model.graph
    kinds = _kinds(model, names)
    declared = {value.name: value for value in (*graph.output, *graph.value_info)}
    sides = {key: _sides(value) for key, value in declared.items()}
    outputs = [
        make_tensor_value_info(name, kinds[name], sides.get(name) or [None] * 4)
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
