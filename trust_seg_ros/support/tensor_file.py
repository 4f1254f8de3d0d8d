"""safetensors files with a content hash in their metadata.

The hash covers every byte of the file, with 64 zeros in its own place. A second entry says that there is a hash: damage
to the name of either is noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from trust_seg_ros.support.content_hash import KEY, damaged, warn_unchecked
from trust_seg_ros.support.resumable import whole_file

CHECKED_BY = "checked_by"
_NOTE = {CHECKED_BY: KEY}
_BLANK = "0" * 64


class TensorFile(NamedTuple):
    """Content of a safetensors file.

    Attributes:
        tensors: by name, on the CPU.
        metadata: texts by name.
        sha256: of the file.
    """

    tensors: dict[str, torch.Tensor]
    metadata: dict[str, str]
    sha256: str


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file with a content hash, atomically; the same content gives the same bytes.

    Tensors that share memory are written twice.

    Raises:
        OSError, SafetensorError: it cannot be written.
    """
    own = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    data = _with_metadata(save(own), {**(metadata or {}), **_NOTE, KEY: _BLANK})
    start = _place(data, _BLANK)
    digest = hashlib.sha256(data).hexdigest().encode()
    with whole_file(path) as draft:
        draft.write_bytes(data[:start] + digest + data[start + len(digest) :])


def _with_metadata(data: bytes, metadata: Mapping[str, str]) -> bytes:
    """A file without metadata, with these; the library itself writes them in random order."""
    size = int.from_bytes(data[:8], "little")
    header = {"__metadata__": dict(sorted(metadata.items())), **json.loads(data[8 : 8 + size])}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at multiples of 8
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def load_tensors(path: Path, way_out: str) -> TensorFile:
    """Read a safetensors file and check its hash; a file without one is accepted with a warning, once.

    Args:
        path: the file.
        way_out: what to do about damage, for the error text.

    Raises:
        DamagedError: the content does not match the hash.
        OSError, SafetensorError: it cannot be read, or is no safetensors file.
    """
    data = path.read_bytes()
    metadata = _metadata(data)
    if not _checked(data, metadata, path, way_out):
        warn_unchecked(path)
    return TensorFile(load(data), metadata, hashlib.sha256(data).hexdigest())


def check_tensors(path: Path, way_out: str) -> None:
    """Check the hash of a safetensors file if it has one; files of other programs have none.

    Raises:
        DamagedError: the content does not match the hash.
        OSError, SafetensorError: as :func:`load_tensors`.
    """
    with path.open("rb") as file:
        start = file.read(8)
        if not _has_hash(_metadata(start + file.read(int.from_bytes(start, "little")))):
            return
    data = path.read_bytes()
    _checked(data, _metadata(data), path, way_out)


def seal_tensors(path: Path) -> None:
    """Add a content hash to a safetensors file of another program.

    Raises:
        OSError, SafetensorError: it cannot be read or written.
    """
    data = path.read_bytes()
    save_tensors(path, load(data), _metadata(data))


def _has_hash(metadata: Mapping[str, str]) -> bool:
    return KEY in metadata or CHECKED_BY in metadata


def _checked(data: bytes, metadata: Mapping[str, str], path: Path, way_out: str) -> bool:
    """Whether there is a hash; raises DamagedError if it does not match."""
    if not _has_hash(metadata):
        return False
    stored = metadata.get(KEY, "")
    start = _place(data, stored)
    blank = data[:start] + _BLANK.encode() + data[start + len(stored) :]
    if metadata.get(CHECKED_BY) != KEY or hashlib.sha256(blank).hexdigest() != stored:
        raise damaged(path, way_out)
    return True


def _metadata(data: bytes) -> dict[str, str]:
    """Metadata in the header, which is JSON after its length as 8 bytes."""
    try:
        found = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})
        return {str(key): str(value) for key, value in found.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise SafetensorError(f"unreadable header: {error}") from error


def _place(data: bytes, text: str) -> int:
    """Where the value of the hash begins."""
    return data.find(f'"{KEY}":"{text}"'.encode()) + len(KEY) + 4
