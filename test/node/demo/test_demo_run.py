"""The demo itself: real node process, real camera process, real Fast DDS between them."""

import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from places import ROOT
from warm_processes import WarmProcess, heard

from trust_seg_ros.datasets.corruptions.apply import corrupt
from trust_seg_ros.drawing.panels import PanelPainter
from trust_seg_ros.segmentation.compact import SHIPPED
from trust_seg_ros.segmentation.labels import load_labels
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive

SHIPPED_ONE = tuple(
    word
    for name, value in {"meta_model": "none", "ood.meta_model": "none", "warm_up.width": 160, "warm_up.height": 96,
                        "threads": 1}.items()
    for word in ("--param", f"{name}:={value}")
)  # fmt: skip
"""The embedded network with its calibration, and nothing that judges segments."""
LIGHT = (*SHIPPED_ONE, "--param", "model:=fault_networks:colours")
"""A network that costs next to nothing, for what no network changes."""
LABELS = (load_labels("camvid11").palette, load_labels("camvid11").names)
CLEAN = ("ROS_DOMAIN_ID", "AMENT_PREFIX_PATH", "ROS_AUTOMATIC_DISCOVERY_RANGE")

pytestmark = [
    pytest.mark.ros,
    pytest.mark.slow,
    pytest.mark.skipif(not SHIPPED.is_file(), reason=f"needs the embedded network, {SHIPPED}"),
]


def command(*words):
    return [sys.executable, "-m", "trust_seg_ros.cli", "demo", *map(str, words)]


def environment():
    """Nothing of ROS is set, as on a fresh machine."""
    return {name: value for name, value in os.environ.items() if name not in CLEAN}


def children(pid):
    """Process ids of the living children."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[1]) == pid:
            found.append(int(entry.parent.name))
    return found


def gone(pids, seconds=10.0):
    end = time.monotonic() + seconds
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


class Demo:
    """A demo with the light network, a copy of a process that has the libraries loaded; its children are not."""

    def __init__(self, *words, network=LIGHT):
        self._said, self._complained = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = WarmProcess("trust_seg_ros.cli", "demo", *network, *words, output=self._said,
                                   errors=self._complained, without=CLEAN)  # fmt: skip

    def says(self, text, seconds=120):
        """Whether it says this before it ends, and in this time."""
        end = time.monotonic() + seconds
        while text not in heard(self._said):
            if self.process.poll() is not None or time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    def end(self, timeout=240):
        """(exit status, stdout, stderr)."""
        return self.process.wait(timeout), heard(self._said), heard(self._complained)


def start(*words):
    """The demo, once both of its children live; and their process ids."""
    demo = Demo(*words)
    end = time.monotonic() + 60
    while len(children(demo.process.pid)) < 2:
        assert demo.process.poll() is None, demo.end()
        assert time.monotonic() < end, "the demo did not start its children"
        time.sleep(0.05)
    return demo, children(demo.process.pid)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One short demo of the synthetic drive with the embedded network, run to its end."""
    out = tmp_path_factory.mktemp("demo") / "out"
    words = ("--source", "synthetic", "--seconds", 2, "--rate", 6, "--size", "320x192", "--seed", 3, "--out", out)
    words += ("--param", "warm_up.width:=320", "--param", "warm_up.height:=192")
    done = subprocess.run(
        command(*words), cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=240, check=False
    )
    return done, out


def test_it_ends_well_and_says_what_was_published(finished):
    done, out = finished
    logs = "\n".join(log.read_text() for log in out.glob("*.log"))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    images = ("segmentation", "confidence", "entropy", "unreliable", "ood", "segment_ids", "overlay", "entropy_color")
    for topic in (*(f"/trust_seg/{name}" for name in (*images, "segments", "label_info")), "/diagnostics"):
        row = next(line for line in done.stdout.splitlines() if f" {topic} " in line)
        assert int(row.split("│")[2]) > 0, f"nothing came over {topic}"
    assert "frames answered" in done.stdout
    assert "note:" not in done.stdout, "node and camera end with exit code 0"
    assert "latency p50" in done.stdout


def test_the_film_can_be_played(finished):
    _, out = finished
    capture = cv2.VideoCapture(str(out / "demo.mp4"))
    frames = []
    while (frame := capture.read())[0]:
        frames.append(frame[1])
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(6)
    assert 3 <= len(frames) <= 6 * 4, "about two seconds at six frames per second"
    assert frames[0].shape[1] == 1600
    assert any((a != b).any() for a, b in itertools.pairwise(frames)), "the film moves"


def test_the_picture_shows_the_camera_and_what_is_made_of_it(finished):
    _, out = finished
    picture = cv2.imread(str(out / "demo.png"))
    layout = PanelPainter((192, 320), *LABELS).layout
    assert picture.shape[:2] == layout.size == (900, 1600)
    tiles = [
        cv2.resize(picture[t : t + h, left : left + w], (160, 96)) for t, left, h, w in (layout.large, *layout.small)
    ]
    assert all(tile.std() > 10 for tile in tiles)
    assert all((a != b).mean() > 0.2 for a, b in itertools.pairwise(tiles))


def test_without_a_source_a_real_street_is_played(tmp_path):
    status, said, errors = Demo("--seconds", 0.5, "--out", tmp_path).end()
    assert status == 0, said + errors
    assert "motorway.mp4 (111 frames at 12.5 Hz)" in (tmp_path / "camera.log").read_text()


def stills(folder, count):
    """A folder of images."""
    folder.mkdir()
    for index in range(count):
        picture = np.random.default_rng(index).integers(0, 256, (96, 160, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{index}.png"), picture)
    return folder


def test_a_demo_of_few_images_writes_film_and_picture(tmp_path):
    frames = stills(tmp_path / "frames", 2)
    words = ("--source", frames, "--rate", 1, "--once", "--out", tmp_path / "out")
    status, said, errors = Demo(*words).end()
    assert status == 0, said + errors
    assert re.search(r"[12] frames answered", said), said
    assert cv2.VideoCapture(str(tmp_path / "out/demo.mp4")).read()[0]
    assert cv2.imread(str(tmp_path / "out/demo.png")) is not None


def test_its_shift_monitor_watches_and_tells_fog(tmp_path):
    """Over 10 frames and the 5 s that a shift must last; then it is ended."""
    drive, frames = SyntheticDrive(DriveSettings(seed=5)), tmp_path / "frames"
    frames.mkdir()
    for k in range(6):
        fog = corrupt(drive.frame(75 * k).image, "fog", 5, name=str(k))
        cv2.imwrite(str(frames / f"{k}.png"), cv2.resize(fog, (320, 240), interpolation=cv2.INTER_AREA)[..., ::-1])
    demo = Demo("--source", frames, "--rate", 4, "--seconds", 0, "--out", tmp_path / "out", network=SHIPPED_ONE)
    told = demo.says("thresholds: the data no longer resembles the calibration data, mean ")
    demo.process.send_signal(signal.SIGINT)
    status, said, errors = demo.end(timeout=60)
    assert status == 0, said + errors
    assert told, said


def test_a_demo_of_a_section_at_another_speed_plays_that_alone_and_ends_with_it(tmp_path):
    frames = stills(tmp_path / "frames", 10)
    part = ("--start", 0.4, "--duration", 0.3, "--speed", 0.5, "--no-loop")
    words = ("--source", frames, *part, "--out", tmp_path / "o")
    status, said, errors = Demo(*words).end()
    assert status == 0, said + errors
    log = (tmp_path / "o/camera.log").read_text()
    assert "from 0.4 s to 0.7 s, 0.5 times as fast" in log
    assert "3 frames sent" in log
    film = cv2.VideoCapture(str(tmp_path / "o/demo.mp4"))
    assert film.get(cv2.CAP_PROP_FPS) == pytest.approx(5), "10 Hz at half speed"


def test_ctrl_c_ends_it_well_at_any_time(tmp_path):
    demo, pids = start("--seconds", 0, "--out", tmp_path, "--size", "320x192")
    demo.process.send_signal(signal.SIGINT)
    status, said, errors = demo.end(timeout=60)
    assert status == 0, said + errors
    assert gone(pids)


def test_killing_the_demo_leaves_no_orphan(tmp_path):
    demo, pids = start("--seconds", 0, "--out", tmp_path, "--size", "320x192")
    demo.process.kill()
    demo.end(timeout=60)
    assert gone(pids)


def test_a_node_that_dies_ends_the_demo_with_its_last_words(tmp_path):
    demo, pids = start("--out", tmp_path, "--size", "320x192")
    node = next(pid for pid in pids if b"node.main" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(node, signal.SIGKILL)
    status, said, errors = demo.end(timeout=60)
    assert status == 2
    assert "the node was ended by SIGKILL" in errors
    assert "Traceback" not in said + errors
    assert gone(pids)


def test_a_node_that_cannot_start_is_explained(tmp_path):
    frames = stills(tmp_path / "frames", 1)
    (tmp_path / "such.pt2").write_bytes(b"no network")
    words = ("--source", frames, "--out", tmp_path, "--param", f"model:={tmp_path}/such.pt2")
    status, _, errors = Demo(*words).end(timeout=120)
    assert status == 2
    assert f"{tmp_path}/such.pt2" in errors
    assert "node.log" in errors


def test_a_source_that_breaks_off_is_explained(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(b"no jpeg")
    status, _, errors = Demo("--source", folder, "--out", tmp_path / "out").end(timeout=120)
    assert status == 2
    assert "the camera ended with exit code 2" in errors
    assert "1.jpg" in errors
