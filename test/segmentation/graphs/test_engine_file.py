"""A file with a TensorRT engine is looked at before the library is loaded; what cannot run has a way out."""

import json

import pytest
import torch

from trust_seg_ros.segmentation import LabelError, ModelError, ModelFileError, load_network
from trust_seg_ros.segmentation.graphs.engine_file import (
    Said,
    beside,
    read_engine,
    refuse_other_gpu,
    refuse_other_version,
    write_said,
)
from trust_seg_ros.segmentation.graphs.onnx_file import INPUT_KEY, LABELS_KEY, labels_of
from trust_seg_ros.support.content_hash import hash_of_file
from trust_seg_ros.types import Classifier

REAL_8_2 = bytes.fromhex("70747274 00000000 cd000000 00000000 313b1b00 00000000 02800100 08028001 00020280 01000102")
"""The first bytes of an engine of TensorRT 8.2.1."""


def plan(version=(10, 3, 0), length=400):
    """Bytes that begin as an engine of this version does; nothing runs them."""
    head = b"ftrt" + bytes(20) + bytes(version) + b"\x1a"
    return head + bytes(range(256)) * (length // 256 + 1)


def load(path, **settings):
    return load_network(str(path), **{"labels": "camvid11", "device": "cpu", **settings})


def said_of(path, **values):
    given = {"sha256": hash_of_file(path), "tensorrt": "10.3.0", "gpu": "NVIDIA H200", "capability": "9.0"}
    return Said(**(given | values))


@pytest.mark.parametrize("suffix", ["engine", "plan", "trt"])
def test_the_version_that_made_it_is_read(tmp_path, suffix):
    path = tmp_path / f"n.{suffix}"
    path.write_bytes(plan())
    file = read_engine(path)
    assert file.version == (10, 3, 0)
    assert file.sha256 == hash_of_file(path)
    assert file.plan == path.read_bytes()
    assert file.metadata == {}
    refuse_other_version(file, "10.3.0", "net")
    refuse_other_version(file, "10.3.0.26", "net")
    for other in ("10.3.1", "11.4.0.106", "8.6.1.6", "10.3"):
        with pytest.raises(
            ModelFileError, match=rf"engine of TensorRT 10\.3\.0, but {other} is installed.*build it anew"
        ):
            refuse_other_version(file, other, "net")


def test_what_ultralytics_writes_before_it(tmp_path):
    text = json.dumps({"task": "semantic", "names": {"0": "road", "1": "car"}, "imgsz": [640, 640]}).encode()
    (tmp_path / "n.engine").write_bytes(len(text).to_bytes(4, "little") + text + plan((10, 0, 1)))
    file = read_engine(tmp_path / "n.engine")
    assert file.version == (10, 0, 1)
    assert file.plan == plan((10, 0, 1))
    assert file.ultralytics["imgsz"] == [640, 640]
    assert labels_of(file.metadata, "n").names == ("road", "car")
    (tmp_path / "b.engine").write_bytes((1 << 20).to_bytes(4, "little") + text + plan())
    with pytest.raises(ModelFileError, match="no TensorRT engine"):
        read_engine(tmp_path / "b.engine")


def test_what_is_said_beside_it_comes_back(tmp_path):
    path = tmp_path / "n.engine"
    path.write_bytes(plan())
    metadata = {
        INPUT_KEY: '{"mean": [0.1, 0.2, 0.3]}',
        LABELS_KEY: json.dumps({"name": "a", "names": ["x"], "palette": []}),
    }
    kernel = Classifier(torch.randn(3, 5, 1, 1).half(), torch.randn(3), 2)
    write_said(path, said_of(path, metadata=metadata, classifier=kernel))
    file = read_engine(path)
    assert file.metadata == metadata
    assert file.said.capability == "9.0"
    found = file.said.classifier
    assert found.weight.dtype == torch.float16
    assert torch.equal(found.weight, kernel.weight)
    assert torch.equal(found.bias, kernel.bias)
    assert found.dilation == 2
    write_said(path, said_of(path))
    assert read_engine(path).said.classifier is None
    refuse_other_gpu(file.said, "9.0", "NVIDIA H100", "net")
    refuse_other_gpu(None, "8.6", "NVIDIA RTX A4000", "net")
    with pytest.raises(
        ModelFileError, match=r"built for NVIDIA H200 \(compute capability 9\.0\), but here is .*\(8\.7\)"
    ):
        refuse_other_gpu(file.said, "8.7", "Orin", "net")


def test_damage_to_the_engine_or_to_what_is_said(tmp_path):
    path = tmp_path / "n.engine"
    path.write_bytes(plan())
    write_said(path, said_of(path))
    text = beside(path).read_text()
    path.write_bytes(plan()[:-7])
    with pytest.raises(ModelFileError, match="damaged, cut off or another one; copy both again"):
        read_engine(path)
    path.write_bytes(plan())
    for wrong, why in (
        (text.replace("H200", "H100"), "does not match its own sha256"),
        (text.replace("engine 1", "engine 7"), "expected 'trust_seg engine 1'"),
        (text[:80], "cannot be read"),
        ("[]", "cannot be read"),
    ):
        beside(path).write_text(wrong)
        with pytest.raises(ModelFileError, match=rf"n\.engine\.json.*{why}"):
            read_engine(path)


OTHERS = {
    "empty": (b"", "an empty file"),
    "an onnx graph": (
        b"\x08\x08\x12\x07pytorch",
        "an ONNX graph, no TensorRT engine; give it a name that ends in .onnx",
    ),
    "a torch file": (b"PK\x03\x04" + bytes(90), "zip archive such as torch writes"),
    "cut off": (plan()[:40], "cut off after 40 bytes"),
    "an old engine": (REAL_8_2, "engine of TensorRT 8.2 or near it"),
    "text": (b"hello" * 40, "it begins with b'hell' instead of b'ftrt'"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4" * 64 + b"\nsize 9\n", "LFS"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_files_that_are_no_engine(tmp_path, name):
    content, why = OTHERS[name]
    (tmp_path / "n.engine").write_bytes(content)
    with pytest.raises(ModelError) as error:
        load(tmp_path / "n.engine")
    assert why in str(error.value)


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        load(tmp_path / "n.engine")


def test_what_is_known_is_refused_before_the_library_is_asked(tmp_path):
    path = tmp_path / "n.engine"
    path.write_bytes(plan())
    with pytest.raises(LabelError, match="an engine does not say its classes; set labels"):
        load(path, labels=None)
    with pytest.raises(ModelError, match="has sha256"):
        load(path, sha256="0" * 64)
    with pytest.raises(ModelError, match="runs by TensorRT only"):
        load(path, backend="onnxruntime")
    with pytest.raises(ModelError, match="has no providers"):
        load(path, providers="cuda")
    with pytest.raises(ModelError, match="has the precision it was built in"):
        load(path, half="on")
