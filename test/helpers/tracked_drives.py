"""Drives of moving things for tests of tracking in the replay, and what one pipeline says of them."""

import numpy as np
from replay_bench import BEGIN_S, SECOND, TOPIC, image
from threshold_bench import NETWORK

from trust_seg_ros.messages.detections import detections
from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.pipeline import PipelineSettings
from trust_seg_ros.recordings.replay.message_types import IMAGE
from trust_seg_ros.segments.tracks import TrackingSettings
from trust_seg_ros.thresholds import ThresholdSettings
from trust_seg_ros.types import Frame

TRACKING = TrackingSettings(on=True)
SETTINGS = PipelineSettings(NETWORK, meta_model="none", device="cpu", threads=1, tracking=TRACKING, grid="image")
THRESHOLDS = ThresholdSettings.constants(pixel=0.6, ood=0.8, ood_min_size=16, unreliable_min_share=0.0)
FRAMES, STEP_NS = 24, SECOND // 10
RED, GREEN, BLUE, GREY = (230, 20, 20), (20, 230, 20), (20, 20, 230), (120, 120, 120)


def scene(number, seed=0):
    """48 x 64: green, a red and a blue box, something unknown that is hidden for a while, and a speck."""
    shown = np.full((48, 64, 3), GREEN, np.uint8)
    shown[8:20, 4 + number : 20 + number] = RED
    shown[28:44, 44 - number : 60 - number] = BLUE
    if not 8 <= number < 11:
        shown[20:28, 8 + 2 * number // 4 * 2 : 24 + 2 * number // 4 * 2] = GREY
    if 12 <= number < 17:
        shown[4:16, 48:60] = GREY
    row, column = np.random.default_rng([seed, number]).integers(0, [44, 60])
    shown[row // 4 * 4 :, column // 4 * 4 :][:4, :4] = GREY if number % 2 else BLUE
    return shown


def drive(count=FRAMES, seed=0, begin=BEGIN_S * SECOND):
    """(stamp_ns, RGB) of the scenes of a camera."""
    return [(begin + k * STEP_NS, scene(k, seed)) for k in range(count)]


def recorded(frames, topic=TOPIC, late_ns=0, frame_id="camera"):
    """Messages of a recorder whose clock goes on, whatever the stamps do."""
    begin = (BEGIN_S + 1) * SECOND + late_ns
    return [(topic, IMAGE, begin + k * STEP_NS, image(p, at, frame_id=frame_id)) for k, (at, p) in enumerate(frames)]


def in_one_go(pipeline, frames, frame_id="camera"):
    """The results of one pipeline; a stamp that jumps back forgets earlier frames, as in the node."""
    pipeline.start_anew()
    last, results = 0, []
    for stamp, pixels in frames:
        if 0 < stamp < last:
            pipeline.reset()
        last = stamp or last
        results.append(pipeline(Frame(pixels, stamp, frame_id), THRESHOLDS))
    return results


def ids_of(results, names):
    """The ids of each frame's detections, by this package."""
    options = MessageOptions(tuple(names), np.zeros((len(names), 3), np.uint8), every_segment=True)
    return [[found.id for found in detections(Rendering(result, options))] for result in results]
