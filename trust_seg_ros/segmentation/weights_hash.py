"""The hash that identifies a network's weights, and the check of the hash a user asks for.

=========================  ==================================================================================
compact network, program   SHA-256 of the file
folder, ``hf:``            of what ``sha256sum`` prints for its configuration and weights, see ``MODEL_FILES``
factory                    of the names, types, shapes and values of its ``state_dict``; "" without tensors
=========================  ==================================================================================
"""

from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from trust_seg_ros.segmentation.errors import ModelFileError, ModelSpecError
from trust_seg_ros.support.content_hash import SHORTEST, DamagedError, hash_of_file, hash_of_hashes, is_hash
from trust_seg_ros.support.reading import reason
from trust_seg_ros.support.tensor_file import check_tensors

MODEL_FILES = ("config.json", "preprocessor_config.json", "processor_config.json")
"""Files of a Hugging Face model in its hash, where they exist, beside every ``.safetensors`` file and index."""

_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError, RuntimeError)


def checked_sha256(text: str) -> str:
    """A hash that a user asks for, in lower case; "" = any.

    Raises:
        ModelSpecError: it is neither a SHA-256 nor its beginning.
    """
    if text and not is_hash(text):
        raise ModelSpecError(
            f"model_sha256 is {text!r}; expected the 64 hexadecimal digits that sha256sum prints, or the first "
            f"{SHORTEST} or more; empty: any network"
        )
    return text.lower()


def require_sha256(found: str, wanted: str, network: str) -> None:
    """Refuse a network with another hash than the wanted one.

    Args:
        found: hash of the network; "" = it has none.
        wanted: a hash or its beginning, in lower case; "" = any.
        network: its name.

    Raises:
        ModelFileError: they differ.
    """
    if wanted and not found:
        raise ModelFileError(
            f"network {network!r} has no weights to hash, but model_sha256 asks for {wanted}; leave it empty"
        )
    if not found.startswith(wanted):
        raise ModelFileError(
            f"network {network!r} has sha256 {found}, but model_sha256 asks for {wanted}: another or a damaged file; "
            "copy the right one, or set model_sha256 to this hash (empty: any)"
        )


class HashInBackground:
    """The hash of files, computed in a thread while they are loaded."""

    def __init__(self, compute: Callable[[], str]) -> None:
        pool = ThreadPoolExecutor(1, "model hash")
        self._future = pool.submit(compute)
        pool.shutdown(wait=False)

    def result(self) -> str:
        """Wait for the hash.

        Raises:
            ModelFileError: a file cannot be read, or is damaged.
        """
        try:
            return self._future.result()
        except OSError as error:
            raise ModelFileError(f"{error.filename}: cannot be read: {error.strerror or error}") from error


def hash_of_program(path: Path) -> str:
    """Hash of a .pt2 or TorchScript file, after a look at the checksums of its parts, which torch does not check.

    Raises:
        OSError: it cannot be read.
        ModelFileError: a part does not match its checksum.
    """
    digest = hash_of_file(path)
    if not zipfile.is_zipfile(path):
        return digest  # the loader says what it is instead
    try:
        with zipfile.ZipFile(path) as archive:
            hurt = archive.testzip()
    except _ZIP_ERRORS as error:
        raise ModelFileError(f"{path}: damaged: {reason(error)}; copy or export it again") from error
    if hurt is not None:
        raise ModelFileError(f"{path}: damaged: {hurt} in it does not match its checksum; copy or export it again")
    return digest


def hash_of_folder(folder: Path) -> str:
    """Hash of a Hugging Face model in a folder, after a check of the hashes that its weights carry.

    Raises:
        OSError: a file cannot be read.
        ModelFileError: weights do not match the hash that this package wrote into them, or that the cache of Hugging
            Face names them by.
    """
    weights = sorted(folder.glob("*.safetensors"))
    others = [folder / name for name in MODEL_FILES] + list(folder.glob("*.safetensors.index.json"))
    hashes = {path.name: hash_of_file(path) for path in (*weights, *others) if path.is_file()}
    for path in weights:
        try:
            check_tensors(path, "copy it again from where it was trained")
        except (DamagedError, SafetensorError) as error:
            raise ModelFileError(str(error) if isinstance(error, DamagedError) else f"{path}: {error}") from error
        blob = path.resolve().name
        if path.is_symlink() and len(blob) == 64 and is_hash(blob) and hashes[path.name] != blob:
            raise ModelFileError(
                f"{path.resolve()}: damaged: its sha256 is {hashes[path.name]}, not its name; delete it and download "
                "it again"
            )
    return hash_of_hashes(hashes)


def hash_of_module(module: nn.Module) -> str:
    """Hash of a module's ``state_dict``; "" if it holds no tensors or they cannot be read as bytes."""
    digest, empty = hashlib.sha256(), True
    for name, value in sorted(module.state_dict().items()):
        if not isinstance(value, torch.Tensor):
            continue
        try:
            content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        except (RuntimeError, TypeError, NotImplementedError):  # quantised, sparse and other special tensors
            return ""
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(content.data)
        empty = False
    return "" if empty else digest.hexdigest()
