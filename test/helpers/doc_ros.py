"""Whether a line of ros2 could be run: packages, launch arguments, parameters, topics and services exist."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import launch_stand_in
from doc_trust_seg import CommandError, exists, trust_seg
from places import ROOT

from trust_seg_ros.commands.replay_parameters import replay_parameters
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.messages.ground import GROUND_OUTPUTS
from trust_seg_ros.messages.outputs import OUTPUTS
from trust_seg_ros.node.cameras import parse_cameras

RELEASED = json.loads((ROOT / "test" / "packaging" / "ros_packages.json").read_text("utf-8"))
NODE = re.compile(r"(/\w+)*/trust_seg$")
TRANSITIONS = {"configure", "activate", "deactivate", "cleanup", "shutdown"}
SERVICES = {"enable", "reset", "get_state", "change_state"}
OPTIONS_OF_BAG = {
    "play": {"--clock", "--loop", "--rate", "--start-offset", "--playback-duration", "--topics",
             "--qos-profile-overrides-path"},
    "record": {"--output", "-o", "--storage", "-s", "--topics", "-a"},
    "info": set(),
    "reindex": set(),
}  # fmt: skip


def ros2(words: list[str]) -> None:
    verbs: dict[str, Callable[[list[str]], None]] = {
        "launch": _launch, "run": _run, "param": _param, "topic": _topic, "lifecycle": _lifecycle, "bag": _bag,
        "service": _service, "pkg": lambda words: None, "node": lambda words: None,
    }  # fmt: skip
    if words[0] not in verbs:
        raise CommandError(f"ros2 {words[0]} is not known to this test")
    verbs[words[0]](words[1:])


def released(package: str) -> None:
    if package not in RELEASED["packages"]:
        raise CommandError(f"the package {package} is not in test/packaging/ros_packages.json")


def _launch(words: list[str]) -> None:
    package, file, *given = words
    if package != "trust_seg_ros":
        return released(package)
    exists(f"launch/{file}")
    actions = launch_stand_in.load(ROOT / "launch" / file).generate_launch_description().args[0]
    declared = {action.args[0]: action.named for action in actions if type(action).__name__ == "DeclareLaunchArgument"}
    for word in given:
        name, sign, value = word.partition(":=")
        if word == "--show-args":
            continue
        if not sign or name not in declared:
            raise CommandError(f"{file} has no argument {name}; it has {', '.join(sorted(declared))}")
        choices = declared[name].get("choices")
        if choices and value not in choices:
            raise CommandError(f"{name}:={value}; {file} takes {', '.join(choices)}")
        if name in ("model", "input") and not value.startswith("$"):
            _parameters([f"{name}:={value}"])
    return None


def _run(words: list[str]) -> None:
    package, executable, *rest = words
    if package != "trust_seg_ros":
        return released(package)
    if executable == "trust-seg":
        return trust_seg(rest)
    if executable == "trust_seg_cameras":
        ros = rest.index("--ros-args") if "--ros-args" in rest else len(rest)
        try:
            parse_cameras(" ".join(rest[:ros]))
        except TrustSegError as error:
            raise CommandError(str(error)) from error
        del rest[:ros]
    elif executable != "trust_seg_node":
        raise CommandError(f"trust_seg_ros has no executable {executable}")
    if rest and rest.pop(0) != "--ros-args":
        raise CommandError(f"expected --ros-args behind {executable}")
    given: list[str] = []
    while rest:
        option, value = rest.pop(0), rest.pop(0)
        if option == "-p":
            given.append(value)
        elif option not in ("-r", "--params-file", "--log-level"):
            raise CommandError(f"--ros-args has no {option}")
    return _parameters(given)


def _parameters(given: list[str]) -> None:
    try:
        replay_parameters(None, [text for text in given if not text.startswith("use_sim_time:=")])
    except TrustSegError as error:
        raise CommandError(str(error)) from error


def _of_node(name: str) -> None:
    if not NODE.fullmatch(name):
        raise CommandError(f"{name} is no node of this package")


def _param(words: list[str]) -> None:
    verb, node, *rest = words
    _of_node(node)
    if verb == "set":
        name, value = rest
        _parameters([f"{name}:={value}"])
    elif verb not in ("get", "load", "list", "dump", "describe"):
        raise CommandError(f"ros2 param has no {verb}")


def _topic(words: list[str]) -> None:
    if words[0] not in ("list", "echo", "hz", "info", "bw", "delay"):
        raise CommandError(f"ros2 topic has no {words[0]}")
    for word in words[1:]:
        output = re.fullmatch(
            r"(?!/perception/)(?:/\w+)*/trust_seg/(\w+)", word
        )  # Autoware names topics by who writes them
        if output and output[1] not in {*OUTPUTS, *GROUND_OUTPUTS, "image", "label_info", "trust_state", "summary"}:
            raise CommandError(f"the node has no topic {word}")


def _lifecycle(words: list[str]) -> None:
    verb, node, *transition = words
    _of_node(node)
    if verb not in ("get", "set", "list") or not set(transition) <= TRANSITIONS:
        raise CommandError(f"ros2 lifecycle {' '.join(words)}")


def _service(words: list[str]) -> None:
    node, _, name = words[1].rpartition("/")
    _of_node(node)
    if words[0] != "call" or name not in SERVICES:
        raise CommandError(f"the node has no service {words[1]}")


def _bag(words: list[str]) -> None:
    options = {word for word in words[1:] if word.startswith("-")}
    if words[0] not in OPTIONS_OF_BAG or not options <= OPTIONS_OF_BAG[words[0]]:
        raise CommandError(f"ros2 bag {' '.join(words)}: not known to this test")
