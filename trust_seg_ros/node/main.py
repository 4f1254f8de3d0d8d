"""The executable ``trust_seg_node``: runs one node in one process. :func:`run` does the same for several."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.node.ending import Ending
from trust_seg_ros.node.shared_memory import remove_dead_segments

if TYPE_CHECKING:
    from rclpy.executors import Executor

    from trust_seg_ros.node.node import TrustSegNode

    MakeNodes = Callable[[type[TrustSegNode]], list[TrustSegNode]]

_STEP_S = 0.4
"""Seconds for one step of an orderly end; there are three, and ``ending.LIMIT_S`` for all."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C, SIGTERM or shutdown; see :func:`run`."""
    return run("trust_seg_node", args, lambda node: [node()])


def run(program: str, args: Sequence[str] | None, make: MakeNodes) -> int:
    """Run nodes until Ctrl-C, SIGTERM or shutdown, with one executor.

    A signal ends the process in less than two seconds in every state, at a second signal at once (see ``ending``).

    Args:
        program: name of the executable, for messages.
        args: command line; None = that of the process.
        make: makes the nodes, once the libraries are loaded and rclpy is initialised, given their class.

    Returns:
        Exit status: 0 after an end that was asked for, 2 when a node cannot start; the reason is on stderr.
    """
    ending = Ending()  # before the libraries are loaded, which takes seconds
    try:
        return _run(program, args, ending, make)
    except ModuleNotFoundError as error:
        return _cannot_start(
            program,
            f"the Python module {error.name!r} is missing; source a ROS 2 distribution, or install requirements.txt "
            "and ./interfaces/vision_msgs with pip",
        )


def _run(program: str, args: Sequence[str] | None, ending: Ending, make: MakeNodes) -> int:
    # GNU OpenMP's threads spin at barriers, for milliseconds by default: on cores shared with other nodes each then
    # burns the time slice another waits for, and a forward pass of 60 ms was seen to take seconds. Never spinning
    # (PASSIVE) costs 13 ms a pass on idle cores, spinning shortly 4 ms. Must be set before torch is imported.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")

    import rclpy
    from rclpy.impl.implementation_singleton import rclpy_implementation as implementation
    from rclpy.signals import SignalHandlerOptions

    from trust_seg_ros.node.executor import BesideExecutor
    from trust_seg_ros.node.node import TrustSegNode

    freed = remove_dead_segments()
    ending.something_is_open()
    try:
        # rclpy's own handlers would shut everything down in the middle of what is going on
        rclpy.init(args=None if args is None else list(args), signal_handler_options=SignalHandlerOptions.NO)
        nodes = make(TrustSegNode)
    except (TrustSegError, implementation.UnknownROSArgsError, implementation.RCLError) as error:
        rclpy.try_shutdown()
        unknown = isinstance(error, implementation.UnknownROSArgsError)
        return _cannot_start(program, f"unknown ROS arguments: {error}" if unknown else str(error))
    if freed:
        nodes[0].get_logger().info(
            f"removed {freed / 1e6:.1f} MB of shared memory that killed processes had left behind"
        )
    executor = BesideExecutor()
    for node in nodes:
        executor.add_node(node)
    spinning = threading.Thread(target=_spin, args=(nodes[0], executor, ending), name="executor", daemon=True)
    spinning.start()
    ending.wait()
    if not _end(nodes, executor, spinning):  # Python waits for every thread at exit
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(0)
    gc.freeze()  # else the interpreter looks for garbage at its end, among all the libraries, which takes a second
    return 0


def _spin(node: TrustSegNode, executor: Executor, ending: Ending) -> None:
    """Spin until the end is asked for. An unexpected error in one callback must not take the node off the vehicle."""
    from rclpy.executors import ExternalShutdownException

    while node.context.ok() and not ending.asked:
        try:
            executor.spin_once()
        except ExternalShutdownException:
            break
        except Exception:
            if not node.context.ok() or ending.asked:
                break
            node.get_logger().error(f"unexpected error, going on:\n{traceback.format_exc()}", throttle_duration_sec=1.0)
    ending.ask()


def _end(nodes: list[TrustSegNode], executor: Executor, spinning: threading.Thread) -> bool:
    """Stop and destroy everything; False if something that cannot be stopped is still running."""
    import rclpy

    for node in nodes:
        node.begin_end()
    stopping = threading.Thread(target=executor.shutdown, name="executor's end", daemon=True)
    stopping.start()  # waits for the callbacks that are running
    for thread in (stopping, spinning):
        thread.join(_STEP_S)
    until = time.monotonic() + _STEP_S
    ended = [node.close(max(0.0, until - time.monotonic())) for node in nodes]
    quiet = not (stopping.is_alive() or spinning.is_alive())
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown()
    for node in nodes * quiet:
        vars(node).clear()  # rcl's state machine, too: it keeps the middleware, with its shared memory, alive
    return all(ended) and quiet


def _cannot_start(program: str, reason: str) -> int:
    print(f"{program}: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
