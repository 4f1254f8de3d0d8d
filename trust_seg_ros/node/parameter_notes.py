"""Settings without effect: parameters that the node does not have, files and options that do not reach it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trust_seg_ros.node.parameter import ParameterError
from trust_seg_ros.node.parameter_names import is_misspelt, is_of_ros, suggestion
from trust_seg_ros.node.params_file import RosValue, Section, check_for_node, read_rule
from trust_seg_ros.support.reading import shown


@dataclass(frozen=True)
class ParameterNotes:
    """What was set and has no effect, in sentences.

    Attributes:
        unknown: names that the node does not have, with the nearest ones.
        unheard: files and options that do not reach the node, with the reason.
        of_others: unknown names that are given to nodes of any name and resemble none of the node's.
    """

    unknown: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()
    of_others: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should look at."""
        return (*(f"there is no parameter {name}" for name in self.unknown), *self.unheard)


def parameter_notes(
    overrides: Mapping[str, object], known: Collection[str], node: str, arguments: Sequence[str]
) -> ParameterNotes:
    """Look for settings without effect.

    Args:
        overrides: name -> value of all initial values that reached the node.
        known: names of its parameters.
        node: its name with namespace.
        arguments: command line of the process.
    """
    rules, files = options_of(arguments)
    sections, unheard = _sections(files, node)
    unknown, of_others = [], []
    given = {name for name, _ in _own_rules(rules, node)}
    for name in sorted(overrides):
        if name in known or is_of_ros(name):
            continue
        places = [section for section in sections if name in section.values]
        shared = name not in given and bool(places) and all(section.shared for section in places)
        if shared and not is_misspelt(name, known):
            of_others.append(name)
        else:
            unknown.append(name + suggestion(name, known))
    unheard += _beaten(dict(_own_rules(rules, node)), overrides, sections)
    return ParameterNotes(tuple(unknown), tuple(unheard), tuple(of_others))


def options_of(arguments: Sequence[str]) -> tuple[list[str], list[Path]]:
    """Values of ``-p`` and of ``--params-file`` on a command line, each in their order."""
    rules: list[str] = []
    files: list[Path] = []
    for_ros = False
    for word, value in zip(arguments, [*arguments[1:], ""], strict=True):
        if word in ("--ros-args", "--"):
            for_ros = word == "--ros-args"
        elif for_ros and word in ("-p", "--param"):
            rules.append(value)
        elif for_ros and word == "--params-file":
            files.append(Path(value))
    return rules, files


def _sections(files: Sequence[Path], node: str) -> tuple[list[Section], list[str]]:
    sections, unheard = [], []
    for file in files:
        try:
            sections += check_for_node(file, node)
        except ParameterError as error:  # launch may have removed a file of its own since
            if file.is_file():
                unheard.append(str(error))
    return sections, unheard


def _own_rules(rules: Sequence[str], node: str) -> Iterator[tuple[str, RosValue]]:
    for text in rules:
        try:
            whose, name, value = read_rule(text)
        except ParameterError:  # ROS takes a little more, such as an empty list
            continue
        if not whose or node == f"/{whose}":
            yield name, value


def _beaten(rules: Mapping[str, RosValue], overrides: Mapping[str, object], sections: list[Section]) -> Iterator[str]:
    """Options that a file overrides: ROS counts ``-p`` to the section ``/**``, wherever that stands."""
    for name, value in rules.items():
        used = overrides.get(name)
        by = [section.key for section in sections if section.values.get(name) == used]
        if by and used != value:
            yield (
                f"-p {name}:={shown(value)} has no effect: the later section {by[-1]!r} of the parameter file sets "
                f"{shown(used)}; change it there"
            )
