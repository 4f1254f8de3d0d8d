import json
import re
import subprocess
import sys

import cv2
import pytest
from places import ROOT

from trust_seg_ros import cli
from trust_seg_ros.commands import demo, params
from trust_seg_ros.node.parameters import TABLE


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_help_of_every_command_teaches(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert f"trust-seg {command}" in text
    assert command == "version" or "examples:" in text


def test_without_a_command_the_help_is_printed(capsys):
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in cli.COMMANDS)
    assert "examples:" in text


def test_a_mistake_is_one_line_and_exit_status_2(capsys):
    assert cli.main(["play", "/no/such/recording"]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("trust-seg play: /no/such/recording does not exist")
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_debug_shows_where(capsys):
    with pytest.raises(cli.TrustSegError, match="/no/such/recording"):
        cli.main(["--debug", "play", "/no/such/recording"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["demo", "--source", "/no/such/recording"], "does not exist"),
        (["demo", "--seconds", "-1"], "--seconds is -1"),
        (["demo", "--params-file", "/no/such.yaml"], "/no/such.yaml"),
        (["demo", "--param", "thresholds.pixel=0.4"], "name:=value"),
        (["demo", "--param", "thresholds.unreliable:=7.0"], "7.0 (double), expected a number from 0 to 1"),
        (["demo", "--param", "treshold:=1"], "there is no parameter 'treshold'; did you mean ood.threshold"),
        (["play", "synthetic", "--rate", "0"], "rate is 0"),
        (["params", "nothing like it"], "nothing like it"),
        (["synthetic", "--out", "x", "--frames", "0"], "--frames 0"),
    ],
)
def test_values_that_cannot_be_are_explained(words, said, capsys):
    assert cli.main(words) == 2
    assert said in capsys.readouterr().err


def test_parameters_in_the_demos_examples_need_nothing_that_is_not_installed():
    given = dict(re.findall(r"--param (\S+):=(\S+)", demo.EPILOG))
    assert given
    assert given.keys() <= {p.name for p in TABLE}
    assert "model" not in given, "another model would have to be downloaded, or exported first"


@pytest.mark.parametrize("size", ["640", "0x4", "ax4", "-3x4", "640x384x3"])
def test_sizes_are_width_x_height(size, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["play", "synthetic", f"--size={size}"])
    assert ended.value.code == 2
    assert "expected WIDTHxHEIGHT" in capsys.readouterr().err


def test_params_lists_the_table(capsys):
    assert cli.main(["params", "diagnostics"]) == 0
    assert "0.1" in capsys.readouterr().out


def test_version_names_torch(capsys):
    assert cli.main(["version"]) == 0
    assert "torch 2" in capsys.readouterr().out


def test_synthetic_writes_images_labels_and_a_sheet(tmp_path, capsys):
    assert cli.main(["synthetic", "--out", str(tmp_path), "--frames", "3", "--every", "5", "--size", "160x96"]) == 0
    names = [p.name for p in sorted((tmp_path / "images").iterdir())]
    assert names == ["seed0_000000.png", "seed0_000005.png", "seed0_000010.png"]
    labels = cv2.imread(str(tmp_path / "labels" / names[0]), cv2.IMREAD_UNCHANGED)
    assert labels.shape == (96, 160)
    assert set(labels.ravel().tolist()) <= {*range(11), 255}
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] == 1280


@pytest.mark.slow
@pytest.mark.parametrize("command", ["benchmark", "calibrate", "trust"])
def test_scores_are_looked_up_only_when_their_help_is_shown(command):
    code = (
        "import sys; from trust_seg_ros import cli; parser = cli.parsers([sys.argv[1]])[0]; "
        "assert 'torch' not in sys.modules; parser.parse_args([sys.argv[1], '--help'])"
    )
    run = [sys.executable, "-c", code, command]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = [
        "entropy",
        "margin",
        "max_logit",
        "standardized_max_logit",
        "gradient_uniform",
        "cdnp",
        "or all that the network",
    ]
    said = " ".join(done.stdout.split())
    assert ", ".join(names[-2:]) in said
    assert [name for name in names if name not in said] == []
    assert ("input_scale of many passes" in said) == (command == "trust")


def test_the_top_level_help_does_not_import_heavy_modules():
    code = (
        "import sys; from trust_seg_ros import cli; cli.main([]); "
        "heavy = {'torch', 'cv2', 'rclpy', 'numba', 'rich'} & sys.modules.keys(); sys.exit(' '.join(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(
    ("words", "usage", "said"),
    [
        (["fitt"], "usage: trust-seg [options] COMMAND ...", "there is no command 'fitt'; did you mean fit?"),
        (
            ["fit", "--otu", "x"],
            "usage: trust-seg fit [options] --out FILE [DATASET]",
            "no option --otu; did you mean --out?",
        ),
        (
            ["trust", "d", "--polcy=otsu"],
            "usage: trust-seg trust [options] --out DIR DATASET",
            "no option --polcy; did you mean --policy?",
        ),
        (["miou", "d", "--zzz"], "usage: trust-seg miou [options] DATASET", "there is no option --zzz\n"),
        (
            ["train", "--out", "x"],
            "usage: trust-seg train [options] (--camvid",
            "one of the arguments --camvid --scenes-only",
        ),
        (["fit", "d", "--out"], "usage: trust-seg fit [options]", "argument --out: expected one argument"),
    ],
)
def test_an_unknown_word_gets_the_usage_of_its_command_and_the_nearest_name(words, usage, said, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(usage)
    assert said in captured.err
    assert captured.out == ""


def test_what_follows_two_dashes_is_no_option(capsys):
    assert cli.main(["play", "--", "--otu"]) == 2
    assert "--otu does not exist" in capsys.readouterr().err


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"trust-seg \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize("words", [["--quiet", "version"], ["version", "-q"]])
def test_quiet_prints_nothing(words, capsys):
    assert cli.main(words) == 0
    assert capsys.readouterr() == ("", "")


def test_debug_among_the_options_of_a_command():
    with pytest.raises(cli.TrustSegError, match="/no/such/recording"):
        cli.main(["play", "/no/such/recording", "--debug"])


def test_an_error_is_json_too(capsys):
    assert cli.main(["play", "/no/such/recording", "--json"]) == 2
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert (told["command"], told["exit_status"], told["error"]["kind"]) == ("play", 2, "NothingThere")
    assert captured.err == f"trust-seg play: {told['error']['message']}\n"


def test_a_wrong_option_is_json_too(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--json", "fit", "--otu", "x"])
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["message"] == "there is no option --otu; did you mean --out?"
    assert captured.err.startswith("usage: trust-seg fit")


def test_ctrl_c_says_what_happens_next_time(monkeypatch, capsys):
    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(params, "run", interrupted)
    assert cli.main(["params"]) == 130
    assert capsys.readouterr().err == "trust-seg params: stopped; nothing of it is kept, the same command starts anew\n"
