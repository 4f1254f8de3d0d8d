"""Reads every kind of recording like a bag: bags directly, folders and videos through the same interface."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from trust_seg_ros.bags.errors import NoImageTopic, NothingThere, SourceError, UnreadableFrame
from trust_seg_ros.bags.reader import BagMessage, BagReader, BagTopic
from trust_seg_ros.messages.fields import HeaderFields, ImageFields
from trust_seg_ros.recordings.bags import is_bag, refuse_pointer
from trust_seg_ros.recordings.files import NANOSECONDS, FolderSource
from trust_seg_ros.recordings.replay.message_types import COMPRESSED, IMAGE
from trust_seg_ros.recordings.replay.options import SourceSpec
from trust_seg_ros.recordings.replay.serialise import compressed_cdr, image_cdr
from trust_seg_ros.recordings.sources import open_source
from trust_seg_ros.recordings.videos import VideoReel, VideoSource, length

TOPIC, FRAME_ID = "/camera/image", "camera"
"""Topic of the images of a folder or a video."""
BEGIN_NS = NANOSECONDS
"""Stamp of their first image: one second after the epoch, since 0 means "no stamp"."""
_LONGEST_NS = 1 << 62
_COMPRESSED = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png"}


class Recording(Protocol):
    """Input of a replay; the interface of :class:`~trust_seg_ros.bags.reader.BagReader`."""

    path: Path
    start_ns: int
    end_ns: int

    @property
    def topics(self) -> Mapping[str, BagTopic]:
        """Name -> topic."""

    @property
    def damage(self) -> str:
        """Where the recording ends early and what is lost; "" if it is complete."""

    def require_images(self, topics: Sequence[str]) -> tuple[str, ...]:
        """Check the requested image topics; without a request, the only image topic."""

    def messages(
        self, topics: Collection[str] | None = None, start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[BagMessage]:
        """Messages received in [start, stop), in order of time."""

    def close(self) -> None:
        """Close open files."""


def open_recording(spec: SourceSpec, measure: bool = True) -> Recording:
    """Open a bag, a folder of images, or a video.

    Args:
        spec: the recording.
        measure: find out how long a video is, which decodes it once; else its length is not known.

    Raises:
        SourceError: the path is missing, empty, or of another kind.
    """
    path = spec.path
    if not path.exists():
        raise NothingThere(f"{path} does not exist; expected a bag, a folder of images, or a video file")
    refuse_pointer(path)
    if is_bag(path):
        return BagReader.open(path)
    source = open_source(path, rate=spec.rate, number_rate=spec.number_rate)
    if isinstance(source, FolderSource):
        return FolderRecording(source)
    if isinstance(source, VideoSource):
        return VideoRecording(source, measure)
    raise SourceError(f"{path} has no end; expected a bag, a folder of images, or a video file")


class _OneCamera:
    """Shared parts of folders and videos."""

    @property
    def damage(self) -> str:
        """No loss is known."""
        return ""

    def __init__(self, path: Path, type_name: str, frames: int, length_ns: int) -> None:
        self.path, self.start_ns, self.end_ns = path, BEGIN_NS, BEGIN_NS + length_ns + 1
        self.topics = {TOPIC: BagTopic(TOPIC, type_name, frames)}

    def require_images(self, topics: Sequence[str]) -> tuple[str, ...]:
        """The only topic."""
        if any(topic != TOPIC for topic in topics):
            raise NoImageTopic(f"{self.path} is no bag: its images are {TOPIC}, expected no other topic")
        return (TOPIC,)

    def close(self) -> None:
        """Nothing is open."""


class FolderRecording(_OneCamera):
    """A folder of images. If all files are JPEG or PNG, they become messages unchanged; otherwise all become rgb8."""

    def __init__(self, source: FolderSource) -> None:
        self._chosen = source.chosen()
        self._unreadable: dict[Path, str] = {}
        self._as_they_are = all(path.suffix.lower() in _COMPRESSED for path, _ in self._chosen)
        kind = COMPRESSED if self._as_they_are else IMAGE
        super().__init__(source.folder, kind, len(self._chosen), self._chosen[-1][1])

    @property
    def damage(self) -> str:
        """Files that could not be read; grows while reading."""
        return "; ".join(f"{path.name} cannot be read: {text}" for path, text in self._unreadable.items())

    def messages(
        self, topics: Collection[str] | None = None, start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[BagMessage]:
        """Messages in order of their stamps."""
        first, stop = start_ns or 0, self.end_ns if stop_ns is None else stop_ns
        for path, stamp in self._chosen if topics is None or TOPIC in topics else ():
            at = BEGIN_NS + stamp
            if first <= at < stop:
                yield BagMessage(TOPIC, at, self._read(path, HeaderFields(*divmod(at, NANOSECONDS), FRAME_ID)))

    def _read(self, path: Path, header: HeaderFields) -> bytes:
        """The message of one image; if the file cannot be read, an empty message, which is refused later."""
        try:
            if self._as_they_are:
                return bytes(compressed_cdr(path.read_bytes(), _COMPRESSED[path.suffix.lower()], header))
            image = next(iter(FolderSource(path))).image
        except (OSError, SourceError) as error:
            self._unreadable[path] = str(error)
            return b""
        return bytes(image_cdr(ImageFields("rgb8", image), header))


class VideoRecording(_OneCamera):
    """A video file as rgb8 images, at the times that the file gives them."""

    def __init__(self, source: VideoSource, measure: bool = True) -> None:
        self._damage = ""
        reel = VideoReel(source.path)
        try:
            frames, length_ns = length(reel) if measure else (reel.stated, _LONGEST_NS)
            self._note_end(reel)
        finally:
            reel.close()
        super().__init__(source.path, IMAGE, frames, length_ns)
        self._reel: VideoReel | None = None

    @property
    def damage(self) -> str:
        """Where the video ends, if earlier than its header states; known once the end was reached."""
        return self._damage

    def messages(
        self, topics: Collection[str] | None = None, start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[BagMessage]:
        """Messages in order. Consecutive sections share one decoding pass; each need not start at the beginning."""
        if topics is not None and TOPIC not in topics:
            return
        first, stop = max(start_ns or 0, BEGIN_NS) - BEGIN_NS, (stop_ns or self.end_ns) - BEGIN_NS
        reel, self._reel = self._reel, None  # a second iteration at the same time opens its own
        if reel is not None and reel.passed_ns >= first:
            reel.close()
            reel = None
        reel = reel or VideoReel(self.path)
        try:
            while reel.ready() and reel.stamp_ns < stop:
                message = self._message(reel) if reel.stamp_ns >= first else None
                reel.step()  # before the message goes out: the caller may not come back
                if message is not None:
                    yield message
            self._note_end(reel)
        finally:
            if self._reel is None:
                self._reel = reel
            else:
                reel.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._reel is not None:
            self._reel.close()
            self._reel = None

    @staticmethod
    def _message(reel: VideoReel) -> BagMessage:
        """The current frame; if it cannot be decoded, an empty message, which is refused later."""
        pixels, at = reel.pixels(), BEGIN_NS + reel.stamp_ns
        header = HeaderFields(*divmod(at, NANOSECONDS), FRAME_ID)
        return BagMessage(TOPIC, at, b"" if pixels is None else bytes(image_cdr(ImageFields("rgb8", pixels), header)))

    def _note_end(self, reel: VideoReel) -> None:
        if reel.ended and reel.index == 0:
            raise UnreadableFrame(f"{reel.path}: not one frame could be decoded; is the file complete?")
        self._damage = self._damage or reel.lost()
