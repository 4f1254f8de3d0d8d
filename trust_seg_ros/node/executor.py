"""An executor of one thread for everything but transitions, which have a thread of their own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from rclpy.executors import ExternalShutdownException, ShutdownException, SingleThreadedExecutor, TimeoutException

from trust_seg_ros.node.transitions import Beside


class BesideExecutor(SingleThreadedExecutor):
    """Runs callbacks in the spinning thread, except those of a group :class:`Beside`.

    rclpy's MultiThreadedExecutor hands every callback to another thread, which has to wait for Python's lock: images
    then reach the node 3 to 5 ms later.
    """

    def __init__(self) -> None:
        super().__init__()
        self._beside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="transitions")

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Wait for one callback and run it, or hand it to the other thread; raises what the callback raises."""
        try:
            handler, entity, _ = self.wait_for_ready_callbacks(timeout_sec=timeout_sec)
        except (ExternalShutdownException, ShutdownException, TimeoutException):
            return
        if entity is not None and isinstance(getattr(entity, "callback_group", None), Beside):
            self._beside.submit(handler)
            return
        handler()
        if (error := handler.exception()) is not None:
            raise error

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Stop executing callbacks and wait for those that run, in the other thread, too."""
        ended: bool = super().shutdown(timeout_sec)
        self._beside.shutdown(wait=True)
        return ended
