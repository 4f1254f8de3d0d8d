"""Content hashes (SHA-256) of the files this package writes, ships or loads, so that damage is an error, not a result.

Three forms, one for each kind of file:

- JSON: the entry ``sha256`` is the hash of all other entries in a canonical form; layout and line ends do not matter.
- safetensors: see ``tensor_file``.
- other files of ours (checkpoints, rows of unfinished tables): the last bytes are the hash of all before them.

Files of other programs have no hash inside; :func:`hash_of_file` and :func:`hash_of_files` identify them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from trust_seg_ros.errors import TrustSegError

KEY = "sha256"
SHORTEST = 12
"""Fewest digits by which a user may name a hash."""
_TRAILER = b"\ntrust_seg_ros sha256 "
_TRAILER_SIZE = len(_TRAILER) + hashlib.sha256().digest_size
_BLOCK = 1 << 20

_log = logging.getLogger(__name__)


class DamagedError(TrustSegError):
    """The content of a file does not match the hash stored in it."""


def damaged(path: Path, way_out: str) -> DamagedError:
    """The error for a file whose content does not match its hash."""
    return DamagedError(f"{path}: content does not match its own sha256: damaged or edited by hand; {way_out}")


def hash_of_json(content: Mapping[str, object]) -> str:
    """64 hexadecimal digits of a JSON object without its entry ``sha256``; the order of keys does not matter."""
    rest = {key: value for key, value in content.items() if key != KEY}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def with_hash(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same JSON object with its hash as the last entry."""
    rest = {key: value for key, value in content.items() if key != KEY}
    return {**rest, KEY: hash_of_json(rest)}


def check_json(content: Mapping[str, object], path: Path, way_out: str, *, required: bool) -> None:
    """Check the hash of a JSON object that was read from ``path``.

    Args:
        content: the object.
        path: its file, for messages.
        way_out: what to do about damage, for the error text.
        required: whether a missing hash is damage; otherwise it is accepted with a warning, once for each file.

    Raises:
        DamagedError: the content does not match the hash, or a required hash is missing.
    """
    if KEY not in content and not required:
        warn_unchecked(path)
    elif content.get(KEY) != hash_of_json(content):
        raise damaged(path, way_out)


@lru_cache(maxsize=256)
def warn_unchecked(path: Path) -> None:
    """Warn, once for each file, that it has no hash."""
    _log.warning("%s: an older file without a content hash: damage to it cannot be noticed; make it anew", path)


def sealed(content: bytes) -> bytes:
    """``content`` followed by its hash."""
    return content + _TRAILER + hashlib.sha256(content).digest()


def unsealed(data: bytes, path: Path, way_out: str) -> bytes:
    """The content of :func:`sealed`.

    Raises:
        DamagedError: the content does not match the hash, or there is none, as in files of earlier versions.
    """
    content, trailer = data[:-_TRAILER_SIZE], data[-_TRAILER_SIZE:]
    if trailer != _TRAILER + hashlib.sha256(content).digest():
        raise damaged(path, way_out)
    return content


def hash_of_file(path: Path) -> str:
    """64 hexadecimal digits of a file's content, as ``sha256sum`` prints; releases the GIL.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        buffer = memoryview(bytearray(_BLOCK))
        while size := file.readinto(buffer):
            digest.update(buffer[:size])
    return digest.hexdigest()


@lru_cache(maxsize=4096)
def hash_once(path: Path, changed_ns: int) -> str:
    """As :func:`hash_of_file`, remembered while ``changed_ns``, the file's time of modification, is the same."""
    return hash_of_file(path)


def hash_of_hashes(hashes: Mapping[str, str]) -> str:
    """One hash of several files, name -> hash: that of what ``sha256sum`` prints for them, sorted by name."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def network_sha256(network: object) -> str:
    """Hash of the weights of a loaded network, its attribute ``sha256``; "" if it does not say."""
    return str(getattr(network, "sha256", ""))


def is_hash(text: str) -> bool:
    """Whether a text is a SHA-256 in hexadecimal digits, or its first 12 or more."""
    return re.fullmatch(rf"[0-9a-fA-F]{{{SHORTEST},64}}", text) is not None
