"""What is mined: recordings, folders of images, and the images of labelled data sets. All are read twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trust_seg_ros.datasets.layouts import find_split, has_splits
from trust_seg_ros.datasets.names import listed
from trust_seg_ros.mining.errors import MiningError
from trust_seg_ros.recordings.bags import is_bag
from trust_seg_ros.recordings.files import IMAGE_SUFFIXES, FolderSource
from trust_seg_ros.recordings.refusals import Refusals
from trust_seg_ros.recordings.sources import SYNTHETIC, FrameSource, open_source
from trust_seg_ros.recordings.videos import VideoSource
from trust_seg_ros.support.natural_order import natural_key
from trust_seg_ros.types import Frame


@dataclass(frozen=True)
class Origin:
    """One thing that is mined.

    Attributes:
        name: as the user typed it.
        source: a recording; each iteration starts from the beginning. None where ``images`` are read instead.
        images: files of images, which have no times.
        file: the file or folder that is read; None = shipped with this package.
        refusals: takes images that cannot be read, which are left out; None = the first one is an error.
    """

    name: str
    source: FrameSource | None = None
    images: tuple[Path, ...] = ()
    file: Path | None = None
    refusals: Refusals | None = None

    @property
    def stem(self) -> str:
        """What the names of a recording's frames begin with."""
        return self.name if self.file is None else self.file.resolve().stem

    @property
    def topic(self) -> str:
        """Image topic of a bag; "" of everything else."""
        return str(getattr(self.source, "topic", ""))

    @property
    def expected(self) -> int | None:
        """Number of frames as far as it is stated before they are read; None = not known."""
        return len(self.images) if self.source is None else getattr(self.source, "frames", 0) or None

    def frames(self) -> Iterator[tuple[int, str, int | None, Frame]]:
        """Number from 0, name, time in nanoseconds (None: it has none) and the frame itself."""
        if self.source is None:
            for number, path in enumerate(self.images):
                yield from ((number, path.stem, None, frame) for frame in self._image(path))
            return
        first = None
        for number, frame in enumerate(self.source):
            first = frame.stamp_ns if first is None else first
            yield number, f"{self.stem} {(frame.stamp_ns - first) / 1e9:09.3f}s", frame.stamp_ns, frame

    def file_of(self, number: int) -> str:
        """Path of the image file that a frame is read from; "" for a frame of a recording."""
        return str(self.images[number]) if self.source is None else ""

    def some(self, numbers: set[int]) -> Iterator[tuple[int, Frame]]:
        """The frames of these numbers, in order; a recording is read as far as the last of them."""
        if self.source is None:
            for number in sorted(numbers & set(range(len(self.images)))):
                yield from ((number, frame) for frame in self._image(self.images[number]))
            return
        last = max(numbers, default=-1)
        for number, frame in enumerate(self.source):
            if number in numbers:
                yield number, frame
            if number >= last:
                return

    def _image(self, path: Path) -> Iterator[Frame]:
        """One frame, or none where it is refused."""
        return iter(FolderSource(path, refusals=self.refusals))


def open_origin(
    name: str, *, split: str | None = None, topic: str | None = None, refusals: Refusals | None = None
) -> Origin:
    """Open what the user typed.

    Args:
        name: everything that ``open_source`` takes and that has an end, or the folder of a labelled data set.
        split: of a labelled data set that has splits.
        topic: image topic of a bag; None = the first.
        refusals: takes images that cannot be read, which are left out; None = the first one is an error.

    Raises:
        MiningError: it has no end.
        DatasetError: a labelled data set has no such split.
        SourceError: the recording cannot be opened.
    """
    path = Path(name).expanduser()
    if name == SYNTHETIC:
        raise MiningError(f"{name}: the drawn drive has no end; mine a part of it, which trust-seg synthetic writes")
    if path.is_dir() and not is_bag(path) and (images := _labelled_images(path, split)):
        return Origin(name, images=images, file=path, refusals=refusals)
    source = open_source(path if path.exists() else name, topic=topic, refusals=refusals)
    if source.live:
        raise MiningError(f"{name}: a camera has no end; record it first, for example with ros2 bag record")
    if isinstance(source, FolderSource):
        return Origin(name, images=tuple(source.paths()), file=path, refusals=refusals)
    shipped = isinstance(source, VideoSource) and not path.exists()
    return Origin(name, source=source, file=None if shipped else path, refusals=refusals)


def _labelled_images(root: Path, split: str | None) -> tuple[Path, ...]:
    """Images of a labelled data set; () where the folder itself holds images, or no data set is to be seen."""
    if any(path.suffix.lower() in IMAGE_SUFFIXES for path in root.iterdir()) or (split is None and has_splits(root)):
        return ()
    _, images, _ = find_split(root, split)
    found = [images / path for path in listed(images) if path.suffix.lower() in IMAGE_SUFFIXES]
    return tuple(sorted(found, key=lambda path: natural_key(str(path))))
