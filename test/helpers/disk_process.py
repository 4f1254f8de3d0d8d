"""The replay on a disk that is full or read-only: ``disk_process.py FULL-OR-READ-ONLY ...``, with mounts of its own.

``limited SIZE WORD...`` runs a command that may write no file larger than SIZE bytes.
"""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from trust_seg_ros.cli import main as command


def apart(words):
    """Exit status of the command in a process of its own, a copy of this one."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = command(words)
        sys.stdout.flush()
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def full(size, disk, kept, *words):
    """The command on a disk of that many bytes, and once more when there is room; then its output is kept."""
    mount("-t", "tmpfs", "-o", f"size={size}", "none", disk)
    print("first status:", apart(words))
    print("left:", *[path.name for path in Path(disk, "out", ".replay").iterdir()], flush=True)
    mount("-o", "remount,size=64m", disk)
    status = apart(words)
    if status == 0:
        shutil.copytree(f"{disk}/out", kept)
    return status


def read_only(disk, *words):
    """The command on a disk that is read-only."""
    mount("--bind", disk, disk)
    mount("-o", "remount,ro,bind", disk)
    return command(words)


def limited(size, *words):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))
    return command(words)


def main():
    what, *words = sys.argv[1:]
    return {"full": full, "read_only": read_only, "limited": limited}[what](*words)
