#!/usr/bin/env python3
"""Whether the node answers and is active: exit status 0, else 1, with a sentence.

usage: healthcheck.py [NODE [SECONDS]]; NODE is /trust_seg, with its namespace if it has one, and SECONDS is 8.
"""

from __future__ import annotations

import sys
import time

import rclpy
from lifecycle_msgs.srv import GetState


def state_of(name: str, seconds: float) -> str | None:
    """Label of a lifecycle node's state; None if it does not answer in time."""
    end = time.monotonic() + seconds
    node = rclpy.create_node("trust_seg_healthcheck", use_global_arguments=False, enable_rosout=False)
    client = node.create_client(GetState, f"{name}/get_state")
    if not client.wait_for_service(timeout_sec=seconds):
        return None
    answer = client.call_async(GetState.Request())
    rclpy.spin_until_future_complete(node, answer, timeout_sec=end - time.monotonic())
    return answer.result().current_state.label if answer.done() else None


def main() -> int:
    """Print the state; returns the exit status."""
    name, seconds = (*sys.argv[1:], "/trust_seg", "8")[:2] if len(sys.argv) != 2 else (sys.argv[1], "8")
    rclpy.init(args=[])
    try:
        state = state_of(name, float(seconds))
    finally:
        rclpy.try_shutdown()
    print(f"{name} is {state}" if state else f"{name} did not answer within {seconds} s")
    return int(state != "active")


if __name__ == "__main__":
    sys.exit(main())
