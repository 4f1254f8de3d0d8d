"""Times the whole node: a camera process and the node process over real topics, from message to messages.

    python benchmarks/bench_node.py [--frames 2000] [--sizes 480x360 1920x1080] [--rate 30] [--backends torch openvino]

With several backends each gets a node of its own, one after the other. This process is the camera and the listener.
First one frame at a time: what the node needs from message to messages, one "processing". Then at a fixed rate: what it
keeps up with, how old its results are in units of that, and whether its memory grows, from frame 200 on (caches are
filled then) and in all. The pictures are the synthetic drive's. The defaults take about three minutes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
os.environ.setdefault(
    "FASTDDS_DEFAULT_PROFILES_FILE", str(Path(__file__).resolve().parents[1] / "config" / "fastdds_shm.xml")
)

import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rich.console import Console
from rich.table import Table
from sensor_msgs.msg import Image
from vision_msgs.msg import Detection2DArray

from trust_seg_ros.messages.image_bytes import peek_header
from trust_seg_ros.node.parameters import TABLE
from trust_seg_ros.recordings.sources import SyntheticSource

IMAGES = ("segmentation", "confidence", "entropy", "unreliable", "ood", "segment_ids")
DEADLINE_S = 120.0
SETTLED = 200
"""Frame of the stream from which memory counts as grown."""


class Wire:
    """Camera and listener of one node process."""

    def __init__(self, size: tuple[int, int], model: str, backend: str) -> None:
        rclpy.init()
        self.node = rclpy.create_node("bench", use_global_arguments=False)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.ages: list[float] = []
        self.steps: dict[str, float] = {}
        self.sent: dict[int, float] = {}
        self.camera = self.node.create_publisher(Image, "/trust_seg/image", QoSProfile(depth=1))
        for name in IMAGES:
            heard = self._heard if name == IMAGES[-1] else self._ignored
            self.node.create_subscription(Image, f"/trust_seg/{name}", heard, 5, raw=True)
        self.node.create_subscription(Detection2DArray, "/trust_seg/segments", self._ignored, 5, raw=True)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._diagnostics, 5)
        height, width = size
        self.messages = [_message(frame.image) for frame in islice(SyntheticSource(size), 8)]
        parameters = [
            f"model:={model}",
            f"backend:={backend}",
            f"warm_up.width:={width}",
            f"warm_up.height:={height}",
            "diagnostics.period_s:=0.5",
        ]
        arguments = [part for p in parameters for part in ("-p", p)]
        self.begun = time.perf_counter()
        self.process = subprocess.Popen([sys.executable, "-m", "trust_seg_ros.node.main", "--ros-args", *arguments])

    def close(self) -> None:
        """End both sides."""
        self.process.terminate()
        self.process.wait()
        self.node.destroy_node()
        rclpy.shutdown()

    def wait(self, condition: Callable[[], object], seconds: float = DEADLINE_S) -> None:
        """Spin until the callable says so."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit("the node does not answer")
            self.executor.spin_once(timeout_sec=0.01)

    def send(self, index: int) -> None:
        """One frame, stamped now."""
        msg = self.messages[index % len(self.messages)]
        now = time.time_ns()
        msg.header.stamp.sec, msg.header.stamp.nanosec = divmod(now, 1_000_000_000)
        self.sent[now] = time.perf_counter()
        self.camera.publish(msg)

    def memory_mib(self) -> float:
        """Resident memory of the node's process."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def ping(self, count: int) -> list[float]:
        """Milliseconds from message to last message, frame after frame."""
        for index in range(count):
            known, resend = len(self.ages), 0.0
            while len(self.ages) == known:  # a frame is lost while the node changes to a reliable subscription
                if time.monotonic() > resend:
                    self.send(index)
                    resend = time.monotonic() + 2.0
                if self.process.poll() is not None:
                    raise SystemExit("the node has ended")
                self.executor.spin_once(timeout_sec=0.01)
        return self.ages[-count:]

    def _heard(self, raw: bytes) -> None:
        sent = self.sent.get(peek_header(raw).stamp_ns)
        if sent is not None:
            self.ages.append((time.perf_counter() - sent) * 1e3)

    def _ignored(self, _: bytes) -> None:
        pass

    def _diagnostics(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name.endswith(": processing"):
                self.steps = {v.key: float(v.value) for v in status.values if " ms (" in v.key and v.value != "n/a"}


def _message(picture: np.ndarray) -> Image:
    height, width = picture.shape[:2]
    msg = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    msg.data.frombytes(memoryview(np.ascontiguousarray(picture)).cast("B"))
    return msg


def run(size: tuple[int, int], frames: int, rate: float, model: str, backend: str) -> list[str]:
    """One row of the table."""
    wire = Wire(size, model, backend)
    try:
        wire.wait(lambda: wire.camera.get_subscription_count() and _matched(wire))
        first = wire.ping(1)[0]
        start = time.perf_counter() - wire.begun
        wire.ping(20)
        steady = wire.ping(60)
        wire.steps = {}
        wire.wait(lambda: bool(wire.steps))
        steps = dict(wire.steps)
        memory = wire.memory_mib()
        known, started, settled = len(wire.ages), time.perf_counter(), []
        camera = threading.Thread(target=_play, args=(wire, frames, rate, settled), daemon=True)
        camera.start()
        wire.wait(lambda: not camera.is_alive(), frames / rate + DEADLINE_S)
        seconds = time.perf_counter() - started
        ages = np.array(wire.ages[known:])
        end = wire.memory_mib()
    finally:
        wire.close()
    if not len(ages):
        raise SystemExit(f"the node answered none of {frames} frames at {rate:g} Hz")
    median, total = float(np.median(steady)), steps["processing ms (p50)"]
    grown = f"{end - settled[0]:+.0f}" if settled else "n/a"
    return [
        f"{size[1]}x{size[0]}",
        backend,
        f"{start:.1f}",
        f"{first / median:.2f}",
        f"{median:.1f} / {np.percentile(steady, 99):.1f}",
        f"{total:.1f}",
        f"{steps.get('network ms (p50)', 0.0):.1f}",
        f"{total - steps.get('network ms (p50)', 0.0):.1f}",
        f"{len(ages) / seconds:.1f} of {rate:g}",
        f"{np.median(ages):.0f} / {np.percentile(ages, 99):.0f} / {ages.max():.0f}",
        f"{np.percentile(ages, 99) / median:.2f} / {ages.max() / median:.2f}",
        f"{grown} / {end - memory:+.0f} of {end:.0f}",
    ]


def _threading(frames: int, rate: float) -> str:
    """What the node's threads were allowed, and how much was offered."""
    policy = os.environ.get("GOMP_SPINCOUNT", "1000, as the node sets it")
    threads = next(p.default for p in TABLE if p.name == "threads")
    return (
        f"{frames} frames offered at {rate:g} Hz | GOMP_SPINCOUNT: {policy} | "
        f"OMP_NUM_THREADS: {os.environ.get('OMP_NUM_THREADS', 'not set')} | "
        f"parameter threads: {threads} | cores: {len(os.sched_getaffinity(0))}, shared with this camera and listener"
    )


def _matched(wire: Wire) -> bool:
    names = [f"/trust_seg/{name}" for name in (*IMAGES, "segments")]
    return all(wire.node.count_publishers(name) for name in names)


def _play(wire: Wire, frames: int, rate: float, settled: list[float]) -> None:
    due = time.perf_counter()
    for index in range(frames):
        if index == SETTLED:
            settled.append(wire.memory_mib())
        wire.send(index)
        due += 1 / rate
        time.sleep(max(0.0, due - time.perf_counter()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=2000, help="frames offered at the fixed rate")
    parser.add_argument("--rate", type=float, default=30.0, help="frames/s offered")
    parser.add_argument("--sizes", nargs="+", default=["480x360", "1920x1080"], help="WIDTHxHEIGHT")
    parser.add_argument("--model", default="embedded", help="the node's parameter")
    parser.add_argument("--backends", nargs="+", default=["torch"], metavar="NAME", help="libraries that run it")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    table = Table(title=f"Node with the network {options.model}, message to messages")
    for column in (
        "size",
        "backend",
        "start to first answer, s",
        "first / steady",
        "alone ms p50 / p99",
        "processing ms",
        "network ms",
        "everything else ms",
        "frames/s",
        "age ms p50 / p99 / max",
        "age p99 / max in processings",
        f"memory MiB from frame {SETTLED} / in all",
    ):
        table.add_column(column, justify="right")
    for text in options.sizes:
        width, height = map(int, text.split("x"))
        for backend in options.backends:
            table.add_row(*run((height, width), options.frames, options.rate, options.model, backend))
    console = Console(width=180)
    console.print(table)
    console.print(_threading(options.frames, options.rate), highlight=False)


if __name__ == "__main__":
    main()
