"""Why a result may not be trusted: one row for each reason. Topics, documentation and hysteresis come from the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """What a planner may do; the numbers are those of diagnostic_msgs/DiagnosticStatus."""

    NOMINAL = 0
    DEGRADED = 1
    UNTRUSTED = 2


D, U = Level.DEGRADED, Level.UNTRUSTED


@dataclass(frozen=True)
class Reason:
    """One reason.

    Attributes:
        key: of the topic; never changes.
        levels: the level that it gives, and the worse one where it has two.
        text: what it means, for people.
        knowable: from when on it can be known.
        advice: what to do.
        frames: images in a row that must show it; 1 = the first one tells.
        seconds: for which they must show it.
        hold_s: seconds that it stays after it was last found.
        counter: what counts it in the statistics of the node; "" = it is looked at, not counted.
    """

    key: str
    levels: tuple[Level, ...]
    text: str
    knowable: str
    advice: str
    frames: int = 1
    seconds: float = 0.0
    hold_s: float = 1.0
    counter: str = ""

    @property
    def level(self) -> Level:
        """The milder of its levels."""
        return self.levels[0]

    @property
    def worst(self) -> Level:
        """The worst of its levels."""
        return self.levels[-1]


_HELD_S = 2.0
"""What is told by single images must be over for so long."""

ROWS: tuple[Reason, ...] = (
    Reason(
        "inactive",
        (U,),
        "the node is not active: it is starting, configuring, disabled, or being ended",
        "at once",
        "activate it; `/diagnostics` tells why a transition failed",
        hold_s=0.0,
    ),
    Reason(
        "model_mismatch",
        (U,),
        "the network is not the one that its files, or `model_sha256`, name, so the node does not become active",
        "at configure",
        "load the files that belong together",
        hold_s=0.0,
    ),
    Reason(
        "no_result",
        (U,),
        "active, and no frame has been judged yet",
        "at once",
        "wait for the first result",
        hold_s=0.0,
    ),
    Reason(
        "unwatched",
        (U,),
        "nobody subscribes to an output, so nothing is computed",
        "with the first image that nobody wants",
        "subscribe to an output, `~/summary` is enough",
        hold_s=0.0,
    ),
    Reason(
        "camera_lost",
        (D, U),
        "no image: late (DEGRADED), or due for several usual periods, or no camera at all (UNTRUSTED)",
        "`diagnostics.warn_periods` and `error_periods` usual periods after the last image",
        "look at the camera and at `/diagnostics`: camera",
        hold_s=1.0,
    ),
    Reason(
        "slow",
        (D,),
        "a result is overdue: images come and are not answered as fast as usual",
        "`diagnostics.warn_periods` usual periods after the image",
        "give the node more processor time, or a smaller input",
        hold_s=1.0,
    ),
    Reason(
        "hung",
        (U,),
        "one frame has been in the network's hands for several usual periods",
        "`diagnostics.error_periods` usual periods after it was taken",
        "look at the model and its device",
        hold_s=1.0,
    ),
    Reason(
        "stale",
        (U,),
        "the newest result is older than `max_age_ms`: by the time since its frame came, or by its stamp",
        "`max_age_ms` after the frame came; for old stamps, with the first result",
        "look at the camera's clock and at what is slow",
        hold_s=1.0,
        counter="old",
    ),
    Reason(
        "clock",
        (D,),
        "stamps are ahead of the node's clock by over a second, so the age of results is not known",
        "with the first result",
        "synchronise the clocks, or set `use_sim_time`",
        hold_s=_HELD_S,
        counter="ahead",
    ),
    Reason(
        "clock_jump",
        (D,),
        "stamps, or the node's clock, jumped against the time that passed; earlier frames are forgotten if it was back",
        "with the first image after the jump",
        "look at time synchronisation; a recording that starts anew does this, too",
        hold_s=3.0,
        counter="clock_jump",
    ),
    Reason(
        "frozen_camera",
        (U,),
        "all images are the same, bit by bit: a frozen camera, or a standing picture",
        "after `diagnostics.frozen_s` and 5 images",
        "restart the camera; `trust_state.ignore` where pictures stand still",
        hold_s=1.0,
        counter="still",
    ),
    Reason(
        "frozen_network",
        (U,),
        "the network gives one answer to images that differ",
        "after `diagnostics.frozen_s` and 5 images",
        "look at the model and its device",
        hold_s=1.0,
        counter="frozen",
    ),
    Reason(
        "bad_outputs",
        (D, U),
        "logits are not finite: in some pixels (DEGRADED), in most (UNTRUSTED)",
        "with the first such answer",
        "look at the weights, half precision and the input's normalisation",
        hold_s=_HELD_S,
        counter="faulty",
    ),
    Reason(
        "implausible",
        (U,),
        "answers are far outside of all that the calibration has seen: other weights, another kind of input",
        "with the fifth such answer in a row",
        "check that network, labels and calibration belong together",
        frames=5,
        hold_s=_HELD_S,
        counter="implausible",
    ),
    Reason(
        "failed",
        (D,),
        "a frame was lost by an error in the network or in what follows",
        "with the first such frame",
        "the error is in the log and on `/diagnostics`",
        hold_s=_HELD_S,
        counter="failed",
    ),
    Reason(
        "refused",
        (D,),
        "an image could not be used: damaged, shorter than it states, of an unknown encoding",
        "with the first such image",
        "the reason is in the log and on `/diagnostics`",
        hold_s=_HELD_S,
        counter="refused",
    ),
    Reason(
        "dropped",
        (D,),
        "images are missing: a quarter of those that usually come, or the queue of mode `every` is full",
        "when they are missing from the last 3 s (20 images of a slow camera); a full queue at once",
        "look at the transport (config/fastdds_shm.xml) and the load of the machine",
        hold_s=_HELD_S,
    ),
    Reason(
        "dark",
        (U,),
        "the image is black",
        "with the second black image",
        "look at the lens cap, the exposure, the cable",
        frames=2,
        hold_s=_HELD_S,
        counter="dark",
    ),
    Reason(
        "overexposed",
        (D, U),
        "much of the image is white (DEGRADED), or most of it (UNTRUSTED)",
        "with the third such image: a flash or the end of a tunnel is shorter",
        "look at the exposure; slow down until it has adapted",
        frames=3,
        hold_s=_HELD_S,
        counter="overexposed",
    ),
    Reason(
        "blurred",
        (D, U),
        "even the strongest edges are soft: out of focus, wet, shaken (DEGRADED), hardly anything is left (UNTRUSTED)",
        "with the third such image",
        "clean and focus the lens, shorten the exposure",
        frames=3,
        hold_s=_HELD_S,
        counter="blurred",
    ),
    Reason(
        "covered",
        (U,),
        "a large part of the image shows nothing: a hand, mud, tape, snow on the lens",
        "after one second and 3 images: a lorry passes faster",
        "clean the lens",
        frames=3,
        seconds=1.0,
        hold_s=_HELD_S,
        counter="covered",
    ),
    Reason(
        "shifted",
        (D,),
        "the shift monitor has fired: the drive no longer resembles the calibration data",
        "with the frame that makes it fire",
        "calibrate with data of such places; docs/thresholds.md",
        hold_s=1.0,
    ),
    Reason(
        "guarantee_void",
        (D,),
        "and what the thresholds promise does not hold now; `void` lists it",
        "with the frame that makes it fire",
        "use no threshold's guarantee; `holds` lists what is left",
        hold_s=1.0,
    ),
    Reason(
        "no_ground",
        (D,),
        "the caution map cannot be placed on the ground: camera, tf or plane are missing or do not fit",
        "with the first frame that lacks it",
        "docs/caution.md lists what is needed",
        hold_s=_HELD_S,
        counter="no_ground",
    ),
    Reason(
        "settings",
        (D,),
        "something was set that has no effect: a misspelt parameter, a file for another node",
        "at start",
        "correct it; `/diagnostics`: parameters names it",
        hold_s=0.0,
    ),
    Reason(
        "stood_still",
        (D,),
        "the node said nothing for longer than the deadline: stopped, without processor time, or a network that keeps "
        "the interpreter's lock",
        "with the first message afterwards; until then by the missing message",
        "give the node processor time; docs/trust_state.md on the lock",
        hold_s=_HELD_S,
    ),
)
"""In the order of the topic's keys."""

REASONS: Mapping[str, Reason] = {row.key: row for row in ROWS}


OF_IMAGES = ("dark", "overexposed", "blurred", "covered")
"""Reasons that the image checks give; the statistics of the node count them under the same names."""


def reason_table() -> str:
    """The reasons as a table of docs/trust_state.md."""
    lines = [
        "| key | state | what it means | when it can be known | over after | what to do |",
        "|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        level = ", ".join(level.name for level in row.levels)
        lines.append(f"| `{row.key}` | {level} | {row.text} | {row.knowable} | {row.hold_s:g} s | {row.advice} |")
    return "\n".join(lines) + "\n"
