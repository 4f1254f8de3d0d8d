"""Runs the demo: the node and a camera as child processes, watched, filmed, and ended without leftovers."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rich.console import Console

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.node.demo.children import Child, ChildError
from trust_seg_ros.node.demo.environment import apply, demo_environment
from trust_seg_ros.node.demo.panel import DemoPanel, summary
from trust_seg_ros.node.demo.recorder import Recorder, Recording
from trust_seg_ros.node.demo.watch import Status, Watcher
from trust_seg_ros.recordings.refusals import REFUSED

NODE = "trust_seg"
CAMERA_TOPIC = "/camera/image"
_POLL_S = 0.1
_DRAIN_S = 0.5
_LONG_DRAIN_S = 10.0
_COMPILING_S = 10.0


class DemoError(TrustSegError):
    """The demo could not show any result."""


@dataclass(frozen=True)
class DemoSettings:
    """What to play and for how long.

    Attributes:
        play: options of ``trust-seg play`` that choose and shape the source, e.g. ("synthetic", "--rate", "15").
        title: what is played, for display.
        rate: nominal frames per second of the source; the film has this rate, within 5 to 30.
        seconds: how long to play, counted from the first result; 0 = until Ctrl-C.
        out: folder for demo.mp4, demo.png and the logs.
        params_file: parameter file of the node, or None.
        parameters: single parameters of the node, "name:=value".
        patience: seconds to wait for the first result while the node's process lives; a first start compiles, which
            on a busy machine takes minutes.
        node: module of the node.
    """

    play: tuple[str, ...]
    title: str
    rate: float = 15.0
    seconds: float = 20.0
    out: Path = Path("out")
    params_file: Path | None = None
    parameters: tuple[str, ...] = ()
    patience: float = 600.0
    node: str = "trust_seg_ros.node.main"

    def node_command(self) -> list[str]:
        """Command line of the node."""
        command = [sys.executable, "-m", self.node, "--ros-args", "-r", f"~/image:={CAMERA_TOPIC}"]
        if self.params_file is not None:
            command += ["--params-file", str(self.params_file)]
        for parameter in ("autostart:=true", *self.parameters):
            command += ["-p", parameter]
        return command

    def player_command(self) -> list[str]:
        """Command line of the camera."""
        own = ["--topic", CAMERA_TOPIC, "--wait-for", NODE]
        return [sys.executable, "-m", "trust_seg_ros.cli", "play", *self.play, *own]


def run_demo(settings: DemoSettings, console: Console) -> tuple[Status, Recording]:
    """Run the demo to its end.

    Returns:
        The last status and what was written.

    Raises:
        DemoError: the output folder cannot be written, or no result came.
        ChildError: the node or the camera ended early; with the end of its log.
    """
    try:
        settings.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoError(
            f"the output folder {settings.out} cannot be made: {error}; choose another with --out"
        ) from error
    environment = demo_environment(os.environ)
    apply(environment)
    for note in environment.notes:
        console.print(f"note: {note}", style="yellow")
    cv2.setNumThreads(1)  # the cores belong to the node
    with ExitStack() as stack:
        stop = stack.enter_context(_stop_signals())
        # Children first: they are forked before this process has threads, and Python starts them while ROS starts here.
        node = stack.enter_context(Child("node", settings.node_command(), settings.out / "node.log"))
        player = stack.enter_context(Child("camera", settings.player_command(), settings.out / "camera.log"))
        watcher, recorder = stack.enter_context(_watching(settings))
        try:
            with DemoPanel(console, settings.title, settings.seconds) as panel:
                _play(settings, stop, node, player, watcher, panel)
        finally:
            codes = {player: player.stop()}
            status = _drained(watcher, 0.0 if stop.is_set() else _LONG_DRAIN_S)
            recording = recorder.close()
        codes[node] = node.stop()
        for text in player.lines(REFUSED):
            console.print(f"note: {text}", style="yellow", highlight=False, markup=False)
        for child in (child for child, code in codes.items() if code != 0 and status.results):
            console.print(f"note: {child.reason()}", style="yellow", highlight=False)
    console.print(summary(status, recording))
    if status.results == 0 and not stop.is_set():
        raise DemoError(f"no result came; see {node.log} and {player.log}")
    return status, recording


def _play(
    settings: DemoSettings, stop: threading.Event, node: Child, player: Child, watcher: Watcher, panel: DemoPanel
) -> None:
    started, first = time.monotonic(), None
    while not stop.wait(_POLL_S):
        now, status = time.monotonic(), watcher.status()
        if first is None and status.results:
            first = now
        _check_node(node, status)
        if player.code is not None:
            if player.code != 0:
                raise ChildError(player.reason())
            return
        if first is None:
            if now - started > settings.patience:
                raise DemoError(
                    f"no result within {settings.patience:g} s; the node is {status.state or 'not up'}; the end of "
                    f"{node.log}:\n{node.tail()}"
                )
            panel.show(status, starting(status, now - started), now - started)
            continue
        panel.show(status, "playing", now - first)
        if settings.seconds and now - first >= settings.seconds:
            return


def starting(status: Status, elapsed: float) -> str:
    """What happens before the first result, in words."""
    if status.state == "active":
        return "waiting for the first result"
    if status.state in ("inactive", "activating"):
        return "activating the node"
    if status.state == "configuring" or elapsed > _COMPILING_S:
        return "loading the model, compiling (first start only: later ones are a matter of seconds)"
    return "starting the node"


def _drained(watcher: Watcher, patience: float) -> Status:
    """The status after the last messages have arrived; a demo of one or two frames may have to wait for the first."""
    time.sleep(_DRAIN_S)
    end = time.monotonic() + patience
    while not (status := watcher.status()).complete and status.topics[CAMERA_TOPIC][0] and time.monotonic() < end:
        time.sleep(_POLL_S)
    return status


def _check_node(node: Child, status: Status) -> None:
    if node.code is not None:
        raise ChildError(node.reason())
    model = status.reports.get("model")
    if model is not None and model.level >= 2 and model.values.get("lifecycle") != "active":
        raise ChildError(f"the node did not get ready: {model.message}\nthe end of {node.log}:\n{node.tail()}")


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second signal interrupts at once."""
    stop = threading.Event()

    def handle(number: int, _: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _watching(settings: DemoSettings) -> Iterator[tuple[Watcher, Recorder]]:
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    watcher: Watcher
    recorder = Recorder(
        settings.out, min(30.0, max(5.0, settings.rate)), lambda: watcher.names, lambda: _threshold(watcher.status())
    )
    watcher = Watcher(CAMERA_TOPIC, NODE, recorder.offer)
    executor = SingleThreadedExecutor()
    executor.add_node(watcher)
    thread = threading.Thread(target=_spin, args=(executor,), name="watch", daemon=True)
    thread.start()
    try:
        yield watcher, recorder
    finally:
        executor.shutdown(timeout_sec=2.0)
        thread.join(timeout=2.0)
        watcher.destroy_node()
        rclpy.try_shutdown()


def _spin(executor: SingleThreadedExecutor) -> None:
    try:
        executor.spin()
    except ExternalShutdownException:
        return


def _threshold(status: Status) -> float | None:
    report = status.reports.get("thresholds")
    value = report.values.get("unreliable", "") if report is not None else ""
    try:
        return float(value)
    except ValueError:
        return None
