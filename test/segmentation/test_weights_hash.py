"""The hash of a network: which files it covers, and what is refused by it."""

import hashlib
import subprocess
import sys
import zipfile
import zlib
from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trust_seg_ros.segmentation.compact import SHIPPED, CompactWeightsError, load_compact
from trust_seg_ros.segmentation.errors import ModelError, ModelFileError, ModelSpecError
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.segmentation.loader import load_network
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.segmentation.trainable import load_trainable
from trust_seg_ros.segmentation.weights_hash import hash_of_folder, hash_of_module
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.support.tensor_file import save_tensors

LABELS = LabelSet("three", ("a", "b", "c"))


def sha256sum(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A TorchScript file of a small network."""
    path = tmp_path_factory.mktemp("program") / "net.ts"
    torch.manual_seed(0)
    torch.jit.trace(nn.Conv2d(3, 3, 3, padding=1).eval(), torch.zeros(1, 3, 32, 32)).save(str(path))
    return path


def test_the_embedded_network_has_the_hash_of_its_file():
    assert network_sha256(load_network("embedded")) == sha256sum(SHIPPED)


def test_a_program_has_the_hash_of_its_file_and_only_that_is_accepted(program):
    expected = sha256sum(program)
    for wanted in ("", expected, expected[:12].upper()):
        assert load_network(str(program), labels=LABELS, sha256=wanted).sha256 == expected
    with pytest.raises(
        ModelFileError, match=rf"net\.ts' has sha256 {expected}, but model_sha256 asks for 0{{64}}.*copy"
    ):
        load_network(str(program), labels=LABELS, sha256="0" * 64)


def test_another_program_than_the_one_asked_for_is_not_even_opened(tmp_path):
    (tmp_path / "net.ts").write_bytes(b"no program at all")
    with pytest.raises(ModelFileError, match="but model_sha256 asks for"):
        load_network(str(tmp_path / "net.ts"), labels=LABELS, sha256="0" * 64)
    with pytest.raises(ModelFileError, match=r"no such file|cannot be read"):
        load_network(str(tmp_path / "none.ts"), labels=LABELS, sha256="0" * 64)


@pytest.mark.parametrize("text", ["abc", "x" * 64, "0" * 65, "sha256:" + "0" * 64])
def test_what_is_no_hash_is_refused(text):
    with pytest.raises(ModelSpecError, match="expected the 64 hexadecimal digits"):
        load_network("embedded", sha256=text)


def test_networks_for_training_are_checked_too():
    with pytest.raises(ModelFileError, match=r"has sha256 .* asks for 000000000000"):
        load_trainable(NetworkSettings(model_sha256="0" * 12), torch.device("cpu"))


@settings(max_examples=25)
@given(place=st.integers(0, SHIPPED.stat().st_size - 1), mask=st.integers(1, 255))
def test_the_shipped_weights_with_any_byte_changed_are_refused(tmp_path_factory, place, mask):
    data = bytearray(SHIPPED.read_bytes())
    data[place] ^= mask
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    path.write_bytes(data)
    with pytest.raises(CompactWeightsError, match=r"net\.safetensors: "):
        load_compact(weights=path)
    with pytest.raises(ModelError):
        load_network(str(path))
    path.unlink()


def records(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@settings(max_examples=50)
@given(data=st.data())
def test_programs_with_a_byte_of_their_content_changed_are_refused(program, tmp_path_factory, data):
    content = bytearray(program.read_bytes())
    with zipfile.ZipFile(program) as archive:
        info = data.draw(st.sampled_from([info for info in archive.infolist() if info.file_size]))
    name_and_extra = content[info.header_offset + 26 : info.header_offset + 30]
    start = info.header_offset + 30 + sum(int.from_bytes(name_and_extra[k : k + 2], "little") for k in (0, 2))
    content[start + data.draw(st.integers(0, info.compress_size - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("programs") / "net.ts"
    path.write_bytes(content)
    try:
        unchanged = records(path) == records(program)  # a bit of the compression without effect
    except (zipfile.BadZipFile, zlib.error):
        unchanged = False
    with nullcontext() if unchanged else pytest.raises(ModelFileError, match=r"damaged|corrupt"):
        load_network(str(path), labels=LABELS)


def make_folder(folder):
    (folder / "config.json").write_text("{}")
    (folder / "notes.json").write_text("{}")
    save_tensors(folder / "model.safetensors", {"a": torch.ones(3)}, {"format": "pt"})


def test_a_folder_has_the_hash_of_what_sha256sum_prints(tmp_path):
    make_folder(tmp_path)
    command = "LC_ALL=C sha256sum config.json model.safetensors | sha256sum"
    printed = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert hash_of_folder(tmp_path) == printed.split()[0]
    (tmp_path / "notes.json").write_text("of no importance")
    assert hash_of_folder(tmp_path) == printed.split()[0]
    (tmp_path / "preprocessor_config.json").write_text("{}")
    assert hash_of_folder(tmp_path) != printed.split()[0]


def test_damaged_weights_in_a_folder_that_finetune_wrote_are_refused(tmp_path):
    make_folder(tmp_path)
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:-1] + b"\x01")
    with pytest.raises(ModelFileError, match=r"model\.safetensors: content does not match its own sha256"):
        hash_of_folder(tmp_path)


def test_damaged_weights_in_the_cache_of_hugging_face_are_refused(tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "main"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    make_folder(snapshot)
    name = sha256sum(snapshot / "model.safetensors")
    (snapshot / "model.safetensors").rename(blobs / name)
    (snapshot / "model.safetensors").symlink_to(blobs / name)
    whole = hash_of_folder(snapshot)
    save_tensors(blobs / name, {"a": torch.zeros(3)}, {"format": "pt"})
    with pytest.raises(ModelFileError, match=f"{name}: damaged: its sha256 is .*, not its name; .*download"):
        hash_of_folder(snapshot)
    assert len(whole) == 64


def test_modules_of_factories_are_hashed_by_their_weights():
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
    assert hash_of_module(first) != hash_of_module(second)
    second.load_state_dict(first.state_dict())
    assert hash_of_module(first) == hash_of_module(second) != ""
    with torch.no_grad():
        second.bias[0] += 1e-6
    assert hash_of_module(first) != hash_of_module(second)
    assert hash_of_module(nn.ReLU()) == ""


def test_a_network_without_weights_cannot_be_asked_for_by_hash(tmp_path, monkeypatch):
    (tmp_path / "bare_network.py").write_text(
        "from torch import nn\nclass Net(nn.Module):\n    labels = None\n    def forward(self, x):\n        return x\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert load_network("bare_network:Net", labels=LABELS).sha256 == ""
        with pytest.raises(ModelFileError, match="has no weights to hash"):
            load_network("bare_network:Net", labels=LABELS, sha256="0" * 12)
    finally:
        sys.modules.pop("bare_network", None)
