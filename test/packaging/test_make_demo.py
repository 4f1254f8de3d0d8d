"""What `make demo` runs for its variables."""

import os
import shlex
import shutil
import subprocess

import pytest
from places import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
VARIABLES = ("SOURCE", "SECONDS", "SPEED", "RATE", "START", "DURATION", "LOOP", "MAKEFLAGS", "MFLAGS", "MAKELEVEL")


def demo_command(*variables):
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    done = subprocess.run(
        ["make", "-n", "demo", *variables], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    words = shlex.split(done.stdout.replace("\\\n", " "))
    return words[words.index("trust-seg") + 2 :]


def test_without_variables_the_command_chooses_what_is_played():
    assert demo_command() == ["--seconds", "20", "--out", "out"]


def test_every_variable_reaches_the_command():
    words = demo_command("SOURCE=bags/my town", "SECONDS=0", "SPEED=2", "START=3", "DURATION=5", "LOOP=1")
    expected = "'bags/my town' --seconds 0 --speed 2 --start 3 --duration 5 --out out"
    assert words == shlex.split(expected)


def test_without_loop_it_ends_with_the_recording():
    assert demo_command("SOURCE=drive.mp4", "LOOP=0") == shlex.split("drive.mp4 --seconds 20 --no-loop --out out")


def test_the_former_name_of_speed_works():
    assert demo_command("RATE=2") == shlex.split("--seconds 20 --speed 2 --out out")
