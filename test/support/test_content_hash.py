"""Content hashes: the same content passes, any other is refused."""

import hashlib
import json
import subprocess

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.torch import save_file

from trust_seg_ros.support.content_hash import (
    DamagedError,
    check_json,
    hash_of_file,
    hash_of_hashes,
    is_hash,
    sealed,
    unsealed,
    with_hash,
)
from trust_seg_ros.support.json_file import read_json, write_json
from trust_seg_ros.support.json_parts import JsonError
from trust_seg_ros.support.tensor_file import check_tensors, load_tensors, save_tensors, seal_tensors

CONTENT = {"format": "test", "version": 2, "numbers": [1.0, 0.1, -3e-9, 7], "names": {"b": "ü", "a": None}}
TENSORS = {"kernel": torch.arange(12.0).half().view(3, 4), "bias": torch.tensor([0.5, -1.0]), "steps": torch.tensor(3)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hashes")


def flipped(data: bytes, draw) -> bytes:
    """One byte of some data replaced by any other."""
    place, mask = draw(st.integers(0, len(data) - 1)), draw(st.integers(1, 255))
    return data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]


@given(st.data())
def test_a_json_file_with_any_byte_changed_is_refused_or_says_the_same(folder, data):
    path = folder / "model.json"
    write_json(CONTENT, path, "a model")
    path.write_bytes(flipped(path.read_bytes(), data.draw))
    try:
        found = read_json(path, "test", 2, "model", "none", "make it anew")
    except JsonError:
        return
    assert found == with_hash(CONTENT)  # a space became a line end


def test_layout_order_and_line_ends_of_a_json_file_do_not_matter(folder):
    path = folder / "other.json"
    path.write_text(json.dumps(with_hash(CONTENT), sort_keys=True, indent=7).replace("\n", "\r\n"))
    assert read_json(path, "test", 2, "model", "none", "make it anew") == with_hash(CONTENT)


def test_the_error_names_the_file_and_the_way_out(tmp_path):
    with pytest.raises(DamagedError, match=r"m\.json: content does not match its own sha256: damaged or .*; fit again"):
        check_json({**with_hash(CONTENT), "numbers": []}, tmp_path / "m.json", "fit again", required=True)
    with pytest.raises(DamagedError):
        check_json(CONTENT, tmp_path / "m.json", "fit again", required=True)


@given(content=st.binary(max_size=60), data=st.data())
def test_sealed_bytes(folder, content, data):
    assert unsealed(sealed(content), folder, "") == content
    with pytest.raises(DamagedError, match="does not match its own sha256"):
        unsealed(flipped(sealed(content), data.draw), folder, "")
    with pytest.raises(DamagedError):
        unsealed(sealed(content)[: data.draw(st.integers(0, len(sealed(content)) - 1))], folder, "")


def test_tensors_come_back_and_the_same_content_gives_the_same_bytes(tmp_path):
    notes = {"z": "1", "config": '{"sha256":"0"}', "a": "ü"}
    save_tensors(tmp_path / "a.safetensors", TENSORS, notes)
    save_tensors(tmp_path / "b.safetensors", TENSORS, dict(reversed(notes.items())))
    found = load_tensors(tmp_path / "a.safetensors", "")
    assert all(torch.equal(found.tensors[name], value) for name, value in TENSORS.items())
    assert found.tensors["kernel"].dtype == torch.float16
    assert notes.items() <= found.metadata.items()
    assert found.sha256 == hash_of_file(tmp_path / "a.safetensors") == hash_of_file(tmp_path / "b.safetensors")


@given(st.data())
def test_a_tensor_file_with_any_byte_changed_is_refused(folder, data):
    path = folder / "w.safetensors"
    save_tensors(path, TENSORS, {"config": "x"})
    path.write_bytes(flipped(path.read_bytes(), data.draw))
    with pytest.raises((DamagedError, SafetensorError)):
        load_tensors(path, "train it again")


def test_tensors_without_a_hash_are_read_with_a_warning_said_once(tmp_path, caplog):
    path = tmp_path / "old.safetensors"
    save_file(TENSORS, str(path), {"config": "x"})
    for _ in range(2):
        assert load_tensors(path, "").metadata == {"config": "x"}
    assert [record.getMessage() for record in caplog.records if "without a content hash" in record.getMessage()] == [
        f"{path}: an older file without a content hash: damage to it cannot be noticed; make it anew"
    ]


def test_a_foreign_tensor_file_can_be_given_a_hash(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file(TENSORS, str(path), {"format": "pt"})
    check_tensors(path, "")  # without a hash there is nothing to check
    seal_tensors(path)
    assert load_tensors(path, "").metadata["format"] == "pt"
    check_tensors(path, "")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DamagedError):
        check_tensors(path, "")


def test_hashes_are_those_that_sha256sum_prints(tmp_path):
    (tmp_path / "b").write_bytes(b"two" * 700_000)
    (tmp_path / "a").write_bytes(b"")
    printed = subprocess.run(["sha256sum", "a", "b"], cwd=tmp_path, capture_output=True, check=True).stdout
    hashes = {name: hash_of_file(tmp_path / name) for name in ("b", "a")}
    assert [line.split() for line in printed.decode().splitlines()] == [[hashes["a"], "a"], [hashes["b"], "b"]]
    assert hash_of_hashes(hashes) == hashlib.sha256(printed).hexdigest()


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("0" * 64, True), ("aF" * 6, True), ("a" * 11, False), ("a" * 65, False), ("g" * 12, False), ("", False)],
)
def test_what_names_a_hash(text, is_one):
    assert is_hash(text) == is_one
