"""Lifecycle transitions that say why they failed."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol

from lifecycle_msgs.srv import ChangeState
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.node import Node

from trust_seg_ros.errors import TrustSegError

SUCCESS, FAILURE, ERROR = (
    TransitionCallbackReturn.SUCCESS,
    TransitionCallbackReturn.FAILURE,
    TransitionCallbackReturn.ERROR,
)


class UnfinishedError(TrustSegError):
    """Work that cannot be stopped is still running: the node must be cleaned up before another attempt."""


class EndedError(TrustSegError):
    """The node is being ended: what a transition waits for is no longer wanted."""


class Beside(MutuallyExclusiveCallbackGroup):
    """Callbacks that may take minutes: ``executor.BesideExecutor`` runs them in a thread of their own, one by one."""


def beside_the_rest(node: Node) -> Beside:
    """A callback group with the service ``change_state``, to which nothing else of the node needs to belong.

    While a transition runs, diagnostics, parameters and ``get_state`` are answered; those who asked for the transition
    get their answer at its end. With an executor of rclpy that has one thread, transitions block the rest.
    """
    group = Beside()
    for service in node.services:
        if service.srv_type is ChangeState:
            group.add_entity(service)
            service.callback_group = group
    return group


class Explaining(Protocol):
    """A node that keeps and logs why a transition failed; ``failure`` is the error, None after a success."""

    problem: str
    failure: BaseException | None
    context: Any

    def note_failure(self, transition: str, text: str) -> None:
        """Log it and keep it for /diagnostics."""
        ...


def guarded(
    transition: Callable[[Any, LifecycleState], TransitionCallbackReturn],
) -> Callable[[Any, LifecycleState], TransitionCallbackReturn]:
    """Log an exception of a transition and turn it into a return code; rclpy would swallow it.

    An error raised on purpose (a missing model file, …) is a FAILURE: the state stays and the transition can be
    repeated. Anything else, and ``UnfinishedError``, is an ERROR, after which ``on_error`` cleans up.
    """

    @wraps(transition)
    def answer(self: Explaining, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            result = transition(self, state)
        except (TrustSegError, OSError) as error:
            self.failure = error
            self.note_failure(transition.__name__, str(error))
            return ERROR if isinstance(error, UnfinishedError) else FAILURE
        except Exception as error:
            self.failure = error
            self.note_failure(transition.__name__, f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
            return ERROR
        if not self.context.ok():
            # Shut down meanwhile: rclpy would try to announce the new state, fail, and log that as an error.
            raise KeyboardInterrupt
        if result == SUCCESS:
            self.problem, self.failure = "", None
        return result

    return answer
