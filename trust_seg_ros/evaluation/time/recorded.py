"""The answers of a network to a sequence, on disk: whatever follows them is compared without running it again.

Logits are kept as float16, so that what is judged differs slightly from what the network would give live, and all that
is compared starts from the same numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.time.sequences import Sequence, Shot
from trust_seg_ros.segmentation.protocol import SegmentationNetwork
from trust_seg_ros.support.content_hash import network_sha256
from trust_seg_ros.support.resumable import fingerprint, whole_folder
from trust_seg_ros.synthetic import DriveObject
from trust_seg_ros.types import Frame, LogitMaps

_FORM = 1
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Recorded:
    """A sequence with the network's answers.

    Attributes:
        name, text: of the sequence.
        folder: where its arrays lie: ``logits.npy`` (n, q, h, w) float16; ``truth.npz`` with ``stamps`` (n,) int64 ns,
            and where they are known ``truth`` (n, H, W) uint8 and ``objects`` (n, H, W) uint16, as in :class:`Shot`.
        size: (H, W) of the images.
        raw: as in ``LogitMaps``.
        objects: the objects; number i of the maps is ``objects[i - 1]``.
        class_names: classes of the truth; () = those of the network.
        stamps: (n,) int64 nanoseconds.
    """

    name: str
    text: str
    folder: Path
    size: tuple[int, int]
    raw: bool
    objects: tuple[DriveObject, ...]
    class_names: tuple[str, ...]
    stamps: np.ndarray

    def __iter__(self) -> Iterator[tuple[Shot, LogitMaps]]:
        """Shots, whose images are blank, with the network's answers."""
        logits = np.load(self.folder / "logits.npy", mmap_mode="r")
        for k, shot in enumerate(self.shots()):
            yield shot, LogitMaps(torch.from_numpy(np.asarray(logits[k], np.float32)), self.size, self.raw)

    def shots(self) -> Iterator[Shot]:
        """Shots, whose images are blank."""
        with np.load(self.folder / "truth.npz") as arrays:
            truth, objects = (arrays.get(name) for name in ("truth", "objects"))
        blank = np.broadcast_to(np.uint8(0), (*self.size, 3))
        for k, stamp in enumerate(self.stamps.tolist()):
            yield Shot(
                Frame(blank, stamp),
                None if truth is None else truth[k],
                None if objects is None else objects[k].astype(np.int32),
            )


def recorded(
    network: SegmentationNetwork, sequence: Sequence, cache: Path, progress: Progress = lambda done, total: None
) -> Recorded:
    """The answers to a sequence: from ``cache`` if they are there, else computed and kept there.

    Raises:
        EvaluationError: the network's answers are no plain logits, or the frames differ in size.
    """
    about = {"form": _FORM, "sequence": sequence.text, "network": network_sha256(network) or network.name}
    folder = cache / f"{sequence.name}-{fingerprint(about)[:12]}"
    if not (folder / "about.json").is_file():
        with whole_folder(folder, folder.with_name(folder.name + ".part")) as draft:
            _record(network, sequence, draft, about, progress)
    found = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    objects = tuple(DriveObject(**one) for one in found["objects"])
    height, width = found["size"]
    with np.load(folder / "truth.npz") as arrays:
        stamps = arrays["stamps"]
    return Recorded(
        sequence.name,
        sequence.text,
        folder,
        (height, width),
        found["raw"],
        objects,
        tuple(sequence.class_names),
        stamps,
    )


def _record(
    network: SegmentationNetwork, sequence: Sequence, folder: Path, about: dict[str, object], progress: Progress
) -> None:
    objects: list[DriveObject] = []
    logits: list[np.ndarray] = []
    stamps: list[int] = []
    truth: list[np.ndarray] = []
    maps: list[np.ndarray] = []
    size, raw = (0, 0), True
    for shot in sequence.shots(objects):
        answer = network.infer(shot.frame.image)
        if answer.queries is not None or answer.linear or answer.placement is not None:
            raise EvaluationError(
                f"{network.name}: answers of masks, or that are placed on their grid, cannot be kept for this study; "
                "expected a network that answers with logits stretched over the image"
            )
        if stamps and answer.size != size:
            raise EvaluationError(f"{sequence.name}: frames of {size} and {answer.size}; expected one size")
        size, raw = answer.size, answer.raw
        logits.append(answer.logits.detach().cpu().numpy().astype(np.float16))
        stamps.append(shot.frame.stamp_ns)
        truth += [] if shot.truth is None else [shot.truth]
        maps += [] if shot.objects is None else [shot.objects.astype(np.uint16)]
        progress(len(stamps), sequence.frames or len(stamps))
    if not stamps:
        raise EvaluationError(f"{sequence.name}: no frame")
    np.save(folder / "logits.npy", np.stack(logits))
    arrays: dict[str, Any] = {"stamps": np.array(stamps, np.int64)}
    arrays |= {name: np.stack(part) for name, part in (("truth", truth), ("objects", maps)) if part}
    np.savez_compressed(folder / "truth.npz", **arrays)
    found = {**about, "size": size, "raw": raw, "objects": [asdict(one) for one in objects]}
    (folder / "about.json").write_text(json.dumps(found), encoding="utf-8")
