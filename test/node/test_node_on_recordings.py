"""The real node on a bag that the real player loops, each in its own process: what it remembers, and by which clock."""

import itertools
import math
import tempfile

import numpy as np
import pytest
from ros_bench import Bench, NodeProcess
from threshold_bench import picture, pixels
from warm_processes import WarmProcess, heard

from trust_seg_ros.thresholds.policies import Quantile, resolve

rosbags = pytest.importorskip("rosbags", reason="needs the library rosbags")
from rosbags.rosbag2 import Writer  # noqa: E402
from rosbags.typesys import Stores, get_typestore  # noqa: E402

pytestmark = pytest.mark.ros

STORE = get_typestore(Stores.ROS2_HUMBLE)
FIRST_S, PERIOD_NS, FRAMES = 1_600_000_000, 100_000_000, 6
TAU = 2.0
CLEAR = 3  # frames of clear pictures, before dull ones: a threshold smoothed over them differs from each frame's own


def image(index):
    stamp = STORE.types["builtin_interfaces/msg/Time"](FIRST_S, index * PERIOD_NS)
    header = STORE.types["std_msgs/msg/Header"](stamp=stamp, frame_id="front")
    rows = picture(index, 1.0 if index < CLEAR else 0.2)
    return STORE.types["sensor_msgs/msg/Image"](header, 48, 64, "rgb8", 0, 64 * 3, rows.reshape(-1))


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """Six frames 0.1 s apart, recorded a second after they were taken."""
    path = tmp_path_factory.mktemp("bags") / "town"
    with Writer(path, version=9) as writer:
        kind = "sensor_msgs/msg/Image"
        connection = writer.add_connection("/front/image", kind, typestore=STORE)
        for index in range(FRAMES):
            recorded = (FIRST_S + 1) * 10**9 + index * PERIOD_NS
            writer.write(connection, recorded, STORE.serialize_cdr(image(index), kind))
    return path


class Drive:
    """A node and a player on one bag; iterates what comes back."""

    def __init__(self, bag, name, *options, **parameters):
        smoothing = {"thresholds.pixel_policy": "quantile", "thresholds.pixel_quantile": 0.5,
                     "thresholds.smoothing_s": TAU}  # fmt: skip
        self.node = NodeProcess(name, mode="every", queue_size=1000, entropy_encoding="32FC1",
                                image_reliability="reliable", **smoothing, **parameters)  # fmt: skip
        self.bench, self.player = Bench(name), None
        self.bench.listen("entropy", "unreliable")
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the player
        self._words = ("play", bag, "--topic", f"/{name}/image", "--wait-for", name, *options)

    def __enter__(self):
        self.bench.until(lambda: "no publisher" in self.bench.messages().get("camera", ""), "the node listens")
        self.player = WarmProcess("trust_seg_ros.cli", *self._words, output=self._said)
        return self.bench

    def __exit__(self, *_):
        self.player.kill()
        self.player.wait()
        print(heard(self._said))
        self.bench.close()
        self.node.kill()
        print(self.node.said())


def ns(message):
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def answers(bench):
    """(stamp, entropy, flags) of every frame answered, in order."""
    pairs = zip(bench.received["entropy"], bench.received["unreliable"], strict=False)
    return [(ns(score), pixels(score, np.float32), pixels(flags) >= 128) for score, flags in pairs]


def expected_thresholds(frames):
    """Of each frame: the quantile, smoothed by message time until time does not go on."""
    value, last, out = None, None, []
    for stamp, score, _ in frames:
        own = resolve(Quantile(0.5), score)
        fresh = value is None or stamp < last
        value = own if fresh else own + math.exp(-(stamp - last) * 1e-9 / TAU) * (value - own)
        last = stamp
        out.append((value, own))
    return out


@pytest.mark.slow
def test_a_looped_bag_starts_every_round_as_it_started_the_first(bag):
    with Drive(bag, "looped", "--loop", "--keep-stamps", "--frames", str(4 * FRAMES)) as bench:
        first = FIRST_S * 10**9
        bench.until(lambda: sum(stamp == first for stamp, *_ in answers(bench)) >= 4, "four rounds begin")
        bench.until(lambda: bench.value("processing", "processed") == str(len(answers(bench))), "all is counted")
        frames = answers(bench)
        rounds = sum(b[0] < a[0] for a, b in itertools.pairwise(frames))
        bench.until(lambda: bench.value("camera", "time jumps") == str(rounds), f"{rounds} time jumps")
    assert rounds >= 3
    thresholds = expected_thresholds(frames)
    wrong = [
        k
        for k, ((_, score, flags), (value, _)) in enumerate(zip(frames, thresholds, strict=True))
        if not np.array_equal(flags, score >= np.float32(value))
    ]
    assert wrong == [], "each round's thresholds are those of its own frames"
    beginnings = [(score, flags) for stamp, score, flags in frames if stamp == first]
    assert all(np.array_equal(flags, beginnings[0][1]) for _, flags in beginnings)
    carried = max(abs(value - own) for value, own in thresholds)
    assert carried > 0.05, "within a round the past counts, so that forgetting it can be seen"


@pytest.mark.slow
def test_a_node_on_simulated_time_measures_ages_by_the_recordings_clock(bag):
    """By the wall's clock a frame of 2020 is years old."""
    with Drive(bag, "simulated", "--loop", "--clock", use_sim_time=True) as bench:
        bench.until(lambda: bench.value("processing", "latency ms (p50)") not in (None, "n/a"), "an age")
        age = float(bench.value("processing", "latency ms (p50)"))
        bench.until(lambda: int(bench.value("camera", "time jumps")) >= 1, "a second round")
        before = len(answers(bench))
        bench.until(lambda: len(answers(bench)) > before + FRAMES, "frames go on after the jump")
    assert abs(age) < 60_000, "milliseconds; by the wall's clock it is some 10^11"
    assert {stamp for stamp, *_ in answers(bench)} <= {FIRST_S * 10**9 + k * PERIOD_NS for k in range(FRAMES)}
