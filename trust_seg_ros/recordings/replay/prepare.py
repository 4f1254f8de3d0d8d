"""Makes jobs from the user's request: opens the recordings, chooses cameras and cuts the time into chunks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from trust_seg_ros.bags.errors import NothingThere
from trust_seg_ros.messages.bit_range import BitRange
from trust_seg_ros.messages.image_bytes import ImageError
from trust_seg_ros.recordings.replay.errors import ReplayError
from trust_seg_ros.recordings.replay.frame_work import read_frame
from trust_seg_ros.recordings.replay.inputs import Recording, VideoRecording, open_recording
from trust_seg_ros.recordings.replay.job import Job, fingerprint_of
from trust_seg_ros.recordings.replay.options import ReplayOptions, SourceSpec, cameras_of
from trust_seg_ros.recordings.replay.plan import Chunks, plan_chunks, section

_LOOKS = 16
"""Images that are looked at for the bits in use of 16."""


def make_job(source: SourceSpec, topics: Mapping[str, str], out: Path, options: ReplayOptions) -> Job:
    """Make the job of one recording.

    Args:
        source: the recording.
        topics: image topic -> namespace of its outputs, "" = chosen by :func:`cameras_of`; empty = the only topic.
        out: folder of the output.
        options: options of the replay.

    Raises:
        SourceError: the recording cannot be read, or has no such topic, or no message on it.
        ReplayError: the section begins beyond its end, or the storage cannot hold its times.
    """
    recording = open_recording(source)
    try:
        chosen = recording.require_images(tuple(topics))
        frames = sum(recording.topics[topic].messages for topic in chosen)
        if frames == 0:
            raise NothingThere(f"{source.path} holds no message of {', '.join(chosen)}; expected at least one image")
        start, end = section(recording.start_ns, recording.end_ns, options.start_s, options.duration_s)
        if start < 0 and options.storage == "mcap":
            raise ReplayError(
                f"{source.path} begins {-start * 1e-9:.3f} s before 1970 by the recorder's clock, and MCAP holds no "
                "such times; write --storage sqlite3, or begin later with --start"
            )
        share = (end - start) / (recording.end_ns - recording.start_ns)
        wanted = max(1, round(frames * share))
        chunks = plan_chunks(start, end, wanted, options.chunk_frames)
        return Job(
            source=source,
            out=out,
            cameras=cameras_of(chosen, {topic: name for topic, name in topics.items() if name}),
            options=options,
            chunks=chunks,
            start_ns=recording.start_ns,
            end_ns=recording.end_ns,
            frames=wanted,
            input_id=fingerprint_of(source.path),
            bits={topic: bits for topic in chosen if (bits := _bits_in_use(recording, topic, chunks, options))},
        )
    finally:
        recording.close()


def _bits_in_use(recording: Recording, topic: str, chunks: Chunks, options: ReplayOptions) -> int:
    """Bits in use of a camera's 16-bit images, so that all chunks start with the same; 0 for others.

    The first image says whether there is anything to find; then the first ones of chunks all over the recording count.
    """
    if isinstance(recording, VideoRecording) or options.image_bits:
        return 0
    found, type_name = BitRange(), recording.topics[topic].type_name
    for chunk in chunks[:: max(1, len(chunks) // _LOOKS)]:
        message = next(recording.messages([topic], chunk.start_ns, chunk.stop_ns), None)
        if message is None:
            continue
        with suppress(ImageError):  # refused when its turn comes
            read_frame(message.data, type_name, options.max_pixels, found, False)
            if not found.remarks:
                return 0
    return found.bits


def output_folders(paths: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Recording -> folder of its output: ``out`` for one recording, folders below it with their names for several.

    Raises:
        ReplayError: a recording is given twice, is in the output folder or contains it, or its name cannot be written
            to a text file.
    """
    named = [path.expanduser().absolute() for path in paths]
    for path in (*named, out):
        _check_printable(path)
    real, target = [path.resolve() for path in named], out.expanduser().resolve()
    times = Counter(real)
    for path, resolved in zip(named, real, strict=True):
        if times[resolved] > 1:
            raise ReplayError(f"{path} is given twice; expected every recording once")
        if resolved.parent in times:
            raise ReplayError(f"{path} is given twice: its folder is given, too; expected every recording once")
        if target == resolved or resolved in target.parents:
            raise ReplayError(f"the output folder {out} lies in the recording {path}; choose another --out")
    if len(named) == 1:
        return {named[0]: out}
    taken: dict[str, Path] = {}
    for path in named:
        name = path.stem if path.is_file() else path.name
        number = 2
        while name in taken:
            name, number = f"{path.parent.name}_{path.stem}" + (f"_{number}" if number > 2 else ""), number + 1
        taken[name] = path
    return {path: out / name for name, path in taken.items()}


def _check_printable(path: Path) -> None:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise ReplayError(
            f"the name {str(path)!a} is not UTF-8, so that no table or report can hold it; rename it, or name it "
            "by a symbolic link"
        ) from None
