"""Options that mean the same in several subcommands, under one name; former names are understood and not shown."""

from __future__ import annotations

import argparse
from pathlib import Path

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.parsing import add_alias
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.meta.choices import FEATURES_HELP


def add_cache_argument(group: argparse._ActionsContainer, text: str) -> argparse.Action:
    """--cache, the folder that keeps what the network gave; ``args.cache``.

    Args:
        group: receives the option.
        text: its help.

    Returns:
        The option, for :func:`given_paths.expects`.
    """
    action = group.add_argument("--cache", type=Path, metavar="DIR", help=text)
    add_alias(group, action, "--table")
    return action


def add_force_argument(group: argparse._ActionsContainer, text: str) -> None:
    """--force, to do it although something is in the way; ``text`` says what."""
    add_alias(group, group.add_argument("--force", action="store_true", help=text), "--fresh")


def add_meta_model_argument(group: argparse._ActionsContainer, purpose: str, default: str = "auto") -> None:
    """--meta-model, the file of ``trust-seg fit``; ``purpose`` says what for."""
    action = group.add_argument(
        "--meta-model",
        default=default,
        metavar="FILE",
        help=f"file of trust-seg fit, {purpose}; auto: the shipped one, if the network has one; none "
        "(default: %(default)s)",
    )
    given.expects(action, given.meta_model)


def add_features_argument(group: argparse._ActionsContainer, default: str | None, said: str = "%(default)s") -> None:
    """--features, the metrics that meta models are fitted on; ``said`` is the default in words."""
    group.add_argument("--features", default=default, metavar="SET", help=f"{FEATURES_HELP} (default: {said})")


def check_counts(args: argparse.Namespace, names: tuple[str, ...], error: type[TrustSegError]) -> None:
    """Refuse numbers below 1 of options that count something; None passes."""
    for name in names:
        value = getattr(args, name)
        if value is not None and value < 1:
            raise error(f"--{name} {value}: expected at least 1")
