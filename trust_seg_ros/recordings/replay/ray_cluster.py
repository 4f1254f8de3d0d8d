"""Connects to a Ray cluster: a new one on this machine, or an existing one; failures are reported early and explained.

Only Ray's public interface is used, with one marked exception. Ray is an optional extra.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from trust_seg_ros.recordings.replay.errors import ReplayError
from trust_seg_ros.support.libraries import how_to_install
from trust_seg_ros.support.parallel import cores

LOCAL, AUTO, CLIENT = "local", "auto", "ray://"
CLIENT_PORT = 10001
REACH_S, JOIN_S = 5.0, 40.0
"""Seconds to wait for a port to open, and for a cluster to let a driver in."""
_STORE_BYTES = 100 * 2**20  # tasks and answers are small; Ray's default is a third of the memory
_JOIN = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False); ray.shutdown()"
_HOW = "expected local, auto (a cluster that this machine is part of), HOST:PORT of such a one, or ray://HOST:10001"


class ClusterError(ReplayError):
    """The cluster does not exist, or cannot do the work."""


def connect(address: str) -> tuple[ModuleType, bool]:
    """Connect to Ray.

    Args:
        address: ``local`` starts a cluster on this machine, which ends with the program; ``auto``, ``HOST:PORT`` and
            ``ray://HOST:PORT`` join one. A program that is already connected keeps its connection.

    Returns:
        The module, and whether the connection is new, so that the caller must end it.

    Raises:
        ClusterError: Ray is not installed, the address has an unknown form, or there is no answer.
    """
    if importlib.util.find_spec("ray") is None:
        raise ClusterError(
            f"--ray {address}: Ray is not installed; install it: {how_to_install('ray')} (--workers N needs no Ray)"
        )
    address = os.environ.get("RAY_ADDRESS", AUTO) if address == AUTO else address  # as Ray itself interprets it
    host = _host(address)
    if address == f"{CLIENT}{host and host[0]}":  # Ray itself would use another port
        address = f"{address}:{CLIENT_PORT}"
    import ray

    if ray.is_initialized():
        return ray, False
    if address == LOCAL:
        _start(ray)
    else:
        _join(ray, address, host)
    _quieten()
    return ray, True


def _host(address: str) -> tuple[str, int] | None:
    if address in (LOCAL, AUTO):
        return None
    name, colon, port = address.removeprefix(CLIENT).rpartition(":")
    if address.startswith(CLIENT) and not colon:
        name, port = port, str(CLIENT_PORT)
    if not name or not port.isdecimal() or not 0 < int(port) < 1 << 16 or "/" in name:
        raise ClusterError(f"--ray is {address!r}; {_HOW}")
    return name.strip("[]"), int(port)


def _environment(local: bool) -> dict[str, Any]:
    """Environment of the workers."""
    # Ray would limit the libraries of a worker to as many threads as its task has CPUs, and the last digits of a result
    # may depend on them: workers get as many as a process of this machine has
    variables = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(cores()))}
    if local:  # workers find network factories in the same places as this process
        variables["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    elif os.environ.get("PYTHONPATH"):
        variables["PYTHONPATH"] = os.environ["PYTHONPATH"] + os.pathsep + "${PYTHONPATH}"
    return {"env_vars": variables}


def _start(ray: ModuleType) -> None:
    before = os.environ.get("RAY_USAGE_STATS_ENABLED")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        ray.init(
            address=LOCAL,
            num_cpus=cores(),
            include_dashboard=False,
            object_store_memory=_STORE_BYTES,
            runtime_env=_environment(local=True),
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except Exception as error:
        raise ClusterError(
            f"Ray could not be started on this machine ({last_line(error)}); expected a writable /tmp/ray and free "
            "ports; --workers N does the same without Ray"
        ) from error
    finally:
        if before is None:
            del os.environ["RAY_USAGE_STATS_ENABLED"]
        else:
            os.environ["RAY_USAGE_STATS_ENABLED"] = before


def _join(ray: ModuleType, address: str, host: tuple[str, int] | None) -> None:
    if host is not None:
        try:
            socket.create_connection(host, REACH_S).close()
        except OSError as error:
            raise _unreachable(address, error.strerror or str(error)) from error
    if not address.startswith(CLIENT):
        _try_in_another_process(address)
    try:
        environment = _environment(local=False)
        ray.init(address=address, runtime_env=environment, logging_level=logging.ERROR, log_to_driver=False)
    except Exception as error:
        if "ray[client]" in str(error):
            raise ClusterError(f'--ray {address} needs more of Ray; expected: pip install "ray[client]"') from error
        raise _unreachable(address, last_line(error)) from error


def _try_in_another_process(address: str) -> None:
    """Try to join in another process: without a live Ray at the address, the library waits for minutes, then exits."""
    command = [sys.executable, "-c", _JOIN, address]
    try:
        tried = subprocess.run(command, capture_output=True, text=True, timeout=JOIN_S, check=False)
    except subprocess.TimeoutExpired:
        raise _unreachable(address, f"no answer of a Ray cluster within {JOIN_S:.0f} s") from None
    if tried.returncode:
        raise _unreachable(address, last_line(tried.stderr) or f"Ray ended with {tried.returncode}")


def _unreachable(address: str, reason: str) -> ClusterError:
    return ClusterError(
        f"no Ray cluster at {address!r} ({reason}); {_HOW}; a cluster is started by: ray start --head, and joined by "
        "other machines by: ray start --address=HOST:6379; one that asks for a token is joined with RAY_AUTH_MODE=token"
    )


def _quieten() -> None:
    """Silence the paragraph that Ray prints when a worker dies; the runner reports it in one line."""
    with suppress(ImportError, AttributeError):  # not public
        from ray._private.ray_logging import global_worker_stdstream_dispatcher

        global_worker_stdstream_dispatcher.remove_handler("ray_print_logs")


def last_line(error: object) -> str:
    """The last line of an error's text, without the paragraphs around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def capacity(ray: ModuleType, need: Mapping[str, float]) -> int:
    """Number of tasks with these needs that the whole cluster can run at once, ignoring its current load.

    Args:
        ray: the connected module.
        need: resource -> amount per task.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(min(int(has.get(name, 0) / amount) for name, amount in need.items()) for has in nodes)


def needs(ray: ModuleType, device: str, threads: int) -> dict[str, float]:
    """Resources that a task needs.

    Args:
        ray: the connected module.
        device: device of the network: ``cpu``, ``cuda``, or ``auto``, which is a GPU if the cluster has one.
        threads: threads of the network; 0 = as many as this machine has cores.

    Raises:
        ClusterError: no machine of the cluster has these resources.
    """
    gpus = sum(node["Resources"].get("GPU", 0) for node in ray.nodes() if node["Alive"])
    if device.startswith("cuda:"):
        raise ClusterError(f"device is {device}; on a cluster Ray chooses the GPU: expected cuda, auto or cpu")
    if device == "cuda" and not gpus:
        raise ClusterError("device is cuda, and the cluster has no GPU; expected one, or: -p device:=cpu")
    largest = max((node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]), default=0)
    if largest < 1:
        raise ClusterError("the cluster has no CPU for work; expected at least one machine with one")
    wanted = {"CPU": float(min(threads or cores(), int(largest)))}
    return wanted | ({"GPU": 1.0} if gpus and device in ("cuda", "auto") else {})
