"""The kinds of files that a graph is written as: one row each."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trust_seg_ros.exporting.names import HEADS, LOGITS, TARGET_NAMES, suffix_of
from trust_seg_ros.segmentation.errors import DependencyError, ModelFileError, ModelSpecError
from trust_seg_ros.segmentation.failures import in_brief
from trust_seg_ros.segmentation.graphs.ir_graph import weights_entry
from trust_seg_ros.support.backends import ONNXRUNTIME, OPENVINO, TENSORRT
from trust_seg_ros.support.libraries import how_to_install
from trust_seg_ros.support.resumable import whole_file

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, kw_only=True)
class Target:
    """A kind of file.

    Attributes:
        name: name of the choice; a key of ``names.TARGET_NAMES``.
        write: writes a graph with its metadata to a path, completely or not at all; returns the files, the one that
            is given to programs first.
        runtimes: names of the libraries that run such a file, among ``runtimes.RUNTIMES``.
        device: what such a file is read on to compare it.
        ready: raises ModelError where such a file cannot be written here, before the work begins.
        heads: what such a file can give, among ``names.HEADS``.
        text: one line of Markdown.
    """

    name: str
    write: Callable[[onnx.ModelProto, Path], tuple[Path, ...]]
    runtimes: tuple[str, ...]
    text: str
    device: str = "cpu"
    ready: Callable[[], None] = lambda: None
    heads: tuple[str, ...] = HEADS

    @property
    def suffix(self) -> str:
        """End of the name of such a file."""
        return suffix_of(self.name)


def find_target(name: str, file: Path) -> Target:
    """The kind of file of a name, or of the name of the file where that is "".

    Raises:
        ModelSpecError: there is none, or the file has the name of another kind.
    """
    chosen = name or next((kind for kind, suffix in TARGET_NAMES.items() if suffix == file.suffix), "")
    if chosen not in TARGETS or TARGETS[chosen].suffix != file.suffix:
        wanted = TARGETS[chosen].suffix if chosen in TARGETS else " or ".join(row.suffix for row in TARGETS.values())
        why = f" for --to {name}" if name else ""
        raise ModelSpecError(f"--out {file}: expected a name that ends in {wanted}{why}")
    return TARGETS[chosen]


def target_table() -> str:
    """The kinds of files as a table of docs/export.md."""
    rows = ["| `--to` | file | what it is | run by |", "|---|---|---|---|"]
    rows += [
        f"| `{row.name}` | `net{row.suffix}` | {row.text} | {', '.join(row.runtimes)} |" for row in TARGETS.values()
    ]
    return "\n".join(rows) + "\n"


def _write_onnx(model: onnx.ModelProto, file: Path) -> tuple[Path, ...]:
    with whole_file(file) as draft:
        draft.write_bytes(model.SerializeToString())
    return (file,)


def _write_openvino(model: onnx.ModelProto, file: Path) -> tuple[Path, ...]:
    """An .xml and a .bin file, in float32: half precision would change the logits of a network by a thousandth, and
    near the border of two classes the class with them."""
    try:
        import openvino
    except ImportError as error:
        raise DependencyError(f"{file}: writing it needs OpenVINO; {how_to_install('openvino')}") from error
    try:
        converted = openvino.convert_model(io.BytesIO(model.SerializeToString()))
    except Exception as error:  # of OpenVINO's converter, which share no base
        raise ModelFileError(f"{file}: OpenVINO cannot convert the network: {in_brief(error)}") from error
    for entry in model.metadata_props:
        converted.set_rt_info(entry.value, entry.key.split(".", 1))
    beside = file.with_suffix(".bin")
    with tempfile.TemporaryDirectory(prefix=".export", dir=file.parent) as folder:
        draft = Path(folder) / file.name
        openvino.save_model(converted, str(draft), compress_to_fp16=False)
        note = weights_entry(draft.read_bytes(), draft.with_suffix(".bin").read_bytes())
        converted.set_rt_info(note, ["trust_seg", "weights"])  # what tells a damaged .bin, or another network's
        openvino.save_model(converted, str(draft), compress_to_fp16=False)
        draft.with_suffix(".bin").replace(beside)
        draft.replace(file)
    return (file, beside)


def _write_engine(model: onnx.ModelProto, file: Path) -> tuple[Path, ...]:
    from trust_seg_ros.segmentation.graphs.tensorrt_graph import build_engine

    build_engine(model, file)
    return (file, file.with_name(f"{file.name}.json"))


def _engine_ready() -> None:
    from trust_seg_ros.segmentation.device import pick_device
    from trust_seg_ros.segmentation.graphs.placed import Place
    from trust_seg_ros.segmentation.graphs.tensorrt_engine import library_for

    library_for(Place(pick_device("cuda"), name="a TensorRT engine"))


TARGETS: dict[str, Target] = {
    row.name: row
    for row in (
        Target(
            name="onnx",
            write=_write_onnx,
            runtimes=(ONNXRUNTIME, OPENVINO),
            text="one file for everything that reads ONNX; `pip install onnx onnxscript onnxruntime`",
        ),
        Target(
            name="openvino",
            write=_write_openvino,
            runtimes=(OPENVINO,),
            text="with `net.bin` beside it, in float32; `pip install onnx onnxscript openvino`",
        ),
        Target(
            name="engine",
            write=_write_engine,
            runtimes=(TENSORRT,),
            text="a TensorRT engine for this GPU, `net.engine.json` beside it, in minutes; `pip install tensorrt`",
            device="cuda",
            ready=_engine_ready,
            heads=(LOGITS,),
        ),
    )
}
"""Name -> kind of file; a new kind is a row here and its suffix in ``names.TARGET_NAMES``."""
