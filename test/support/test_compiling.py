"""Bars name the kernel that is compiled, and only while it is."""

import threading

import numba
from numba.core import event
from rich.console import Console

from trust_seg_ros.support.bars import CompilingColumn, bars
from trust_seg_ros.support.compiling import compiling


class Seen(event.Listener):
    def __init__(self):
        self.names = []

    def on_start(self, event):
        self.names.append(compiling().name)

    def on_end(self, event): ...


def test_a_compilation_is_named_while_it_lasts():
    compiling()
    seen = Seen()
    event.register("numba:compile", seen)  # after ours, so that it sees what ours has noted

    @numba.njit
    def a_new_kernel(x):
        return x + 1

    assert a_new_kernel(1) == 2
    event.unregister("numba:compile", seen)
    assert seen.names == ["a_new_kernel"]
    assert compiling().name == ""


def test_a_kernel_that_is_there_is_not_named():
    @numba.njit
    def twice(x):
        return 2 * x

    twice(1)
    seen = Seen()
    event.register("numba:compile", seen)
    twice(2)
    event.unregister("numba:compile", seen)
    assert seen.names == []


def test_bars_show_it():
    console = Console(width=200, record=True, force_terminal=True)
    event.broadcast(event.Event("numba:compile", event.EventStatus.START, data={"dispatcher": None}))
    try:
        with bars(console) as bar:
            task = bar.add_task("images", total=2)
            text = next(column for column in bar.columns if isinstance(column, CompilingColumn)).render(bar.tasks[task])
    finally:
        event.broadcast(event.Event("numba:compile", event.EventStatus.END, data={"dispatcher": None}))
    assert text.plain == "compiling a kernel (first run only)"
    assert "compiling a kernel" in console.export_text()


def test_it_is_thread_safe():
    def compile_often():
        for _ in range(200):
            event.broadcast(event.Event("numba:compile", event.EventStatus.START, data={}))
            event.broadcast(event.Event("numba:compile", event.EventStatus.END, data={}))

    threads = [threading.Thread(target=compile_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert compiling().name == ""
