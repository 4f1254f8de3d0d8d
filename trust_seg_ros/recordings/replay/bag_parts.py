"""A rosbag2 of several files: each is written separately, and ``metadata.yaml`` for all of them comes last."""

from __future__ import annotations

import errno
import io
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from trust_seg_ros.bags.reader import BagTopic
from trust_seg_ros.recordings.replay.errors import ReplayError
from trust_seg_ros.recordings.replay.message_types import type_store
from trust_seg_ros.support.reading import reading
from trust_seg_ros.support.yaml_text import read_yaml, yaml12

NAME = "trust_seg"
SUFFIX = {"mcap": ".mcap", "sqlite3": ".db3"}
_VERSION: Final = 8
"""Version of the metadata: the newest that Humble, Jazzy and Kilted all read."""
_FASTEST = 1
"""zstd level. Masks and maps shrink to a third; higher levels take several times as long for a tenth less."""

Metadata = dict[str, Any]


def file_name(index: int, storage: str) -> str:
    """File name of one part; rosbag2 numbers the files of a split bag like this."""
    return f"{NAME}_{index}{SUFFIX[storage]}"


def can_declare(topic: BagTopic) -> bool:
    """Whether a bag can hold a topic, that is whether its type is defined in the recording or known here."""
    return bool(topic.definition and topic.digest) or topic.type_name in type_store().fielddefs


class PartWriter:
    """One file of the bag.

    Args:
        folder: an existing folder; the file is made in its own folder below it.
        index: number of the part.
        storage: ``mcap`` or ``sqlite3``.
        compression: ``zstd`` or ``none``.

    Raises:
        OSError: by every method: the disk is full or cannot be written to, whatever error the storage library raises.
    """

    def __init__(self, folder: Path, index: int, storage: str, compression: str) -> None:
        from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

        self.path = folder / f"{NAME}_{index}"
        self._writer = Writer(self.path, version=_VERSION, storage_plugin=StoragePlugin[storage.upper()])
        if compression == "zstd":
            mode = CompressionMode.STORAGE if storage == "mcap" else CompressionMode.MESSAGE
            self._writer.set_compression(mode, CompressionFormat.ZSTD)
        with _as_system_errors():
            self._writer.open()
        if compression == "zstd" and storage == "mcap":
            self._writer.storage.compressor = _compress_fast  # type: ignore[union-attr]  # of its MCAP writer only
        self._connections: dict[str, Any] = {}

    def write(self, topic: BagTopic, recorded_ns: int, data: bytes | bytearray) -> None:
        """Add a message; a topic is declared with its first message."""
        with _as_system_errors():
            connection = self._connections.get(topic.name)
            if connection is None:
                connection = self._connections[topic.name] = self._declare(topic)
            self._writer.write(connection, recorded_ns, memoryview(data))

    def close(self) -> Path:
        """Finish the file and return its path."""
        with _as_system_errors():
            self._writer.close()
        return next(p for p in self.path.iterdir() if p.suffix in SUFFIX.values())

    def abort(self) -> None:
        """Leave the file unfinished."""
        self._writer.abort()

    def _declare(self, topic: BagTopic) -> Any:
        declare = partial(self._writer.add_connection, topic.name, topic.type_name, offered_qos_profiles=topic.qos)
        if topic.definition and topic.digest:
            return declare(msgdef=topic.definition, rihs01=topic.digest)
        return declare(typestore=type_store())


@contextmanager
def _as_system_errors() -> Iterator[None]:
    """Turn SQLite's errors into OSError; in Python 3.10 only their texts tell them apart."""
    try:
        yield
    except sqlite3.OperationalError as error:
        number = errno.ENOSPC if "full" in str(error) else errno.EIO
        raise OSError(number, f"SQLite: {error}") from error


def part_metadata(folder: Path) -> Metadata:
    """Metadata of a finished part.

    Raises:
        ReplayError: it is missing or damaged.
    """
    path = folder / "metadata.yaml"
    with reading(path, "metadata.yaml of a part", ReplayError):
        return read_yaml(path, "YAML file", ReplayError, yaml12())["rosbag2_bagfile_information"]


def join_metadata(parts: Sequence[Metadata], custom: dict[str, str]) -> str:
    """``metadata.yaml`` of the bag made of these parts, in their order.

    Args:
        parts: metadata of finished parts with at least one message each; at least one part.
        custom: additional facts to store.
    """
    starts = [part["starting_time"]["nanoseconds_since_epoch"] for part in parts]
    ends = [start + part["duration"]["nanoseconds"] for start, part in zip(starts, parts, strict=True)]
    topics: dict[str, Metadata] = {}
    for part in parts:
        for entry in part["topics_with_message_count"]:
            name = entry["topic_metadata"]["name"]
            count = topics[name]["message_count"] if name in topics else 0
            topics[name] = {**entry, "message_count": count + entry["message_count"]}
    whole = {
        **parts[0],
        "relative_file_paths": [path for part in parts for path in part["relative_file_paths"]],
        "duration": {"nanoseconds": max(ends) - min(starts)},
        "starting_time": {"nanoseconds_since_epoch": min(starts)},
        "message_count": sum(part["message_count"] for part in parts),
        "topics_with_message_count": [topics[name] for name in sorted(topics)],
        "files": [file for part in parts for file in part["files"]],
        "custom_data": custom,
    }
    text = io.StringIO()
    _yaml().dump({"rosbag2_bagfile_information": whole}, text)
    return text.getvalue()


def _compress_fast(data: bytes) -> bytes:
    from backports import zstd

    return zstd.compress(data, _FASTEST)


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    return yaml
