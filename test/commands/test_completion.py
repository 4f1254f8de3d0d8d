"""``trust-seg completion bash`` in a real bash."""

import os
import shutil
import subprocess
import sys
import time

import pytest
from places import ROOT

from trust_seg_ros import cli

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
CODE = """
import sys
from trust_seg_ros import cli
status = cli.main(["completion", "bash"])
assert "torch" not in sys.modules
sys.exit(status)
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    run = [sys.executable, "-c", CODE]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path = tmp_path_factory.mktemp("completion") / "trust-seg.bash"
    path.write_text(done.stdout)
    return path


def completed(script, *words, folder=ROOT):
    """What bash offers for the last word."""
    line = " ".join(f"'{word}'" for word in ("trust-seg", *words))
    code = f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _shtab_trust_seg"
    code += "; printf '%s\\n' \"${COMPREPLY[@]}\""
    done = subprocess.run(["bash", "--norc", "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_commands(script):
    assert set(completed(script, "")) >= set(cli.COMMANDS)
    assert completed(script, "cal") == ["calibrate"]


def test_options_and_choices_of_a_command(script):
    assert completed(script, "fit", "--acc") == ["--accept-labels"]
    assert completed(script, "replay", "--comp") == ["--compression"]
    assert completed(script, "replay", "--storage", "m") == ["mcap"]


def test_former_names_are_not_offered(script):
    assert "--once" not in completed(script, "demo", "--o")


def test_files_of_options_that_take_paths(script, tmp_path):
    (tmp_path / "mine.json").write_text("{}")
    assert completed(script, "calibrate", "--meta-model", "mi", folder=tmp_path) == ["mine.json"]


@needs_tmux
def test_the_tab_key_in_an_interactive_bash(script, tmp_path):
    def tmux(*words):
        call = ["tmux", "-S", str(tmp_path / "socket"), "-f", "/dev/null", *words]
        return subprocess.run(
            call, capture_output=True, text=True, check=True, env=os.environ | {"LC_ALL": "C.UTF-8"}
        ).stdout

    def shown(text):
        end = time.monotonic() + 60
        while text not in (screen := tmux("capture-pane", "-p")):
            assert time.monotonic() < end, screen
            time.sleep(0.05)

    tmux("new-session", "-d", "-x", "150", "-y", "40", "bash --norc --noprofile")
    try:
        tmux("send-keys", f"source {script}; echo ready $((1 + 1))", "Enter")
        shown("ready 2")
        tmux("send-keys", "trust-seg bench", "Tab")
        shown("trust-seg benchmark")
        tmux("send-keys", "-l", "--", "--leave")
        tmux("send-keys", "Tab")
        shown("trust-seg benchmark --leave-source-out")
    finally:
        tmux("kill-server")
