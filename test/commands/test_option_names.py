"""One name for one thing in every command; former names are understood, and in no help text."""

import argparse

import pytest

from trust_seg_ros import cli
from trust_seg_ros.commands.parsing import CommandParser

FORMER = [
    ("fit --cache a --out b", "fit --table a --out b"),
    ("fit d --force --out b", "fit d --fresh --out b"),
    ("evaluate --cache a --out b --force", "evaluate --table a --out b --fresh"),
    ("trust d --cache a --out b", "trust d --table a --out b"),
    ("benchmark d --meta-model none --out b", "benchmark d --meta none --out b"),
    (
        "finetune --in-distribution d --ood e --readers 3 --out b",
        "finetune --in-distribution d --ood e --workers 3 --out b",
    ),
    ("demo drive.mp4 --param a:=b --no-loop", "demo --source drive.mp4 -p a:=b --once"),
    ("replay d -p a:=b --out b", "replay d --param a:=b --out b"),
]
ALIKE = (
    "--model",
    "--meta-model",
    "--cache",
    "--workers",
    "--speed",
    "--rate",
    "--params-file",
    "--labels",
    "--device",
)
"""Options that mean the same wherever they are: one name of the value, one type."""
OTHERS = {("--meta-model", "benchmark"), ("--device", "train"), ("--labels", "corrupt")}
"""Where they mean something of their own."""


def parser_of(command):
    parser = CommandParser(prog=f"trust-seg {command}")
    cli._load(cli.COMMANDS[command][0]).add_arguments(parser)
    return parser


@pytest.mark.parametrize(("now", "before"), FORMER)
def test_a_former_name_does_the_same_and_is_not_shown(now, before):
    command, *words = now.split()
    parser = parser_of(command)
    assert parser.parse_args(words) == parser.parse_args(before.split()[1:])
    shown = {
        name
        for action in parser._actions
        if vars(action).get("help") != argparse.SUPPRESS
        for name in action.option_strings
    }
    former = {word for word in before.split() if word.startswith("--")} - set(now.split()) - {"--param"}
    assert former.isdisjoint(shown)


@pytest.mark.parametrize("option", ALIKE)
def test_an_option_is_of_one_kind_in_every_command(option):
    found = {}
    for command in cli.COMMANDS:
        for action in parser_of(command)._actions:
            if option in action.option_strings and (option, command) not in OTHERS:
                kind = (action.metavar, getattr(action.type, "__name__", None), type(action).__name__, action.dest)
                found.setdefault(kind, []).append(command)
    assert len(found) == 1, found


def test_a_command_that_writes_has_out():
    without = {command for command in cli.COMMANDS if "--out" not in parser_of(command)._option_string_actions}
    assert without == {"check", "completion", "miou", "params", "play", "version"}
