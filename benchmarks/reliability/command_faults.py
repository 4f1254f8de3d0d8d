"""Damaged files, misspelt settings and foreign conventions, given to the real commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import inputs
from scene import Seen

from trust_seg_ros.meta.shipped import FOLDER
from trust_seg_ros.segmentation.compact import SHIPPED

Words = list[str]


@dataclass(frozen=True)
class CommandFault:
    """One fault, and what the command must make of it.

    Attributes:
        name: for the table.
        make: writes what is wrong into an empty folder and gives the words of the command line.
        words: that must be in what it says.
        refused: whether it must end with an error; else it goes on, and says so.
        after: what comes out.
        within_s: seconds in which it must say so, the start of Python included.
    """

    name: str
    make: Callable[[Path], Words]
    words: str
    refused: bool = True
    after: str = ""
    within_s: float = 30.0

    def run(self) -> Seen:
        """Run the command in a process and a folder of its own."""
        folder = Path(tempfile.mkdtemp(prefix="fault-"))
        try:
            words = self.make(folder)
            paths = os.pathsep.join(filter(None, [*sys.path[:2], os.environ.get("PYTHONPATH")]))
            environment = os.environ | {"PYTHONPATH": paths, "COLUMNS": "400", "TERM": "dumb"}
            started = time.monotonic()
            ended = subprocess.run(
                [sys.executable, "-m", "trust_seg_ros.cli", *words], capture_output=True, text=True, env=environment
            )
            seconds = time.monotonic() - started
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        said = [line.strip() for line in (ended.stdout + ended.stderr).splitlines() if line.strip()]
        told = next((line for line in said if self.words in line), said[-1] if said else "")
        told = told.replace(str(folder), "…")
        wrong = []
        if (ended.returncode != 0) != self.refused:
            wrong.append(f"status {ended.returncode}")
        if self.words not in "\n".join(said):
            wrong.append(f"does not say {self.words!r}")
        if "Traceback" in ended.stderr:
            wrong.append("a traceback")
        if seconds > self.within_s:
            wrong.append(f"after {seconds:.0f} s, expected {self.within_s:g}")
        after = self.after or ("nothing" if self.refused else "everything")
        return Seen(told, None, seconds, after, "; ".join(wrong))


REPLAY = ("-p", "meta_model:=none", "--workers", "1", "--topics", "segmentation", "unreliable")


def _replay(source: Path, folder: Path, *words: str, network: str = "networks:colours") -> Words:
    return ["replay", str(source), "--out", str(folder / "out"), "-p", f"model:={network}", *REPLAY, *words]


def _parameter(folder: Path) -> Words:
    return _replay(inputs.bag(folder / "bag"), folder, "-p", "treshold.pixel:=0.4")


def _yaml(text: str) -> Callable[[Path], Words]:
    def make(folder: Path) -> Words:
        file = folder / "params.yaml"
        file.write_text(text)
        return _replay(inputs.bag(folder / "bag"), folder, "--params-file", str(file))

    return make


_BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(10 * ['*' + before])}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def _network(name: str, *words: str) -> Callable[[Path], Words]:
    return lambda folder: _replay(inputs.bag(folder / "bag"), folder, *words, network=f"networks:{name}")


def _in_training(folder: Path) -> Words:
    model, labels = inputs.exported_in_training(folder / "net.pt2"), inputs.label_file(folder / "labels.yaml")
    return _replay(inputs.bag(folder / "bag"), folder, "-p", f"labels:={labels}", network=str(model))


def _pointer(folder: Path) -> Words:
    (folder / "net.pt2").write_text(inputs.LFS)
    return _replay(inputs.bag(folder / "bag"), folder, network=str(folder / "net.pt2"))


def _bag_pointer(folder: Path) -> Words:
    (folder / "drive.mcap").write_text(inputs.LFS)
    return _replay(folder / "drive.mcap", folder)


def _other_ids(folder: Path) -> Words:
    shuffled = {value: (5 * value + 3) % 11 for value in range(11)}
    return ["miou", str(inputs.relabelled(folder / "data", shuffled))]


def _from_one(folder: Path) -> Words:
    return ["miou", str(inputs.relabelled(folder / "data", {11: 0} | {value: value + 1 for value in range(11)}))]


def _cut_label_set(folder: Path) -> Words:
    data = inputs.drive(folder / "data")
    file = data / "images" / "s_0.png"
    file.write_bytes(file.read_bytes()[:5000])
    return ["miou", str(data)]


def _damaged_folder(folder: Path) -> Words:
    data = inputs.drive(folder / "data")
    (data / "images" / "s_0.png").unlink()
    (data / "images" / "s_0.jpg").write_bytes(inputs.damaged_jpeg())
    return ["miou", str(data)]


def _stale_bytes(folder: Path) -> Words:
    data = inputs.drive(folder / "data")
    (data / "images" / "s_0.png").unlink()
    (data / "images" / "s_0.jpg").write_bytes(inputs.jpeg() + b"\n\xff\xff" + bytes(4096))
    return ["miou", str(data)]


def _flipped(folder: Path) -> Words:
    weights = bytearray(SHIPPED.read_bytes())
    weights[len(weights) // 2] ^= 1
    (folder / "net.safetensors").write_bytes(weights)
    return _replay(inputs.bag(folder / "bag"), folder, network=str(folder / "net.safetensors"))


def _edited_meta_model(folder: Path) -> Words:
    text = (FOLDER / "embedded_meta.json").read_text()
    place = text.index("1", len(text) // 2)
    (folder / "meta.json").write_text(f"{text[:place]}2{text[place + 1 :]}")
    return _replay(inputs.bag(folder / "bag"), folder, "-p", f"meta_model:={folder / 'meta.json'}", network="embedded")


def _through_a_link(folder: Path) -> Words:
    (folder / "foreign" / ".replay").mkdir(parents=True)
    (folder / "out").symlink_to(folder / "foreign")
    return _replay(inputs.bag(folder / "bag"), folder, "--force")


def _renamed_bag(folder: Path) -> Words:
    (file,) = inputs.bag(folder / "bag").glob("*.mcap")
    file.rename(folder / "DRIVE.BIN")
    return _replay(folder / "DRIVE.BIN", folder)


FAULTS: tuple[CommandFault, ...] = (
    CommandFault("one bit flipped in the weights", _flipped, "sha256"),
    CommandFault("a digit changed in the meta model", _edited_meta_model, "sha256"),
    CommandFault(
        "another network than model_sha256 asks for",
        _network("colours", "-p", "model_sha256:='000000000000'"),
        "model_sha256",
    ),
    CommandFault("--force where OUT is a link to another folder", _through_a_link, "link"),
    CommandFault("a bag under another name", _renamed_bag, "6 frames judged", refused=False),
    CommandFault("a misspelt parameter", _parameter, "threshold"),
    CommandFault(
        "a parameter given twice in a file",
        _yaml("/**:\n  ros__parameters:\n    autostart: true\n    autostart: false\n"),
        "twice",
    ),
    CommandFault(
        "a parameter file for another node", _yaml("/camera:\n  ros__parameters:\n    autostart: true\n"), "/camera"
    ),
    CommandFault(
        "a parameter file without ros__parameters", _yaml("trust_seg:\n  autostart: true\n"), "ros__parameters"
    ),
    CommandFault("734 bytes of YAML that expand to a billion values", _yaml(_BOMB), "params.yaml"),
    CommandFault("a network exported in training mode", _in_training, "training"),
    CommandFault("a network that answers with probabilities × 255", _network("probabilities"), "255", refused=False),
    CommandFault("a network that answers with sigmoids", _network("independent"), "sigmoid", refused=False),
    CommandFault("mean and std in 0..255", _network("bytes255"), "255", refused=False),
    CommandFault("a Git LFS pointer instead of a network", _pointer, "git lfs pull"),
    CommandFault("a Git LFS pointer instead of a bag", _bag_pointer, "git lfs pull"),
    CommandFault("labels of another data set", _other_ids, "--label-map"),
    CommandFault("labels that count from 1", _from_one, "from-1"),
    CommandFault("a PNG cut off", _cut_label_set, "s_0.png"),
    CommandFault("a JPEG damaged inside", _damaged_folder, "s_0.jpg"),
    CommandFault("a JPEG followed by stale bytes", _stale_bytes, "mean", refused=False),
    CommandFault(
        "one empty image in a recording",
        lambda folder: _replay(inputs.bag_with_an_empty_image(folder / "bag"), folder),
        "refused",
        refused=False,
        after="all other images",
    ),
    CommandFault(
        "a recording of damaged images only",
        lambda folder: _replay(inputs.bag_of_damaged_jpegs(folder / "bag"), folder),
        "refused",
    ),
)
