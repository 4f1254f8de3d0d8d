"""The storage files of a bag, and its ``metadata.yaml``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from backports import zstd

from trust_seg_ros.bags.definitions import full_type_name, qos_profiles
from trust_seg_ros.bags.kinds import MCAP, ROS1, SQLITE, ZSTD, is_storage_file
from trust_seg_ros.bags.types import DamagedBag, Storage
from trust_seg_ros.support.natural_order import natural_key
from trust_seg_ros.support.reading import lfs_pointer, reason
from trust_seg_ros.support.yaml_text import read_yaml, yaml12

_METADATA = "metadata.yaml"
_MOST_VALUES = 5_000_000  # a bag of 100,000 files has a million


@dataclass(frozen=True)
class StatedTopic:
    """A topic as metadata.yaml lists it: type, number of messages, RIHS01 hash and QoS profiles."""

    type_name: str
    messages: int
    digest: str
    qos: tuple


@dataclass(frozen=True)
class Metadata:
    """Content of metadata.yaml.

    Attributes:
        files: names of its storage files.
        messages: number of messages in the bag.
        topics: by name.
    """

    files: tuple[str, ...] = ()
    messages: int = 0
    topics: Mapping[str, StatedTopic] = field(default_factory=dict)


def storage_files(folder: Path) -> list[Path]:
    """The storage files of a rosbag2 folder, in natural order (drive_2 before drive_10)."""
    return sorted(filter(is_storage_file, folder.iterdir()), key=lambda path: natural_key(path.name))


def read_metadata(folder: Path) -> Metadata:
    """Read metadata.yaml.

    Raises:
        DamagedBag: the file is missing, or is not what rosbag2 writes; the text says which.
    """
    path = folder / _METADATA
    if not path.is_file():
        raise DamagedBag(f"{_METADATA} is missing, so its storage files are read as they are")
    try:
        content = read_yaml(path, "YAML file", DamagedBag, yaml12(_MOST_VALUES))
        stated = content["rosbag2_bagfile_information"]
        topics = {}
        for entry in stated["topics_with_message_count"]:
            about = entry["topic_metadata"]
            digest, qos = about.get("type_description_hash") or "", about.get("offered_qos_profiles")
            name, count = str(about["name"]), int(entry["message_count"])
            topics[name] = StatedTopic(full_type_name(str(about["type"])), count, str(digest), qos_profiles(qos))
        files = tuple(PurePosixPath(name).name for name in stated["relative_file_paths"])
        return Metadata(files, int(stated["message_count"]), topics)
    except Exception as error:  # any entry may be missing or of any type
        raise DamagedBag(
            f"{_METADATA} cannot be used ({reason(error)}), so its storage files are read as they are"
        ) from error


def open_storage(path: Path, scratch: Callable[[], Path]) -> Storage:
    """Open a storage file; its kind is recognised by its first bytes, not by its name.

    Args:
        path: the file; one compressed as a whole is unpacked first.
        scratch: makes an empty folder for the unpacked file.

    Raises:
        DamagedBag: nothing in it can be read.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(16)
        if magic.startswith(ZSTD):
            return _open_packed(path, scratch())
        return _open_plain(path, magic)
    except OSError as error:
        raise DamagedBag(f"it cannot be opened: {error.strerror or error}") from error


def _open_plain(path: Path, magic: bytes) -> Storage:
    from trust_seg_ros.bags.mcap import open_mcap
    from trust_seg_ros.bags.ros1 import open_ros1
    from trust_seg_ros.bags.sqlite import open_sqlite

    for begin, opened in ((MCAP, open_mcap), (SQLITE, open_sqlite), (ROS1, open_ros1)):
        if magic.startswith(begin):
            return opened(path)
    if pointer := lfs_pointer(path):
        raise DamagedBag(pointer)
    begins = magic.hex(" ") or "nothing: it is empty"
    raise DamagedBag(
        f"it begins with {begins}; expected an MCAP file, an SQLite file of rosbag2, a ROS 1 bag of version 2.0, or "
        "one of the former compressed with zstd"
    )


def _open_packed(path: Path, scratch: Path) -> Storage:
    unpacked, trouble = scratch / path.stem, ""
    with path.open("rb") as packed, unpacked.open("wb") as out:
        try:
            shutil.copyfileobj(zstd.ZstdFile(packed), out)
        except (zstd.ZstdError, EOFError) as error:
            trouble = f"{path.name}: its compression breaks off ({error})"
    with unpacked.open("rb") as file:
        storage = _open_plain(unpacked, file.read(16))
    if trouble:
        storage.remarks.add(trouble)
    return storage
