"""A replay that kills itself while it finishes, once for each patch: ``killed_finish_process PATCH;PATCH... WORD...``.

Prints ``ended: SIGNAL WHOLE`` for each, WHOLE being whether metadata.yaml is there.
"""

import os
import signal
import sys
from pathlib import Path

from trust_seg_ros.cli import main as command
from trust_seg_ros.recordings.replay import chunk_work, finish, job, run  # noqa: F401 - patches name them


def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def third(real):
    """The same function, whose third call kills."""
    calls = []
    return lambda *args, **named: (calls.append(1), killed() if len(calls) == 3 else real(*args, **named))


def at_the_end(patch):
    """Patch what the patch names when all chunks are done."""

    def patched(*args):
        exec(patch)
        return real(*args)

    real, run.finish = run.finish, patched


def main():
    patches, *words = sys.argv[1:]
    for patch in patches.split(";"):  # each in a copy of this process, which has all libraries loaded
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            at_the_end(patch)
            os._exit(command(words))
        end = os.waitpid(child, 0)[1]
        whole = Path(words[words.index("--out") + 1], "metadata.yaml").exists()
        print("ended:", os.WIFSIGNALED(end) and os.WTERMSIG(end), whole, flush=True)
    return 0
