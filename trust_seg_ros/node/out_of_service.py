"""Takes a node whose GPU is lost out of service: it deactivates itself, and says why until it is cleaned up."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode

from trust_seg_ros.node.reporter import NodeState
from trust_seg_ros.node.transitions import Beside


class OutOfService:
    """Deactivates a node at the word of its worker, in the thread of the transitions.

    The worker cannot do so itself: the transition waits for it to finish its frame. What was loaded on a lost device
    cannot be used again, so the node refuses to be activated until it is cleaned up; that calls nothing of CUDA and so
    cannot hang: memory goes back to torch's allocator, and a frame that never ends is abandoned as any other.

    Args:
        node: the node.
        group: callbacks of transitions.
        state: what the node is doing now.
        alive: whether anything may still be said.
    """

    def __init__(
        self, node: LifecycleNode, group: Beside, state: Callable[[], NodeState], alive: Callable[[], bool]
    ) -> None:
        self._node, self._state, self._alive = node, state, alive
        self._guard = node.create_guard_condition(self._leave, group)

    def lost(self, text: str) -> None:
        """The GPU is lost, in words; from any thread, returns at once."""
        loaded = self._state().loaded
        if loaded is not None and self._alive():
            loaded.lost = text
            self._node.get_logger().error(f"{text}. The node becomes inactive")
            self._guard.trigger()

    def _leave(self) -> None:
        at = self._state()
        if at.phase == "active" and at.loaded is not None and at.loaded.lost:
            self._node.trigger_deactivate()
