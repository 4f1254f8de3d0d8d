"""The executable: one node in one process."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from trust_seg_ros.errors import TrustSegError


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until Ctrl-C or shutdown.

    Returns:
        Exit status: 0 after an orderly end, 2 when the node cannot start; the reason is on stderr.
    """
    try:
        import rclpy
        from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

        from trust_seg_ros.node.node import TrustSegNode
    except ModuleNotFoundError as error:
        print(
            f"trust_seg_node: the Python module {error.name!r} is missing; source a ROS 2 distribution, or install "
            "requirements.txt and ./interfaces/vision_msgs with pip",
            file=sys.stderr,
        )
        return 2
    node: TrustSegNode | None = None
    try:
        rclpy.init(args=None if args is None else list(args))
        executor = SingleThreadedExecutor()
        node = TrustSegNode()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except TrustSegError as error:
        print(f"trust_seg_node: {error}", file=sys.stderr)
        return 2
    except Exception:
        # what the middleware raises when it is shut down in the middle of a call
        if rclpy.ok():
            raise
    finally:
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
