"""Whether a command line of a page could be run: programs, subcommands, options and names exist. Nothing is run.

:func:`check_shell` takes the text of a block, :func:`check_command` the words of one command. Both raise CommandError.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable, Iterator, Sequence

from doc_ros import released, ros2
from doc_trust_seg import CommandError, exists, trust_seg
from places import ROOT

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
PLACEHOLDER = re.compile(r"<[A-Za-z][^<>\n]*>|…")
ENDS = {"&&", "||", ";", "|", "&", "do", "then"}
SHELL = {
    "echo",
    "cd",
    "git",
    "mkdir",
    "source",
    ".",
    "export",
    "set",
    "done",
    "fi",
    "for",
    "jq",
    "hf",
    "sha256sum",
    "sleep",
    "ray",
}
"""Words of the shell, and programs of others, whose arguments are not looked at."""


def check_shell(text: str) -> None:
    """Every command of a block in the shell's language."""
    for words in commands_in(text):
        check_command(words)


def commands_in(text: str) -> Iterator[list[str]]:
    """The words of each command: without comments, variables set before it and redirections."""
    joined = PLACEHOLDER.sub("PLACEHOLDER", text.replace("\\\n", " "))
    for name, value in re.findall(r'^([a-z]\w*)="([^"\n]*)"$', joined, re.MULTILINE):
        joined = joined.replace(f"${name} ", f"{value} ").replace(f'{name}="{value}"', "")
    for line in joined.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word in ENDS:
                if cut := _cut(words):
                    yield cut
                words = []
            else:
                words.append(word)


def _cut(words: list[str]) -> list[str]:
    kept = words[: next((k for k, word in enumerate(words) if word in (">", ">>", "<")), len(words))]
    while kept and (re.fullmatch(r"[A-Z_]+=.*", kept[0]) or kept[0] in ("sudo", "nice")):
        kept = kept[1:]
    return kept


def check_command(words: Sequence[str]) -> None:
    """One command."""
    program, rest = words[0], list(words[1:])
    if program.startswith(("tools/", "./tools/")) and program.endswith("in_venv.sh"):
        return check_command(rest)
    if program.endswith("/trust-seg"):
        program = "trust-seg"
    if re.fullmatch(r"(\S*/)?(python3?|torchrun)", program):
        return _python(rest)
    if re.fullmatch(r"(\S*/)?pip3?", program):
        return _pip(rest)
    if program in CHECKS:
        return CHECKS[program](rest)
    if program.startswith(("tools/", ".ci/", "docker/", "benchmarks/")) or program == "bash":
        return exists(rest[0] if program == "bash" else program)
    if program not in SHELL and not program.startswith(".venv/bin/"):
        raise CommandError(f"{program} is no program that this test knows: {' '.join(words)}")
    return None


def _make(words: list[str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z_]+) *\??:?=", MAKEFILE, re.MULTILINE))
    for word in words:
        name, given, _ = word.partition("=")
        known = variables if given else targets
        if name not in known and not word.startswith("-"):
            raise CommandError(f"the Makefile has no {name}: make {' '.join(words)}")


def _python(words: list[str]) -> None:
    """A module or a file of ours, with options that stand somewhere in it."""
    while words and words[0].startswith("--nproc"):
        words = words[2:]
    if words[:2] == ["-m", "pip"]:
        return _pip(words[2:])
    if words[:2] == ["-m", "trust_seg_ros.cli"]:
        return trust_seg(words[2:])
    if words[0] in ("-m", "-c"):
        if words[0] == "-c":
            compile(words[1], "-c", "exec")
        elif words[1] not in ("venv", "colcon", "pytest", "http.server", "mkdocs"):
            raise CommandError(f"python -m {words[1]} is no module that this test knows")
        return None
    exists(words[0])
    place = ROOT / words[0]
    text = " ".join(file.read_text("utf-8") for folder in (place, place.parent) for file in folder.glob("*.py"))
    for option in (word.partition("=")[0] for word in words[1:] if word.startswith("--")):
        if f'"{option}"' not in text:
            raise CommandError(f"{words[0]} has no option {option}")
    return None


def _pip(words: list[str]) -> None:
    """What is installed are requirements; of this package, with extras that it has."""
    from packaging.requirements import InvalidRequirement, Requirement

    setup = (ROOT / "setup.py").read_text("utf-8").split("EXTRAS =")[1]
    extras = set(re.findall(r'^(?: +|EXTRAS\[)"(\w+)"(?:\] =|:) ', setup, re.MULTILINE))
    if words[0] != "install":
        raise CommandError(f"pip {words[0]} is not known to this test")
    for word in words[1:]:
        if word.startswith("-") or word.startswith(("/", "~", "./interfaces")):
            continue
        text = re.sub(r"^\.(?=\[|$)", "trust_seg_ros", word)
        try:
            asked = Requirement(text)
        except InvalidRequirement as error:
            raise CommandError(f"pip install {word}: {error}") from error
        if asked.name == "trust_seg_ros" and not asked.extras <= extras:
            raise CommandError(f"pip install {word}: setup.py has no such extra")


def _apt(words: list[str]) -> None:
    """Packages of ROS are released in every distribution; those of Debian are not looked at."""
    for word in words[1:]:
        if word.startswith("ros-$ROS_DISTRO-"):
            released(word.removeprefix("ros-$ROS_DISTRO-").replace("-", "_"))


def _rosdep(words: list[str]) -> None:
    if words[0] not in ("install", "update", "init"):
        raise CommandError(f"rosdep {words[0]} is not known to this test")


def _docker(words: list[str]) -> None:
    """Files that are named exist, and build arguments are those of the Dockerfile."""
    options = dict(itertools.pairwise(words))
    files = [value for option, value in itertools.pairwise(words) if option in ("-f", "--file")]
    for file in files:
        exists(file)
    arguments = re.findall(r"--build-arg (\w+)=", " ".join(words))
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text("utf-8")
    for name in arguments:
        if not re.search(rf"^ARG {name}\b", dockerfile, re.MULTILINE):
            raise CommandError(f"docker/Dockerfile has no argument {name}")
    if "--target" in options and f" AS {options['--target']}\n" not in dockerfile:
        raise CommandError(f"docker/Dockerfile has no stage {options['--target']}")


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "trust-seg": trust_seg,
    "make": _make,
    "ros2": ros2,
    "docker": _docker,
    "apt": _apt,
    "rosdep": _rosdep,
}
