"""What ``--json`` prints, checked by the schemas of docs/schemas."""

import json

from jsonschema import Draft202012Validator
from places import ROOT

from trust_seg_ros.cli import main

SCHEMAS = ROOT / "docs" / "schemas"


def schema(name):
    return json.loads((SCHEMAS / f"{name}.json").read_text())


def run_json(capsys, *words, status=0):
    """Run a command with --json; gives its result, which fits its schema and is all that is on standard output."""
    assert main([*map(str, words), "--json"]) == status, capsys.readouterr().err
    printed = capsys.readouterr().out
    found = json.loads(printed, parse_constant=lambda name: (_ for _ in ()).throw(ValueError(name)))
    Draft202012Validator(schema("error" if "error" in found else words[0])).validate(found)
    assert (found["command"], found["exit_status"]) == (words[0], status)
    return found
