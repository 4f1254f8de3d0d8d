"""Small bags of every storage, and what reads them whole: targets of ``tools/fuzz.py``."""

from __future__ import annotations

import sqlite3
import struct
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

_TEXT, _PICTURE = "std_msgs/msg/String", "sensor_msgs/msg/Image"
_SAMPLES = 3


def _messages() -> list[tuple[str, str, bytes]]:
    """Topic, type and CDR of a few messages."""
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    text = [bytes(store.serialize_cdr(store.types[_TEXT](data=f"text {i}"), _TEXT)) for i in range(_SAMPLES)]
    return [("/text", _TEXT, data) for data in text] + [("/cam", _PICTURE, b"\0\1\0\0" + bytes(60))] * _SAMPLES


def _rosbag2(folder: Path, storage: str, mode: str = "NONE") -> bytes:
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    writer = Writer(folder / f"{storage}_{mode}", version=9, storage_plugin=StoragePlugin[storage])
    writer.set_compression(CompressionMode[mode], CompressionFormat.ZSTD)
    store = get_typestore(Stores.ROS2_HUMBLE)
    with writer:
        connections = {
            (topic, kind): writer.add_connection(topic, kind, typestore=store)
            for topic, kind in dict.fromkeys((topic, kind) for topic, kind, _ in _messages())
        }
        for i, (topic, kind, data) in enumerate(_messages()):
            writer.write(connections[topic, kind], 10**9 + i * 10**8, data)
    (file,) = (p for p in (folder / f"{storage}_{mode}").iterdir() if p.name != "metadata.yaml")
    return file.read_bytes()


def _sqlite(folder: Path) -> bytes:
    """A database of small pages, so that mutations reach all of it."""
    path = folder / "small.db3"
    path.write_bytes(_rosbag2(folder, "SQLITE3"))
    with sqlite3.connect(path, isolation_level=None) as storage:
        storage.execute("PRAGMA journal_mode = DELETE")
        storage.execute("PRAGMA page_size = 512")
        storage.execute("UPDATE message_definitions SET encoded_message_definition = ''")
        storage.execute("VACUUM")
    storage.close()
    return path.read_bytes()


def _ros1(folder: Path, compression: str) -> bytes:
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import Stores, get_typestore

    path = folder / f"{compression}.bag"
    writer, store = Writer(path), get_typestore(Stores.ROS1_NOETIC)
    if compression:
        writer.set_compression(Writer.CompressionFormat[compression])
    with writer:
        connection = writer.add_connection("/text", _TEXT, typestore=store)
        for i in range(_SAMPLES):
            writer.write(connection, 10**9 + i, struct.pack("<I", 6) + f"text {i}".encode())
    return path.read_bytes()


def seeds(kind: str) -> dict[str, bytes]:
    """Whole bags of a storage ("mcap", "sqlite", "ros1"), also compressed, by name."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if kind == "mcap":
            return {f"mcap {mode}": _rosbag2(folder, "MCAP", mode) for mode in ("NONE", "MESSAGE", "STORAGE")}
        if kind == "sqlite":
            return {"sqlite": _sqlite(folder)}
        return {f"ros1 {name}": _ros1(folder, name) for name in ("", "BZ2", "LZ4")}


def metadata() -> dict[str, bytes]:
    """The metadata.yaml of the whole MCAP bag."""
    with tempfile.TemporaryDirectory() as made:
        _rosbag2(Path(made), "MCAP")
        return {"metadata": (Path(made) / "MCAP_NONE" / "metadata.yaml").read_bytes()}


@cache
def _whole() -> bytes:
    return seeds("mcap")["mcap NONE"]


def read(data: bytes) -> int:
    """Read a storage file to its end; returns the number of its messages.

    Raises:
        SourceError: nothing in it can be read.
    """
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        path = Path(folder) / "bag"
        path.write_bytes(data)
        return _read(path)


def read_folder(data: bytes) -> int:
    """Read a whole bag with this metadata.yaml; returns the number of its messages.

    Raises:
        AssertionError: messages are lost, though the storage file is whole.
    """
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        Path(folder, "MCAP_NONE.mcap").write_bytes(_whole())
        Path(folder, "metadata.yaml").write_bytes(data)
        found = _read(Path(folder))
        assert found == 2 * _SAMPLES, f"{found} messages"
        return found


def _read(path: Path) -> int:
    from trust_seg_ros.bags.reader import BagReader

    with BagReader.open(path) as reader:
        times = [message.recorded_ns for message in reader.messages()]
        assert times == sorted(times), "messages out of order"
        assert isinstance(reader.damage, str)
        return len(times)


def _memory() -> Path | None:
    """A folder in memory, where there is one."""
    return Path("/dev/shm") if Path("/dev/shm").is_dir() else None


BAGS: dict[str, tuple[Callable[[], dict[str, bytes]], Callable[[bytes], object]]] = {
    **{f"{kind} bag": (partial(seeds, kind), read) for kind in ("mcap", "sqlite", "ros1")},
    "bag metadata": (metadata, read_folder),
}
"""Name of a target -> its valid inputs, and what reads one."""
