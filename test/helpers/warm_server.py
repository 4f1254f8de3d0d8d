"""Makes copies of itself that run a program's main function, with all libraries loaded: ``warm_server.py FD KERNELS``.

Loading torch and numba costs three seconds of processor time, and one more the kernels that numba has compiled, which
are loaded when KERNELS is 1; a copy costs none of it. A request over the socket FD is a JSON object with the module,
its arguments, and variables to take out of its environment, and three file descriptors: the program's output, its
errors, and where its process id and its exit status go. The copy has a group of its own, as a terminal would give it,
and ends as the interpreter ends, not by ``os._exit``.
"""

import gc
import importlib
import json
import os
import signal
import socket
import struct
import sys
from contextlib import suppress

# What the node needs. Not rclpy: a copy of a process that has loaded it crashes when it ends.
LIBRARIES = ("cv2", "numba", "torch", "rosidl_generator_py", "trust_seg_ros.pipeline", "trust_seg_ros.node.parameters")
NUMBER = struct.Struct("<q")


def reap():
    """Ended copies, whose processor time counts only when they are waited for."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def watch(request, *files):
    """Start the copy and report how it ended; the parent of each is a process of its own."""
    report = files[-1]
    pid = os.fork()
    if pid == 0:
        os.setsid()
        for stream, file in enumerate(files[:-1], 1):
            os.dup2(file, stream)
        for file in files:
            os.close(file)
        return request
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.write(report, NUMBER.pack(pid))
    os.write(report, NUMBER.pack(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
    os._exit(0)


def serve(connection):
    """Give the request that a copy is made for; the server itself never returns."""
    while True:
        data, files, _, _ = socket.recv_fds(connection, 1 << 16, 3)
        reap()
        if not data:
            sys.exit(0)
        if os.fork() == 0:
            connection.close()
            return watch(json.loads(data), *files)
        for file in files:
            os.close(file)


def load_kernels():
    """Judge a frame. Threads do not survive a fork: torch must start none, the package forgets its own."""
    import numpy as np
    import torch

    from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline
    from trust_seg_ros.types import Frame

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    settings = PipelineSettings("fault_networks:colours", meta_model="none", device="cpu", threads=1)
    pipeline = TrustPipeline.load(settings)
    pipeline.warm_up((48, 64))
    pipeline(Frame(np.full((48, 64, 3), 128, np.uint8)))
    torch.set_num_threads(threads)


def main():
    for name in LIBRARIES:
        importlib.import_module(name)
    if int(sys.argv[2]):
        load_kernels()
    gc.collect()
    gc.freeze()  # else the first collection of each copy writes to every page, and so copies it
    request = serve(socket.socket(fileno=int(sys.argv[1])))
    for name in request["without"]:
        os.environ.pop(name, None)
    sys.argv = [request["module"], *request["arguments"]]
    return importlib.import_module(request["module"]).main()


if __name__ == "__main__":
    sys.exit(main())
