"""Camera, worker and diagnostics of a node by a clock that is wound by hand; their timing is real, nothing else."""

from dataclasses import replace

from trust_seg_ros.node.camera import CameraView
from trust_seg_ros.node.levels import OK
from trust_seg_ros.node.liveness import Liveness
from trust_seg_ros.node.settings import settings_from
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.node.view import NodeView

IMAGE = "sensor_msgs/msg/Image"
CAMERA = CameraView("/front/image", IMAGE, (IMAGE,), 1, "reliable", "")
MS = 0.001
STEP_MS = 10
FINE, FAILED, BLIND, FAULTY, FROZEN = "fine", "failed", "blind", "faulty", "frozen"
UNWATCHED, REFUSED = "unwatched", "refused"


class SimulatedNode:
    """An active node in mode ``latest``.

    Args:
        gap_ms: image number -> milliseconds until it comes after the one before.
        frame: image number -> (milliseconds in hand, how it ends).
        period_s: between two reports.
        parameters: of the node.
    """

    def __init__(self, gap_ms=lambda n: 100, frame=lambda n: (4, FINE), period_s=1.0, **parameters):
        self.ms, self._gap_ms, self._frame = 0, gap_ms, frame
        self.statistics = Statistics(lambda: self.ms * MS)
        self.settings = settings_from(parameters)
        self.camera, self.enabled, self.clock_ns = CAMERA, True, None
        self.liveness = Liveness(self.statistics, period_s)
        self.said = []  # (seconds, Verdict) of every report
        self._images, self._next_image = 0, gap_ms(0)
        self._waiting = self._in_hand = None
        self.running = True
        self._ticks = round(1000 * self.liveness.tick_s)

    def run(self, seconds):
        """Let time pass; gives what was said meanwhile."""
        first, end = len(self.said), self.ms + round(1000 * seconds)
        while self.ms < end:
            self.ms += STEP_MS
            if self.running:
                self._step()
        return self.said[first:]

    def _step(self):
        if self.ms >= self._next_image and self.camera.publishers:
            self.statistics.arrived(int(self._waiting is not None))
            self._waiting = self._images
            self._images += 1
            self._next_image = self.ms + self._gap_ms(self._images)
        if self._in_hand is not None and self.ms >= self._in_hand[1]:
            self._end(*self._in_hand)
        if self._in_hand is None and self._waiting is not None:
            lasts, how = self._frame(self._waiting)
            self._waiting, self._in_hand = None, (self.ms * MS, self.ms + lasts, how)
        if self.ms % self._ticks == 0:
            self._tick()

    def _end(self, taken, _, how):
        s = self.statistics
        if how in (FINE, BLIND, FAULTY, FROZEN):
            for name in {FINE: (), BLIND: ("faulty", "blind"), FAULTY: ("faulty",), FROZEN: ("frozen",)}[how]:
                s.count(name, how)
            s.finished(1000 * (s.now() - taken), None, {})
        elif how == UNWATCHED:
            s.nothing_due(unwatched=True)
        else:
            s.count(how, how)
        s.let_go(taken)
        self._in_hand = None

    def _tick(self):
        taken = None if self._in_hand is None else self._in_hand[0]
        open_s = self.ms * MS if self.enabled else None
        if not self.liveness.due(self.settings, taken, open_s, True):
            return
        look = self.liveness.look(self.settings, taken, open_s, self.clock_ns)
        view = NodeView("/front/trust_seg", "active", self.enabled, self.settings, self.camera,
                        self.statistics.summary(taken), ages=look.ages, open_s=open_s, before=look.before,
                        clock_still_s=look.clock_still_s, stood_still_s=look.stood_still_s)  # fmt: skip
        self.said.append((self.ms * MS, self.liveness.judge(view)))

    def kill_camera(self, still_listed_s=0.0):
        """No more images; the publisher leaves the graph after so many seconds."""
        self._next_image = float("inf")
        before = self.run(still_listed_s)
        self.camera = replace(CAMERA, publishers=0, types=())
        return before


def changes(said, part):
    """(seconds, level) of every change of level of a part; before the first report all is well."""
    found, before = [], OK
    for at, verdict in said:
        level = getattr(verdict, part)[0]
        if level != before:
            found.append((at, level))
        before = level
    return found


def messages(said, part):
    """The messages of a part."""
    return [getattr(verdict, part)[1] for _, verdict in said]
