"""Files of meta models and calibrations: JSON with a format, a version and a content hash, made for one network."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.support.content_hash import DamagedError, check_json, with_hash
from trust_seg_ros.support.json_parts import JsonError
from trust_seg_ros.support.reading import read_json_file, shown
from trust_seg_ros.support.resumable import write_text
from trust_seg_ros.types import Json

WITHOUT_HASH = 1
"""Version of files without a content hash."""
_log = logging.getLogger(__name__)
_PROGRAMS = (".pt2", ".ts", ".torchscript", ".pt")


@contextmanager
def raised_as(kind: type[TrustSegError]) -> Iterator[None]:
    """Turn a :class:`JsonError` into an error of another kind with the same text."""
    try:
        yield
    except JsonError as error:
        raise kind(str(error)) from error


def portable_name(network: str) -> str:
    """Name of a network without its location: ``/models/net.pt2`` and ``./net.pt2`` are both ``net.pt2``.

    ``embedded``, ``embedded:NAME``, ``hf:organisation/name`` and ``package.module:callable`` stay as they are.
    """
    if network.startswith("hf:") or (":" in network and "/" not in network):
        return network
    return Path(network).absolute().name


def fingerprint(features: Sequence[str], *numbers: np.ndarray | float) -> str:
    """Twelve characters that identify a model's content, independent of the file's name."""
    content = hashlib.sha256("\n".join(features).encode())
    for part in numbers:
        content.update(np.asarray(part, np.float64).tobytes())
    return content.hexdigest()[:12]


class MadeFor(NamedTuple):
    """A network that something was made for, or is used with.

    Attributes:
        name: its name, with or without a location.
        class_names: its classes, in order.
        sha256: hash of its weights; "" = not known: the file is older than hashes, or the network has none.
    """

    name: str
    class_names: tuple[str, ...]
    sha256: str = ""


def check_network(fitted: MadeFor, running: MadeFor, what: str, way_out: str) -> None:
    """Refuse a model that was fitted for another network.

    The network's file or folder may have moved. Where both hashes are known, they must be equal; otherwise names and
    classes decide, and a warning says so once.

    Args:
        fitted: the network the model was fitted for.
        running: the network it is used with.
        what: the model, for the error text.
        way_out: what to do, for the error text.

    Raises:
        JsonError: names, classes or hashes differ.
    """
    if _without_format(portable_name(fitted.name)) != _without_format(portable_name(running.name)):
        raise JsonError(f"{what} was fitted for network {fitted.name!r}, running is {running.name!r}; {way_out}")
    if fitted.class_names != running.class_names:
        raise JsonError(
            f"{what} knows the {len(fitted.class_names)} classes {', '.join(fitted.class_names)}; "
            f"the network has {len(running.class_names)}: {', '.join(running.class_names)}; {way_out}"
        )
    if fitted.sha256 and running.sha256 and fitted.sha256 != running.sha256:
        raise JsonError(
            f"{what} was fitted for other weights of network {running.name!r}: sha256 {fitted.sha256}, running is "
            f"{running.sha256}; {way_out}, or load the file with the former hash"
        )
    if running.sha256 and not fitted.sha256:
        _warn_unknown(what, fitted.name)


@lru_cache(maxsize=64)
def _warn_unknown(what: str, network: str) -> None:
    _log.warning("%s (an older file) does not say for which weights of %r it was made: names decide", what, network)


def write_json(content: Json, path: str | Path, what: str, *, short_lists: bool = False) -> None:
    """Write a model file with its content hash; atomic rename, so an interrupted run leaves nothing half-written.

    Args:
        content: plain values, among them "format" and "version".
        path: the file.
        what: kind of file, for the error text.
        short_lists: lists of numbers on one line each.

    Raises:
        JsonError: the file cannot be written.
    """
    path = Path(path).expanduser()
    text = json.dumps(with_hash(content), indent=2, allow_nan=False) + "\n"
    if short_lists:
        text = re.sub(r"\[\s+([^\[\]{}\"]*?)\s+\]", lambda found: "[" + " ".join(found[1].split()) + "]", text)
    try:
        write_text(path, text)
    except OSError as error:
        raise JsonError(f"{path}: {what} cannot be written there ({error.strerror})") from error


def read_json(path: Path, form: str, version: int, what: str, remedy: str, make_anew: str) -> Json:
    """Read a model file of one format and check its content hash.

    Version 1 had no hash and differs in nothing else; it is accepted with a warning.

    Args:
        path: the file.
        form, version: required values of its entries "format" and "version".
        what: kind of file, for error texts.
        remedy: what to do if the file is missing, for the error text.
        make_anew: what to do if it is damaged, for the error text.

    Raises:
        JsonError: missing, not JSON, of another format or version, or its content does not match its hash.
    """
    if not path.exists():
        raise JsonError(f"{path}: no such {what}; {remedy}")
    data = read_json_file(path, "JSON file", JsonError)
    if not isinstance(data, dict) or data.get("format") != form:
        raise JsonError(f'{path}: not a {what} (expected "format": "{form}")')
    if data.get("version") not in (WITHOUT_HASH, version):
        raise JsonError(f"{path}: version {shown(data.get('version'))}, this program reads version {version}")
    try:
        check_json(data, path, make_anew, required=data["version"] != WITHOUT_HASH)
    except DamagedError as error:
        raise JsonError(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise JsonError(f"{path}: not a readable JSON file ({error})") from error
    return data


def _without_format(name: str) -> str:
    path = Path(name)
    return path.stem if path.suffix.lower() in _PROGRAMS else name
