"""The executable ``trust_seg_node``: runs one node in one process."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trust_seg_ros.errors import TrustSegError

if TYPE_CHECKING:
    from trust_seg_ros.node.node import TrustSegNode


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C or shutdown.

    Returns:
        Exit status: 0 after an orderly end, 2 when the node cannot start; the reason is on stderr.
    """
    try:
        return _run(args)
    except KeyboardInterrupt:
        return 0
    except ModuleNotFoundError as error:
        return _cannot_start(
            f"the Python module {error.name!r} is missing; source a ROS 2 distribution, or install requirements.txt "
            "and ./interfaces/vision_msgs with pip"
        )


def _run(args: Sequence[str] | None) -> int:
    # GNU OpenMP's threads spin at barriers, for milliseconds by default: on cores shared with other nodes each then
    # burns the time slice another waits for, and a forward pass of 60 ms was seen to take seconds. Never spinning
    # (PASSIVE) costs 13 ms a pass on idle cores, spinning shortly 4 ms. Must be set before torch is imported.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")

    import rclpy
    from rclpy.impl.implementation_singleton import rclpy_implementation as implementation

    from trust_seg_ros.node.node import TrustSegNode

    node: TrustSegNode | None = None
    ended = True
    try:
        rclpy.init(args=None if args is None else list(args))
        node = TrustSegNode()
        _spin(node)
    except implementation.UnknownROSArgsError as error:
        return _cannot_start(f"unknown ROS arguments: {error}")
    except (TrustSegError, implementation.RCLError) as error:
        if node is None:  # otherwise the middleware was shut down in the middle of a call
            return _cannot_start(str(error))
    finally:
        if node is not None:
            ended = node.close()
            node.destroy_node()
        rclpy.try_shutdown()
        if not ended:  # Python waits for every thread at exit, and a frame that never ends cannot be stopped
            sys.stderr.flush()
            sys.stdout.flush()
            os._exit(0)
    return 0


def _spin(node: TrustSegNode) -> None:
    """Spin until shutdown. An unexpected error in one callback must not take the node off the vehicle."""
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while node.context.ok():
        try:
            executor.spin_once()
        except ExternalShutdownException:
            break
        except Exception:
            if not node.context.ok():
                break
            node.get_logger().error(f"unexpected error, going on:\n{traceback.format_exc()}", throttle_duration_sec=1.0)


def _cannot_start(reason: str) -> int:
    print(f"trust_seg_node: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
