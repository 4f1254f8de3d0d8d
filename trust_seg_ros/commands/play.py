"""``trust-seg play``: publishes a recording as a camera would."""

from __future__ import annotations

import argparse
import sys

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.options import add_source_options, described, source_of
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.recordings.refusals import REFUSED, Refusals

EPILOG = """examples:
  trust-seg play motorway                              the shipped film
  trust-seg play synthetic                             a drawn drive
  trust-seg play drive.mp4 --loop --topic /front/image_raw
  trust-seg play bags/town --start 30 --duration 10 --speed 0.5 --loop
  trust-seg play bags/town --clock                     with a node that has use_sim_time:=true
  trust-seg play bags/town --bag-topic /cam0/image_raw --best-effort
  trust-seg play data/camvid/test/images --number-rate 30

Frames are stamped when they are sent, as by a camera; --keep-stamps keeps the recording's stamps. With --loop, kept
stamps start again in each round, as with ros2 bag play --loop: nodes see time jump back, and trust_seg forgets earlier
frames.

--start and --duration count seconds of the recording: time of recording in a bag, images at --rate or --number-rate in
a folder. --speed changes when frames are sent, never their stamps; --rate spaces both evenly, and --speed then
multiplies it.
"""

STOPPED = "the same command plays from the beginning, or from --start"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    text = "motorway, synthetic, a folder of images, a video, a rosbag2 folder, or /dev/videoN"
    source = parser.add_argument("source", help=text)
    given.expects(source, given.source)
    add_source_options(parser)
    parser.add_argument("--loop", action="store_true", help="start again at the end")
    parser.add_argument("--topic", default="/camera/image", help="topic to publish (default: %(default)s)")
    parser.add_argument(
        "--best-effort", action="store_true", help="publish as most camera drivers do (default: reliable)"
    )
    parser.add_argument("--compressed", action="store_true", help="publish CompressedImage (JPEG) instead of Image")
    parser.add_argument("--frame-id", default="camera", help="coordinate frame (default: %(default)s)")
    parser.add_argument("--keep-stamps", action="store_true", help="keep the recording's stamps")
    parser.add_argument(
        "--clock",
        action="store_true",
        help="publish the recording's time on /clock, for nodes with use_sim_time:=true; keeps the stamps",
    )
    parser.add_argument("--frames", type=int, default=0, metavar="N", help="end after N frames (default: at the end)")
    parser.add_argument("--wait-for", default="", metavar="NODE", help="wait until a node of this name subscribes")


def run(args: argparse.Namespace) -> int:
    """Play; returns the exit status."""
    from trust_seg_ros.node.demo.player import PlayerSettings, play

    keep_stamps = args.keep_stamps or args.clock
    refusals = Refusals(_tell)
    source = source_of(args, args.loop, keep_stamps, refusals)
    settings = PlayerSettings(
        topic=args.topic,
        reliability="best_effort" if args.best_effort else "reliable",
        compressed=args.compressed,
        frame_id=args.frame_id,
        keep_stamps=keep_stamps,
        clock=args.clock,
        speed=args.speed,
        wait_for=args.wait_for,
        frames=args.frames,
    )
    print(f"playing {described(source, args)} on {args.topic}", flush=True)
    sent = play(source, settings, refusals)
    record(args, topic=args.topic, source=source.description, sent=sent, refused=refusals.count)
    print(f"{sent} frames sent{f', {refusals.count} refused' if refusals.count else ''}", flush=True)
    return 0


def _tell(text: str) -> None:
    print(f"{REFUSED}{text}", file=sys.stderr, flush=True)
