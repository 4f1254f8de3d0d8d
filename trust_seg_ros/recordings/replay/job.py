"""One recording and its output folder: chunks to do, chunks done, and the paths of all files.

While a replay runs, ``OUT/.replay`` holds ``job.json`` and a folder per finished chunk. A folder gets its final name
only when it is complete, so a killed process loses only the chunk it was working on.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trust_seg_ros.bags.errors import SourceError
from trust_seg_ros.recordings.replay.bag_parts import NAME, SUFFIX, file_name
from trust_seg_ros.recordings.replay.errors import OutputExistsError, explained
from trust_seg_ros.recordings.replay.options import CameraTopic, ReplayOptions, SourceSpec
from trust_seg_ros.recordings.replay.plan import Chunk
from trust_seg_ros.support.content_hash import hash_of_hashes, hash_once
from trust_seg_ros.support.resumable import changes, fingerprint_of_files, remove_folder, write_text
from trust_seg_ros.thresholds.shipped import calibration_path
from trust_seg_ros.version import installed_version

WORK = ".replay"
JOB, DONE = "job.json", "done.json"
_JOB_NEW = f"{JOB}.new"
METADATA = "metadata.yaml"
FRAMES_TABLE, SEGMENTS_TABLE, REPORT, RERUN = "frames.parquet", "segments.parquet", "report.html", "trust_seg.rrd"
_PRODUCTS = (METADATA, FRAMES_TABLE, SEGMENTS_TABLE, REPORT, RERUN)
_PART = re.compile(rf"{NAME}_\d+\.({'|'.join(suffix.lstrip('.') for suffix in SUFFIX.values())})")
_OPTION = {"pictures": "--report", "segments": "--segments"}


@dataclass(frozen=True)
class Job:
    """The replay of one recording into one output folder; plain data, so that other processes can take part.

    Attributes:
        source: the recording.
        out: folder of the output bag.
        cameras: cameras to replay.
        options: options of the replay.
        chunks: all chunks, in order of time.
        start_ns, end_ns: start and end of the whole recording, whatever section is replayed.
        frames: number of images the recording states.
        input_id: fingerprint of the recording's files.
        bits: topic -> bits in use of its 16-bit images, as a few of them show; absent for others.
    """

    source: SourceSpec
    out: Path
    cameras: tuple[CameraTopic, ...]
    options: ReplayOptions
    chunks: Sequence[Chunk]
    start_ns: int
    end_ns: int
    frames: int
    input_id: str
    bits: Mapping[str, int] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        """Folder for unfinished work."""
        return self.out / WORK

    @property
    def first_ns(self) -> int:
        """Start of the replayed section."""
        return self.chunks[0].start_ns

    @property
    def stop_ns(self) -> int:
        """End of the replayed section, exclusive."""
        return self.chunks[-1].stop_ns

    def chunk_folder(self, index: int) -> Path:
        """Folder of one finished chunk."""
        return self.work / f"chunk_{index:06d}"

    def bag_file(self, index: int) -> Path:
        """Final path of a file of the output bag."""
        return self.out / file_name(index, self.options.storage)

    def identity(self) -> dict[str, Any]:
        """Everything the output depends on, as JSON."""
        return {
            "version": installed_version(),
            "input": self.input_id,
            "rate": [self.source.rate, self.source.number_rate],
            "cameras": [[c.topic, c.namespace] for c in self.cameras],
            "options": self.options.fingerprint(),
            "files": _named_files(self.options),
            "chunks": len(self.chunks),
        }

    def is_done(self, index: int) -> bool:
        """Whether a chunk is finished."""
        return (self.chunk_folder(index) / DONE).is_file()

    @property
    def complete(self) -> bool:
        """Whether the output is complete."""
        return (self.out / METADATA).is_file() and self._recorded() == self.identity()

    def prepare(self, force: bool = False) -> None:
        """Prepare the output folder: new, or where the same job stopped.

        Raises:
            OutputExistsError: the folder holds something else, and ``force`` is not set.
            ReplayError: the folder cannot be written.
        """
        if self.out.exists() and not self.out.is_dir():
            raise OutputExistsError(
                f"{self.out} is a file; expected a folder, or a name that is free: choose another --out"
            )
        if self.out.is_dir() and any(self.out.iterdir()):
            if not force:
                self._check_same()
            if force or not self._has_results():
                self._check_ours()
                self.clear()
        if self.work.is_symlink():
            raise OutputExistsError(
                f"{self.work} is a symbolic link to {self.work.resolve()}, and nothing there is changed or removed: "
                "remove the link, or choose another --out"
            )
        with explained(self.out):
            self.work.mkdir(parents=True, exist_ok=True)
            self.sweep()
            write_text(self.work / JOB, json.dumps(self.identity()), self.work / _JOB_NEW)

    def sweep(self) -> None:
        """Remove unfinished chunks, and symbolic links among the chunks."""
        for path in self.work.glob("*"):
            if path.is_symlink() or ".part" in path.name:
                remove_folder(path)

    def tidy(self) -> None:
        """Remove the working files that a complete output does not need."""
        for folder in self.work.glob("chunk_*"):
            remove_folder(folder)

    def clear(self) -> None:
        """Remove files that a replay has written here, and nothing else; the file that identifies them goes last.

        Of symbolic links only the link is removed, never what it points to.
        """
        with explained(self.out):
            if self.work.is_symlink():
                self.work.unlink()
            chunks = [path for path in self.work.glob("*") if path.is_dir() and not path.is_symlink()]
            for chunk in chunks:  # first: if interrupted, no chunk without files is "done"
                (chunk / DONE).unlink(missing_ok=True)
            for path in self._results():
                path.unlink(missing_ok=True)
            for chunk in chunks:
                shutil.rmtree(chunk)
            for path in self.work.glob("*"):
                if path.name != JOB:
                    path.unlink()
            if self.work.is_dir():
                shutil.rmtree(self.work)

    def abandon(self) -> None:
        """Remove everything of a replay without a result, so that other settings can use the folder."""
        self.clear()
        with suppress(OSError):  # it holds other files
            self.out.rmdir()

    @property
    def begun(self) -> bool:
        """Whether any chunk is finished."""
        return any(self.is_done(chunk.index) for chunk in self.chunks)

    def _results(self) -> list[Path]:
        """Files outside the work folder with names that a replay uses."""
        named = [self.out / name for name in _PRODUCTS]
        beside = [path.with_name(f"{dot}{path.name}.part") for path in named for dot in (".", "")]
        numbered = [path for path in self.out.glob(f"{NAME}_*") if _PART.fullmatch(path.name)]
        return [path for path in [*named, *numbered, *beside] if path.is_file() or path.is_symlink()]

    def _has_results(self) -> bool:
        return bool(self._results()) or any(self.work.glob(f"*/{DONE}"))

    def _recorded(self) -> dict[str, Any] | None:
        try:
            return json.loads((self.work / JOB).read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return None

    def _check_same(self) -> None:
        before, now = self._recorded(), json.loads(json.dumps(self.identity()))
        if before is None and any(path.is_file() and path.name != _JOB_NEW for path in self.out.rglob("*")):
            raise OutputExistsError(
                f"{self.out} exists and holds no replay that this command can continue: choose another --out"
            )
        if before is not None and before != now and self._has_results():
            raise OutputExistsError(
                f"{self.out} holds a replay with other settings ({', '.join(_differences(before, now))}): choose "
                "another --out, or replace it with --force"
            )

    def _check_ours(self) -> None:
        for path in (self.out, self.work):
            if path.is_symlink():
                raise OutputExistsError(
                    f"{path} is a symbolic link to {path.resolve()}, and nothing is removed through links: give that "
                    "folder itself as --out, or choose another"
                )
        there = [*self._results(), *self.work.glob("*")]
        foreign = [path.name for path in there if path.name != _JOB_NEW]
        if foreign and not (self.work / JOB).is_file():
            raise OutputExistsError(
                f"{self.out} holds {', '.join(foreign[:3])} that no replay of this tool has written, and --force "
                "replaces nothing else: choose another --out"
            )


def fingerprint_of(path: Path) -> str:
    """Fingerprint of a recording: names, sizes, beginnings and ends of its files; a copy elsewhere has the same.

    Raises:
        SourceError: a file cannot be read.
    """
    try:
        return fingerprint_of_files(path)
    except OSError as error:
        raise SourceError(f"{error.filename} cannot be read ({error.strerror}); may you read it?") from error


def _named_files(options: ReplayOptions) -> dict[str, str]:
    """Hashes of the model and calibration files in the settings, whose content changes the result."""
    p = options.pipeline
    calibration = calibration_path(p.calibration, p.model)
    names = (str(p.model), str(p.labels), p.meta_model, p.ood_meta_model)
    files = {name: Path(name).expanduser() for name in names if name}
    if calibration is not None:  # its place differs from machine to machine where it is the shipped one
        files[p.calibration] = calibration.expanduser()
    return {name: _content_of(path) for name, path in files.items() if path.exists()}


def _content_of(path: Path) -> str:
    """Hash of all bytes of a model file; of a folder, of the files in it."""
    inside = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.is_file())
    try:
        return hash_of_hashes({file.name: hash_once(file, file.stat().st_mtime_ns) for file in inside})
    except OSError as error:
        raise SourceError(f"{error.filename} cannot be read ({error.strerror}); may you read it?") from error


def _differences(before: object, now: Mapping[str, object]) -> list[str]:
    """Names of the settings that differ, for users; ``before`` may be any JSON value if the file is damaged."""
    if not isinstance(before, dict):
        return [""]
    names = [change.name.removeprefix("options.") for change in changes(before, now)]
    return [_OPTION.get(name, name) for name in names]
