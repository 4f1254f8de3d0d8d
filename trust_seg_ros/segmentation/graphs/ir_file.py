"""Networks from an OpenVINO file (.xml with its .bin): what ``onnx_file`` does for .onnx, run by OpenVINO."""

from __future__ import annotations

import hashlib
from pathlib import Path

from trust_seg_ros.segmentation.callable_network import CallableNetwork
from trust_seg_ros.segmentation.errors import ModelFileError
from trust_seg_ros.segmentation.graphs.ir_graph import read_ir
from trust_seg_ros.segmentation.graphs.onnx_file import graph_network, refuse_precision
from trust_seg_ros.segmentation.loader_row import Request
from trust_seg_ros.segmentation.weights_hash import require_sha256
from trust_seg_ros.support.reading import reason

LARGEST = 8_000_000_000
"""Bytes of weights that are read into memory at most."""


def load_ir(asked: Request) -> CallableNetwork:
    """A network from an .xml file of OpenVINO and the .bin file of the same name beside it.

    Raises:
        LabelError: neither the file nor the caller names the classes.
        ModelError: a file is missing, damaged, foreign or refused, or OpenVINO is not installed.
    """
    path = asked.path
    refuse_precision(asked)
    structure, weights = ir_bytes(path)
    sha256 = ir_sha256(structure, weights)
    if asked.sha256:
        require_sha256(sha256, asked.sha256, str(path))
    return graph_network(read_ir(structure, weights, path), asked, sha256)


def ir_sha256(structure: bytes, weights: bytes) -> str:
    """SHA-256 of a network in two files: that of the .xml followed by the .bin, as ``cat net.xml net.bin | sha256sum``.

    A network is both: another .bin under the same .xml is another network.
    """
    digest = hashlib.sha256(structure)
    digest.update(weights)
    return digest.hexdigest()


def ir_bytes(path: Path) -> tuple[bytes, bytes]:
    """What an .xml file and its .bin hold.

    Raises:
        ModelFileError: one of them is missing or cannot be read, or the .bin lies in another folder.
    """
    beside = path.with_suffix(".bin")
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file")
    if not beside.is_file():
        raise ModelFileError(f"{path}: its weights lie in {beside.name}, which is missing; copy that file beside it")
    if not beside.resolve().is_relative_to(path.resolve().parent):
        raise ModelFileError(
            f"{path}: its weights {beside.name} lead to {beside.resolve()}, outside its folder; a model reads nothing "
            "but its own files: copy that file beside it"
        )
    if beside.stat().st_size > LARGEST:
        raise ModelFileError(f"{beside}: more than {LARGEST / 1e9:.0f} GB of weights; export it in half precision")
    try:
        return path.read_bytes(), beside.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: it cannot be read ({reason(error)})") from error
