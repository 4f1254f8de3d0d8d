"""Where callers of several threads meet: who waits for whom, and whose answer is whose."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from trust_seg_ros.segmentation.batcher import Batcher, LeftError, Seat

NEVER_S = 60.0
"""An item that is held back for so long fails the test."""
PATIENCE_S = 20.0


class Doubled:
    """A batcher that doubles numbers and keeps its batches; ``hold`` stops it in the middle of one."""

    def __init__(self, most=4):
        self.batches, self.go = [], threading.Event()
        self.go.set()
        self.batcher = Batcher(self.compute, most)
        self.pool = ThreadPoolExecutor(16)

    def compute(self, items):
        self.batches.append(list(items))
        assert self.go.wait(PATIENCE_S)
        return [error if (error := self.fault(item)) else 2 * item for item in items]

    @staticmethod
    def fault(item):
        return ValueError(f"{item} is negative") if item < 0 else None

    def seat(self, name="camera", wait_s=NEVER_S, asked=(), most=9):
        """A seat whose caller asked so many seconds ago."""
        seat, now = Seat(name, wait_s, most), time.monotonic()
        for ago in asked:
            seat.asked(now - ago)
        self.batcher.join(seat)
        return seat

    def asks(self, seat, item):
        return self.pool.submit(self.batcher.ask, seat, item)

    def until(self, condition):
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.001)

    def waiting(self):
        return [asked.item for asked in self.batcher._waiting]

    def queue(self, seat, *items):
        """Ask in this order; gives the futures once all wait."""
        found = []
        for item in items:
            before = len(self.waiting())
            found.append(self.asks(seat, item))
            self.until(lambda before=before: len(self.waiting()) > before)
        return found


@pytest.fixture
def doubled():
    made = Doubled()
    yield made
    made.go.set()
    made.pool.shutdown()


@pytest.mark.parametrize(
    ("asked_ms", "now_ms", "until_ms", "worth_ms"),
    [
        ((0, 100), 195, 205, 10),  # its turn comes at 200
        ((0, 100), 140, 150, 0),  # too early to wait for it
        ((0, 100), 203, 213, 10),  # a little late
        ((0, 100), 203, 303, 47),  # late by half a period it is not waited for any longer
        ((0, 100), 270, 280, 0),  # it has missed a turn; the next one is later
        ((0, 100), 298, 305, 7),
        ((0, 100), 399, 405, 6),
        ((0, 100), 460, 520, 0),  # it has missed three
        ((0, 100, 200, 300, 700), 790, 805, 15),  # one long gap is no new period
        ((0,), 100, 10_000, 0),  # asked once: nothing is known
        ((), 100, 10_000, 0),
        ((5, 5), 6, 7, 0),
    ],
)
def test_how_long_a_caller_is_worth_waiting_for(asked_ms, now_ms, until_ms, worth_ms):
    seat = Seat("camera")
    for at in asked_ms:
        seat.asked(at / 1e3)
    assert seat.worth(now_ms / 1e3, until_ms / 1e3) == pytest.approx(worth_ms / 1e3, abs=1e-9)


def test_what_comes_during_a_computation_is_taken_together_in_order(doubled):
    seats = [doubled.seat(str(n)) for n in range(3)]
    doubled.go.clear()
    first = doubled.asks(seats[0], 1)
    doubled.until(lambda: doubled.batches)
    others = [*doubled.queue(seats[1], 2), *doubled.queue(seats[2], 3), *doubled.queue(seats[0], 4)]
    doubled.go.set()
    assert [future.result(PATIENCE_S) for future in (first, *others)] == [2, 4, 6, 8]
    assert doubled.batches == [[1], [2, 3, 4]]
    assert str(doubled.batcher).startswith("3 cameras, 2.00 images a pass, waited ")


def test_no_more_than_fit_are_taken_together(doubled):
    doubled.batcher.most = 2
    seat = doubled.seat()
    doubled.go.clear()
    futures = [doubled.asks(seat, 0)]
    doubled.until(lambda: doubled.batches)
    futures += doubled.queue(seat, 1, 2, 3, 4, 5)
    doubled.go.set()
    assert [future.result(PATIENCE_S) for future in futures] == [0, 2, 4, 6, 8, 10]
    assert doubled.batches == [[0], [1, 2], [3, 4], [5]]


def test_who_shares_with_fewer_is_computed_with_fewer(doubled):
    wide, narrow = doubled.seat("wide"), doubled.seat("narrow", most=2)
    doubled.go.clear()
    futures = [doubled.asks(wide, 0)]
    doubled.until(lambda: doubled.batches)
    futures += [
        future for seat, n in ((wide, 1), (wide, 2), (narrow, 3), (wide, 4)) for future in doubled.queue(seat, n)
    ]
    doubled.go.set()
    assert [future.result(PATIENCE_S) for future in futures] == [0, 2, 4, 6, 8]
    assert doubled.batches == [[0], [1, 2], [3, 4]]


def test_a_caller_among_silent_ones_is_not_held_back(doubled):
    """Silent: never heard of, heard once, gone for long, and not due yet."""
    for asked in ((), (0.1,), (90.0, 80.0), (3000.0, 1.0)):
        doubled.seat("silent", asked=asked)
    live = doubled.seat("live", asked=(0.2, 0.1))
    assert [doubled.asks(live, item).result(PATIENCE_S) for item in range(20)] == [2 * item for item in range(20)]
    assert doubled.batches == [[item] for item in range(20)]


def test_a_caller_that_is_due_is_waited_for(doubled):
    first, second = (doubled.seat(name, asked=(200.0, 100.0)) for name in "ab")
    (early,) = doubled.queue(first, 1)
    assert doubled.batches == []
    assert doubled.asks(second, 2).result(PATIENCE_S) == 4
    assert early.result(PATIENCE_S) == 2
    assert doubled.batches == [[1, 2]]


def test_a_late_caller_holds_others_back_up_to_the_limit(doubled):
    first, second = (doubled.seat(name, wait_s=0.05, asked=(200.0, 100.0)) for name in "ab")
    asked = time.monotonic()
    assert doubled.asks(first, 1).result(PATIENCE_S) == 2
    assert time.monotonic() - asked > 0.04, "the other one was due"
    assert doubled.asks(second, 2).result(PATIENCE_S) == 4
    assert doubled.batches == [[1], [2]]


def test_who_must_not_be_held_back_takes_the_others_along(doubled):
    patient, hasty = doubled.seat("patient", asked=(200.0, 100.0)), doubled.seat("hasty", 0.0, asked=(200.0, 100.0))
    doubled.seat("due", asked=(200.0, 100.0))
    (early,) = doubled.queue(patient, 1)
    assert doubled.asks(hasty, 2).result(PATIENCE_S) == 4
    assert early.result(PATIENCE_S) == 2
    assert doubled.batches == [[1, 2]]


def test_a_fault_reaches_only_its_caller(doubled):
    seat = doubled.seat()
    doubled.go.clear()
    futures = [doubled.asks(seat, 0)]
    doubled.until(lambda: doubled.batches)
    futures += doubled.queue(seat, 1, -1, 2)
    doubled.go.set()
    with pytest.raises(ValueError, match="-1 is negative"):
        futures[2].result(PATIENCE_S)
    assert [futures[index].result(PATIENCE_S) for index in (0, 1, 3)] == [0, 2, 4]


def test_a_computation_that_raises_leaves_nobody_waiting(doubled):
    seat = doubled.seat()
    doubled.go.clear()
    futures = [doubled.asks(seat, 0)]
    doubled.until(lambda: doubled.batches)
    doubled.fault = lambda item: 1 / 0 if item == 1 else None
    futures += doubled.queue(seat, 1, 2)
    doubled.go.set()
    with pytest.raises(ZeroDivisionError):
        futures[1].result(PATIENCE_S)
    with pytest.raises(Exception, match="ended without an answer"):
        futures[2].result(PATIENCE_S)
    assert doubled.asks(seat, 3).result(PATIENCE_S) == 6


def test_who_leaves_waits_for_nothing_even_if_a_computation_hangs(doubled):
    hanging, leaving, staying = (doubled.seat(name) for name in ("hanging", "leaving", "staying"))
    doubled.go.clear()
    first = doubled.asks(hanging, 1)
    doubled.until(lambda: doubled.batches)
    (gone,), (kept,) = doubled.queue(leaving, 2), doubled.queue(staying, 3)
    assert not doubled.batcher.leave(leaving)
    with pytest.raises(LeftError, match="leaving has left"):
        gone.result(PATIENCE_S)
    for call in (lambda: doubled.batcher.ask(leaving, 4), lambda: doubled.batcher.alone(leaving).__enter__()):
        with pytest.raises(LeftError):
            call()
    assert not doubled.batcher.leave(hanging), "its item is being computed"
    doubled.go.set()
    assert (first.result(PATIENCE_S), kept.result(PATIENCE_S)) == (2, 6)
    assert doubled.batches == [[1], [3]]
    assert doubled.batcher.leave(staying), "it waits for nothing"


def test_the_oldest_leaving_hands_the_turn_on(doubled):
    oldest, other = doubled.seat("oldest", asked=(200.0, 100.0)), doubled.seat("other", 0.1, asked=(200.0, 100.0))
    doubled.seat("due", asked=(200.0, 100.0))
    (gone,) = doubled.queue(oldest, 1)
    (kept,) = doubled.queue(other, 2)
    doubled.batcher.leave(oldest)
    with pytest.raises(LeftError):
        gone.result(PATIENCE_S)
    assert kept.result(PATIENCE_S) == 4


def test_what_is_done_alone_waits_for_batches_and_they_for_it(doubled):
    seat, done = doubled.seat(), []

    def alone():
        with doubled.batcher.alone(seat):
            done.append(len(doubled.batches))
            assert doubled.go.wait(PATIENCE_S)

    doubled.go.clear()
    futures = [doubled.pool.submit(alone)]
    doubled.until(lambda: done)
    futures += doubled.queue(doubled.seat("other"), 1)
    assert doubled.batches == []
    assert not doubled.batcher.leave(seat), "it has not ended"
    doubled.go.set()
    assert [future.result(PATIENCE_S) for future in futures] == [None, 2]
    assert done == [0]


def test_many_callers_get_their_own_answers(doubled):
    def drive(number):
        seat, rng = doubled.seat(str(number), wait_s=0.002), random.Random(number)
        for _ in range(200):
            item = 1000 * number + rng.randrange(1000)
            assert doubled.batcher.ask(seat, item) == 2 * item

    for future in [doubled.pool.submit(drive, number) for number in range(8)]:
        future.result(PATIENCE_S)
    assert sum(map(len, doubled.batches)) == 8 * 200
    assert max(map(len, doubled.batches)) <= 4
    assert doubled.waiting() == []
