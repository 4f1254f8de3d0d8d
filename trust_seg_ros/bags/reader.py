"""One reader for all bags: rosbag2 (SQLite, MCAP; compressed or not; split or not) and ROS 1, whole or damaged."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING

from trust_seg_ros.bags.errors import MissingLibrary, NoImageTopic, NothingThere, SourceError
from trust_seg_ros.bags.merge import Part, merge_by_time
from trust_seg_ros.bags.topics import topics_of
from trust_seg_ros.bags.types import (
    IMAGE_TYPES,
    LATEST_NS,
    BagMessage,
    BagTopic,
    DamagedBag,
    Remarks,
    Storage,
    is_node_output,
)
from trust_seg_ros.support.libraries import how_to_install

if TYPE_CHECKING:
    from trust_seg_ros.bags.folder import Metadata

__all__ = ["BagMessage", "BagReader", "BagTopic"]

_BEGINNING = -(1 << 63)


class BagReader:
    """Reads the messages of a bag in order of time, whatever its storage.

    Messages come in order of recording time; at equal times in order of the storage files (as listed in metadata.yaml,
    else in natural order), then of their position in the file. Memory stays flat: only chunks that overlap in time are
    held at once. Opening an intact bag reads only its index; a bag without a usable index is scanned once.

    Attributes:
        path: the bag.
        topics: by name; if one name was recorded with several types, the first that holds images, else the first.
        start_ns: time of the first message, nanoseconds since the epoch; 0 without messages.
        end_ns: time of the last message + 1; 0 without messages.
    """

    def __init__(
        self,
        path: Path,
        storages: Sequence[Storage],
        topics: Mapping[str, BagTopic],
        remarks: Remarks,
        scratch: ExitStack,
    ) -> None:
        self.path, self.topics = path, MappingProxyType(dict(topics))
        self._storages, self._remarks = tuple(storages), remarks
        filled = [s for s in storages if s.end_ns > s.start_ns]
        self.start_ns = min((s.start_ns for s in filled), default=0)
        self.end_ns = max((s.end_ns for s in filled), default=0)
        self._scratch = scratch

    @classmethod
    def open(cls, path: Path) -> BagReader:
        """Open a bag.

        Args:
            path: a rosbag2 folder, one of its storage files, or a ROS 1 bag. Without a usable metadata.yaml,
                all storage files in the folder are read.

        Raises:
            MissingLibrary: ``rosbags`` is not installed.
            NothingThere: no such path, or no storage files in it.
            SourceError: none of its files can be read.
        """
        _require_library(path)
        if not path.exists():
            raise NothingThere(f"{path} does not exist; expected a rosbag2 folder, or a .mcap, .db3 or .bag file")
        remarks, metadata, files = Remarks(), None, [path]
        if path.is_dir():
            files, metadata = _files_of_folder(path, remarks)
        with ExitStack() as scratch:
            storages = _open_all(path, files, scratch, remarks)
            topics = topics_of(storages, metadata, remarks)
            return cls(path, storages, topics, remarks, scratch.pop_all())

    @property
    def damage(self) -> str:
        """What was lost, and how far the bag can be read; "" for an intact bag.

        Damage inside an indexed bag is noticed only when that place is read: ask again after the last message.
        """
        return "; ".join([*self._remarks, *(text for storage in self._storages for text in storage.remarks)])

    def image_topics(self) -> tuple[str, ...]:
        """Names of the topics of Image and CompressedImage, sorted."""
        return tuple(sorted(name for name, topic in self.topics.items() if topic.type_name in IMAGE_TYPES))

    def camera_topics(self) -> tuple[str, ...]:
        """Image topics except outputs of this package; all of them if nothing else is left."""
        images = self.image_topics()
        return tuple(name for name in images if not is_node_output(name)) or images

    def require_images(self, topics: Sequence[str]) -> tuple[str, ...]:
        """Check that topics hold images.

        Args:
            topics: their names; none selects the only camera in the bag.

        Returns:
            The names in the order given, without repetitions.

        Raises:
            NoImageTopic: one is missing, or of another type; without names, if there are none or several.
        """
        images = self.image_topics()
        for name in topics:
            if name not in self.topics:
                raise NoImageTopic(f"{self.path} has no topic {name}; its topics: {self._listed()}")
            if name not in images:
                raise NoImageTopic(
                    f"{name} in {self.path} holds {self.topics[name].type_name}; expected {' or '.join(IMAGE_TYPES)}; "
                    f"its topics: {self._listed()}"
                )
        if topics:
            return tuple(dict.fromkeys(topics))
        if not images:
            raise NoImageTopic(f"{self.path} has no topic of {' or '.join(IMAGE_TYPES)}; its topics: {self._listed()}")
        cameras = self.camera_topics()
        if len(cameras) > 1:
            raise NoImageTopic(
                f"{self.path} has {len(cameras)} image topics: choose from {', '.join(cameras)}; its topics: "
                f"{self._listed()}"
            )
        return cameras

    def messages(
        self, topics: Collection[str] | None = None, start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[BagMessage]:
        """Messages recorded in [start, stop), in order of time; several iterations may run at once.

        Args:
            topics: names; None for every topic.
            start_ns: None for the first message.
            stop_ns: None to read to the end.

        Raises:
            NoImageTopic: the bag has no topic of such a name.
            SourceError: a file that could be read when the bag was opened cannot be read any more.
        """
        chosen = frozenset(self.topics if topics is None else topics)
        missing = ", ".join(sorted(chosen - self.topics.keys()))
        if missing:
            raise NoImageTopic(f"{self.path} has no topic {missing}; its topics: {self._listed()}")
        wanted = frozenset((name, self.topics[name].type_name) for name in chosen)
        start, stop = _BEGINNING if start_ns is None else start_ns, LATEST_NS if stop_ns is None else stop_ns
        parts = [
            Part(storage.start_ns, partial(self._of_file, storage, wanted, start, stop))
            for storage in self._storages
            if storage.end_ns > max(start, storage.start_ns) and storage.start_ns < stop
        ]
        return merge_by_time(parts)

    def _of_file(
        self, storage: Storage, topics: frozenset[tuple[str, str]], start: int, stop: int
    ) -> Iterator[BagMessage]:
        try:
            yield from storage.messages(topics, start, stop)
        except (DamagedBag, OSError) as error:
            raise SourceError(
                f"{storage.path} is damaged or gone since it was opened ({error}); copy it again and start anew"
            ) from error

    def _listed(self) -> str:
        return ", ".join(f"{t.name} ({t.type_name}, {t.messages} messages)" for t in _by_name(self.topics)) or "none"

    def close(self) -> None:
        """Delete the unpacked files; messages cannot be read afterwards."""
        self._scratch.close()

    def __enter__(self) -> BagReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _by_name(topics: Mapping[str, BagTopic]) -> list[BagTopic]:
    return [topics[name] for name in sorted(topics)]


def _require_library(path: Path) -> None:
    try:
        for name in ("rosbags.rosbag2", "apsw", "backports.zstd", "lz4.frame", "ruamel.yaml"):
            importlib.import_module(name)
    except ImportError as error:  # rosbags before 0.11 does not install all of them
        raise MissingLibrary(
            f"reading the bag {path} needs the library rosbags with all it brings ({error}); install it: "
            f"{how_to_install('rosbags')}"
        ) from error


def _files_of_folder(folder: Path, remarks: Remarks) -> tuple[list[Path], Metadata | None]:
    """Storage files of a folder in reading order, and its metadata if usable."""
    from trust_seg_ros.bags.folder import read_metadata, storage_files

    present = storage_files(folder)
    metadata: Metadata | None = None
    try:
        stated = read_metadata(folder)
    except DamagedBag as error:
        remarks.add(str(error))
        files = present
    else:
        metadata, listed = stated, [folder / name for name in dict.fromkeys(stated.files)]
        for path in listed:
            if not path.is_file():
                remarks.add(f"{path.name} is missing, although metadata.yaml lists it")
        files = [path for path in listed if path.is_file()]
        for path in present:
            if path not in listed:
                remarks.add(f"{path.name} is not listed in metadata.yaml, and is read too")
                files.append(path)
    if not files:
        raise NothingThere(
            f"{folder} holds no storage files of a bag ({'; '.join(remarks)}); expected .mcap or .db3 files, as "
            "ros2 bag record writes them"
        )
    return files, metadata


def _open_all(path: Path, files: Sequence[Path], scratch: ExitStack, remarks: Remarks) -> list[Storage]:
    from trust_seg_ros.bags.folder import open_storage

    storages: list[Storage] = []
    troubles = []

    def folder() -> Path:
        return Path(scratch.enter_context(tempfile.TemporaryDirectory(prefix="trust_seg_bag_")))

    for file in files:
        try:
            storage = open_storage(file, folder)
            if storage.remarks and storage.end_ns <= storage.start_ns:
                raise DamagedBag("; ".join(storage.remarks))
            storages.append(storage)
        except DamagedBag as error:
            troubles.append(f"{file.name}: {error}" if not str(error).startswith(file.name) else str(error))
    if not storages:
        raise SourceError(
            f"{path} cannot be read as a bag: {'; '.join(troubles)}; expected a rosbag2 folder, or a .mcap, .db3 or "
            ".bag file with at least one whole message: copy it again from where it was recorded"
        )
    for text in troubles:
        remarks.add(f"nothing of {text}" if not text.startswith("nothing") else text)
    return storages
