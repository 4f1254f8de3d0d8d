import threading

import pytest

from trust_seg_ros.node.slot import FrameSlot
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.node.throttle import Throttle
from trust_seg_ros.node.worker import Worker

DEADLINE = 20.0


def test_a_slot_of_one_holds_the_newest():
    slot = FrameSlot(1)
    assert [slot.put(item) for item in "abcd"] == [0, 1, 1, 1]
    assert slot.take(0) == "d"
    assert slot.take(0) is None


def test_a_queue_gives_up_the_oldest():
    slot = FrameSlot(3)
    assert sum(slot.put(item) for item in "abcde") == 2
    assert [slot.take(0) for _ in range(4)] == ["c", "d", "e", None]


def test_what_waits_is_bounded_in_bytes_too_but_the_newest_always_stays():
    slot = FrameSlot(100, max_bytes=10)
    assert [slot.put(bytes([n]) * 4) for n in range(4)] == [0, 0, 1, 1]
    assert [slot.take(0)[0], slot.put(b"x" * 6), slot.put(b"y" * 10)] == [2, 0, 2]
    assert slot.put(b"z" * 50) == 1
    assert [slot.take(0), slot.take(0)] == [b"z" * 50, None]
    assert [slot.put(b"a" * 5), slot.put(b"b" * 5)] == [0, 0], "nothing is left of the count"


def test_items_that_are_not_bytes_are_only_counted():
    slot = FrameSlot(2, max_bytes=0)
    assert [slot.put(item) for item in (1, None, 3)] == [0, 0, 1]


def test_closing_wakes_whoever_waits_and_gives_up_the_rest():
    slot = FrameSlot(1)
    seen = []
    waiter = threading.Thread(target=lambda: seen.append(slot.take(DEADLINE)))
    waiter.start()
    slot.close()
    waiter.join(DEADLINE)
    assert seen == [None]
    assert slot.put(b"late") == 0
    assert slot.take(0) is None


class Recorder:
    """Handles items, and blocks or raises when an item says so."""

    def __init__(self):
        self.items, self.errors = [], []
        self.threads = set()
        self.started, self.go_on, self.done = threading.Event(), threading.Event(), threading.Event()

    def handle(self, item):
        self.threads.add(threading.get_ident())
        if item == "block":
            self.started.set()
            assert self.go_on.wait(DEADLINE)
        if item == "raise":
            raise ValueError("broken frame")
        self.items.append(item)
        if item == "last":
            self.done.set()


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def worker(recorder):
    worker = Worker()
    yield worker
    recorder.go_on.set()
    assert worker.stop(DEADLINE)


def test_while_one_frame_is_in_hand_only_the_newest_waits(worker, recorder):
    worker.open(1, recorder.handle, recorder.errors.append)
    worker.put("block")
    assert recorder.started.wait(DEADLINE)
    assert [worker.put(item) for item in ("a", "b", "last")] == [0, 1, 1]
    recorder.go_on.set()
    assert recorder.done.wait(DEADLINE)
    assert recorder.items == ["block", "last"]


def test_an_exception_costs_one_frame(worker, recorder):
    worker.open(5, recorder.handle, recorder.errors.append)
    for item in ("raise", "a", "raise", "last"):
        worker.put(item)
    assert recorder.done.wait(DEADLINE)
    assert recorder.items == ["a", "last"]
    assert [str(error) for error in recorder.errors] == ["broken frame"] * 2


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_nothing_that_is_raised_ends_the_loop(worker, recorder, error, capsys):
    def handle(item):
        if item == "raise":
            raise error("out of the frame")
        recorder.handle(item)

    def on_error(_):
        raise error("out of the error handler")

    worker.open(5, handle, on_error)
    assert worker.is_serving
    for item in ("raise", "a", "raise", "last"):
        worker.put(item)
    assert recorder.done.wait(DEADLINE)
    assert recorder.items == ["a", "last"]
    assert capsys.readouterr().err.count(f"{error.__name__}: out of the error handler") == 2
    assert worker.close(DEADLINE)
    assert not worker.is_serving


def test_warming_and_every_activation_run_in_one_thread(worker, recorder):
    recorder.threads.add(worker.call(threading.get_ident))
    for _ in range(2):
        recorder.done.clear()
        worker.open(1, recorder.handle, recorder.errors.append)
        worker.put("last")
        assert recorder.done.wait(DEADLINE)
        assert worker.close(DEADLINE)
        assert worker.put("lost") == 0
    assert recorder.items == ["last", "last"]
    assert len(recorder.threads) == 1
    with pytest.raises(ZeroDivisionError):
        worker.call(lambda: 1 / 0)


def test_closing_says_when_the_frame_in_hand_does_not_end(worker, recorder):
    worker.open(1, recorder.handle, recorder.errors.append)
    worker.put("block")
    assert recorder.started.wait(DEADLINE)
    assert not worker.close(0.01)
    recorder.go_on.set()
    assert worker.close(DEADLINE)


def test_statistics_are_not_available_before_the_first_frame():
    summary = Statistics().summary()
    assert (summary.processing, summary.latency) == (None, None)
    assert (summary.input_rate, summary.output_rate, summary.counts) == (0.0, 0.0, {})


def test_statistics_add_up():
    statistics = Statistics()
    for ms in range(1, 102):
        statistics.arrived(overwritten=ms % 2)
        statistics.finished(float(ms), None if ms < 100 else 7.0, {"network": ms / 2})
    statistics.count("refused", "why")
    summary = statistics.summary()
    assert summary.counts == {"received": 101, "overwritten": 51, "processed": 101, "refused": 1}
    assert (summary.processing.p50, summary.processing.p99) == (51.0, 100.0)
    assert (summary.latency.p50, summary.steps) == (7.0, {"network": 25.5})
    assert (summary.reason("refused"), summary.reason("failed")) == ("why", "")
    statistics.forget_times()
    assert statistics.summary().processing is None
    assert statistics.summary().counts["received"] == 101


class Clock:
    """A clock that is wound by hand."""

    now = 100.0

    def __call__(self):
        return self.now


def test_times_rates_and_shares_are_those_of_the_last_seconds_however_few_frames_that_are():
    clock = Clock()
    statistics = Statistics(clock)
    for _ in range(10):
        clock.now += 0.5
        statistics.arrived(0)
        statistics.finished(20.0, None, {"network": 15.0})
        statistics.flagged(0.5, None)
    clock.now += 9.0  # since the last; at 2 Hz one would expect others
    summary = statistics.summary()
    assert summary.processing.p50 == 20.0
    assert 0 < summary.output_rate < 0.3
    clock.now += 1.1
    summary = statistics.summary()
    assert (summary.processing, summary.steps, summary.flagged_pixels) == (None, {}, None)
    assert (summary.input_rate, summary.output_rate) == (0.0, 0.0)
    assert summary.counts["processed"] == 10


def test_the_frame_in_hand_counts_when_it_takes_longer_than_others():
    clock = Clock()
    statistics = Statistics(clock)
    for _ in range(9):
        statistics.finished(20.0, 30.0, {})
    assert statistics.summary(clock.now - 0.005).processing.p99 == 20.0
    summary = statistics.summary(clock.now - 8.0)
    assert (summary.processing.p50, summary.latency.p50) == (20.0, 30.0)
    assert (summary.processing.p99 > 7000, summary.latency.p99 > 7000) == (True, True)
    clock.now += 18.0
    assert statistics.summary(clock.now - 18.0).processing.p50 == 18_000.0


class Log:
    def __init__(self):
        self.lines = []

    def warning(self, message):
        self.lines.append(message)


def test_a_throttle_tells_kinds_apart_and_counts_what_it_kept_back():
    log = Log()
    throttle = Throttle(log, period_s=3600)
    for _ in range(3):
        throttle.warn("refused", "bad step")
        throttle.warn("failed", "lost")
    assert log.lines == ["bad step", "lost"]
    throttle._period_s = 0.0
    throttle.warn("refused", "bad step")
    assert log.lines[-1] == "bad step (2 more like this before)"
