"""A wrong path is refused before torch is loaded, by every subcommand and every option that takes a path."""

import argparse
import json
import subprocess
import sys

import pytest
from places import ROOT

from trust_seg_ros import cli
from trust_seg_ros.commands.given_paths import GivenPathError, params_file
from trust_seg_ros.commands.parsing import CommandParser

NO_DATA = "nowhere: no such folder; expected the folder of a data set"
NO_OOD = "nowhere: no such folder; expected a folder in a layout of docs/benchmark_ood.md"
NO_FILE_OUT = "there is no folder no/where; make it first"
NO_FOLDER_OUT = "is a file; expected a folder"
NO_SOURCE = "nowhere does not exist; a source is 'motorway', 'synthetic'"
GENERAL = "/**:\n  ros__parameters: {model: nowhere.pt2}\n"
GIVEN = {"file": "no folder", "of_node.yaml": GENERAL}
DATA = ("data", "--split", "val")
NETWORK = (
    ("--model nowhere.pt2", "--model nowhere.pt2: no such file"),
    ("--model ./nowhere", "--model ./nowhere: no such file or folder"),
    ("--labels nowhere.yaml", "label file 'nowhere.yaml' does not exist"),
    ("--labels nosuchset", "no label set 'nosuchset'; shipped:"),
)
LABELS = (("--label-map nowhere.yaml", "--label-map nowhere.yaml: no such file; expected a YAML file, or from-1"),)
PARAMETERS = (
    ("--params-file nowhere.yaml", "--params-file nowhere.yaml: no such parameter file"),
    ("--params-file of_node.yaml", "of_node.yaml: parameter model: nowhere.pt2: no such file"),
    ("-p model:=nowhere.pt2", "parameter model: nowhere.pt2: no such file"),
    ("-p calibration:='nowhere.json'", "parameter calibration: nowhere.json: no such calibration file"),
    ("--param ood.meta_model:=nowhere.json", "no such meta model file of OoD segments"),
)
CASES = {
    "check": (
        "--no-camera",
        [
            *NETWORK,
            ("nowhere.onnx", "nowhere.onnx: no such file"),
            ("embedded --image nowhere.jpg", "--image nowhere.jpg: no such image file"),
            ("embedded --calibration nowhere.json", "--calibration nowhere.json: no such calibration file"),
        ],
    ),
    "demo": ("", [("--source nowhere", NO_SOURCE), ("--out file", NO_FOLDER_OUT), *PARAMETERS]),
    "play": ("", [("nowhere", NO_SOURCE)]),
    "replay": (
        "data --out new",
        [*PARAMETERS, ("--out file", NO_FOLDER_OUT)],
    ),
    "synthetic": ("", [("--out file", NO_FOLDER_OUT)]),
    "time": (
        "synthetic:seeds=0-0 --out new",
        [
            *PARAMETERS,
            ("--out file", NO_FOLDER_OUT),
            ("--cache file", NO_FOLDER_OUT),
            ("--fit-ood no/where/ood.json", NO_FILE_OUT),
            ("--variant a model:=nowhere.pt2", "parameter model: nowhere.pt2: no such file"),
        ],
    ),
    "planner": (
        "--maps 1 --judged 0 --out new",
        [*PARAMETERS, ("--out file", NO_FOLDER_OUT), ("--cache file", NO_FOLDER_OUT)],
    ),
    "corrupt": (
        "--out sheet.png",
        [
            ("nowhere", NO_DATA),
            ("data --split val --labels nosuchset", "no label set"),
            ("data --split x", "no split 'x'"),
        ],
    ),
    "labels": (
        "--labels camvid11 --out new",
        [
            ("nowhere.zip", "nowhere.zip: no such file or folder; expected what the labelling tool exported"),
            ("file --images nowhere", "--images nowhere: no such folder; expected a folder"),
            ("file --labels nosuchset", "no label set 'nosuchset'; shipped:"),
            ("file --out file", NO_FOLDER_OUT),
        ],
    ),
    "train": (
        "--out new",
        [("--camvid nowhere", "--camvid nowhere: no such folder"), ("--scenes-only --out file", NO_FOLDER_OUT)],
    ),
    "finetune": (
        "--in-distribution data --ood data --out new",
        [
            ("--in-distribution nowhere", NO_DATA),
            ("--ood nowhere", NO_OOD),
            ("--ood pasted:objects=nowhere:on=data:seeds=0-9", "nowhere: no such folder (--ood pasted:objects="),
            ("--judge-ood nowhere", NO_OOD),
            ("--out file", NO_FOLDER_OUT),
            *NETWORK,
            *LABELS,
        ],
    ),
    "fit": (
        "--out new.json",
        [
            ("nowhere", NO_DATA),
            ("file", "file: this is a file; expected the folder of a data set"),
            ("data --split x", "data: no split 'x'; looked for"),
            ("data --out .", "--out . is a folder; expected a file"),
            ("data --out no/where/x.json", NO_FILE_OUT),
            ("data --calibration nowhere.json", "--calibration nowhere.json: no such calibration file"),
            ("--cache nowhere", "--cache nowhere: no segment table"),
            *((f"data --split val {words}", said) for words, said in (*NETWORK, *LABELS)),
        ],
    ),
    "calibrate": (
        "data --split val --out new.json",
        [
            ("--out no/where/x.json", NO_FILE_OUT),
            ("--figures file", "--figures file is a file; expected a folder"),
            ("--statistics nowhere.json", "no such calibration file"),
            ("--meta-model nowhere.json", "no such meta model file"),
            ("--ood nowhere", NO_OOD),
            ("--ood-meta-model data", "--ood-meta-model data: this is a folder, no meta model file"),
            *NETWORK,
        ],
    ),
    "evaluate": (
        "--out new",
        [("nowhere", NO_DATA), ("data --split val --out file", NO_FOLDER_OUT), ("--cache nowhere", "no segment table")],
    ),
    "benchmark": (
        "--out new",
        [
            ("nowhere", NO_OOD),
            ("data --fit-on nowhere", NO_OOD),
            ("data --meta nowhere.json", "no such meta model file of OoD segments"),
            ("data --save-meta no/where/x.json", "--save-meta no/where/x.json: there is no folder"),
            ("data --calibration nowhere.json", "no such calibration file"),
            *((f"data {words}", said) for words, said in NETWORK),
        ],
    ),
    "trust": (
        "data --split val --out new",
        [
            ("--cache file", "--cache file is a file; expected a folder"),
            ("--meta-model nowhere.json", "no such meta model file"),
            ("--shifted nowhere:fog:3", "nowhere: no such folder"),
            ("--shifted-label-map nowhere.yaml", "no such file; expected a YAML file"),
            *NETWORK,
            *LABELS,
        ],
    ),
    "show": (
        "",
        [
            ("nowhere.png", "nowhere.png: no such file or folder; expected an image"),
            ("data --truth nowhere", "--truth nowhere: no such file or folder"),
            ("data --csv .", "--csv . is a folder; expected a file"),
            ("data --meta-model nowhere.json", "no such meta model file"),
            *((f"data {words}", said) for words, said in NETWORK),
        ],
    ),
    "mine": (
        "--to coco",
        [
            ("nowhere --out new", NO_SOURCE),
            ("synthetic --out new", "synthetic has no end; record a part of it first"),
            ("data --split nope --out new", "no split 'nope'"),
            ("data --out file", NO_FOLDER_OUT),
            ("data --out data", "--out data: there is something already; expected a new or empty folder"),
            ("data --out new --cache file", "--cache file is a file; expected a folder"),
            ("data --out new --meta-model nowhere.json", "no such meta model file"),
            *((f"data --out new {words}", said) for words, said in NETWORK),
        ],
    ),
    "export": (
        "",
        [("--out no/where/x.onnx", "there is no folder"), *((f"--out n.onnx {w}", said) for w, said in NETWORK)],
    ),
    "label-errors": (
        "data --split val --out new",
        [
            ("--split x", "data: no split 'x'; looked for"),
            ("--out file", NO_FOLDER_OUT),
            ("--out file/new", "--out file/new cannot be written"),
            *NETWORK,
            *LABELS,
        ],
    ),
    "miou": ("", [("nowhere", NO_DATA), ("data --split val --csv no/where/x.csv", NO_FILE_OUT)]),
}
"""Command -> (words of every line, [(more words, what is said)])."""
WITHOUT_PATHS = {"completion", "params", "version"}
CODE = """
import io, json, shlex, sys
from contextlib import redirect_stderr
from trust_seg_ros import cli
found = []
for line in json.load(sys.stdin):
    with redirect_stderr(io.StringIO()) as told:
        status = cli.main(shlex.split(line))
    found.append((status, told.getvalue(), "torch" in sys.modules))
print(json.dumps(found))
"""


def lines():
    for command, (words, cases) in CASES.items():
        for more, said in cases:
            yield f"{command} {words} {more}", said
    yield "replay 'none*' --out new", "no path matches 'none*'"
    yield "replay nowhere --out new", NO_SOURCE


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paths")
    for name in ("data/images/val", "data/labels/val"):
        (folder / name).mkdir(parents=True)
    for name, text in GIVEN.items():
        (folder / name).write_text(text)
    environment = {"PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-c", CODE]
    given = json.dumps([line for line, _ in lines()])
    done = subprocess.run(run, cwd=folder, input=given, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    yield dict(zip([line for line, _ in lines()], json.loads(done.stdout), strict=True))
    assert sorted(path.name for path in folder.iterdir()) == ["data", "file", "of_node.yaml"], (
        "a refused command left something"
    )


@pytest.mark.parametrize(("line", "said"), lines())
def test_it_is_told_before_torch_is_loaded(line, said, told):
    status, text, torch_is_loaded = told[line]
    assert status == 2
    assert said in text
    assert text.startswith(f"trust-seg {line.split()[0]}: ")
    assert text.count("\n") == 1
    assert not torch_is_loaded


def test_every_command_that_takes_paths_is_tried():
    assert {*CASES, *WITHOUT_PATHS} == set(cli.COMMANDS)


@pytest.mark.parametrize("command", sorted(cli.COMMANDS))
def test_every_option_with_a_path_says_what_it_expects(command):
    parser = CommandParser(prog=command)
    cli._load(cli.COMMANDS[command][0]).add_arguments(parser)
    paths = {"FILE", "DIR", "FOLDER", "PATH", "YAML", "DATASET", "IMAGE", "BAG"}
    silent = [
        action.dest
        for action in parser._actions
        if (
            action.metavar in paths
            or getattr(action.type, "__name__", "") == "Path"
            or action.dest in ("model", "labels")
        )
        and not hasattr(action, "path_check")
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("text", "single"),
    [
        (GENERAL, ["model:=embedded"]),
        (GENERAL + "front/trust_seg:\n  ros__parameters: {model: embedded}\n", []),
        ("front/trust_seg:\n  ros__parameters: {model: nowhere.pt2}\n", []),
        (GENERAL + "trust_seg:\n  ros__parameters: {model: embedded}\n", []),
    ],
)
def test_a_path_in_a_parameter_file_that_another_value_may_replace_is_left_to_the_command(tmp_path, text, single):
    file = tmp_path / "node.yaml"
    file.write_text(text)
    params_file("--params-file", file, argparse.Namespace(parameters=single))
    file.write_text(GENERAL)
    with pytest.raises(GivenPathError, match="parameter model: nowhere"):
        params_file("--params-file", file, argparse.Namespace(parameters=[]))
