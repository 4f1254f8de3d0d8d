"""The examples of docs/networks.md, run as they stand there."""

import re
import sys
import warnings

import pytest
from places import ROOT

from trust_seg_ros.segmentation import ModelSpecError, load_network
from trust_seg_ros.segmentation.loaders import LOADERS

GUIDE = ROOT / "docs" / "networks.md"
BLOCKS = re.findall(r"```(?:python|yaml)\n# (file: (\S+)|run)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for _, name, text in BLOCKS:
        if name:
            (tmp_path / name).write_text(text)
    for name in ("my_nets", "my_remote"):  # of other pages
        sys.modules.pop(name, None)
    ran = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript
            for kind, _, text in BLOCKS:
                if kind == "run":
                    scope: dict[str, object] = {}
                    exec(compile(text, str(GUIDE), "exec"), scope)
                    assert len(scope["network"].labels) == 3
                    ran += 1
    finally:
        for name in ("my_nets", "my_remote"):
            sys.modules.pop(name, None)
    assert ran == 8


def test_every_thing_that_one_may_have_leads_to_a_section_that_runs():
    text = GUIDE.read_text(encoding="utf-8")
    sections = {part.partition("\n")[0] for part in re.split(r"(?m)^## ", text)[1:]}
    table = text[: text.index("Then look at it")]
    anchors = {re.sub(r"[^\w -]", "", name).lower().replace(" ", "-"): name for name in sections}
    led = set(re.findall(r"\]\(#([\w-]+)\)", table))
    assert led <= set(anchors)
    bodies = dict(part.split("\n", 1) for part in re.split(r"(?m)^## ", text)[1:])
    assert {anchor for anchor in led if "# run" not in bodies[anchors[anchor]]} == {"a-tensorrt-engine"}  # needs a GPU


@pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: loader.form)
def test_every_way_to_name_a_network_is_in_the_guide_and_in_the_refusal(loader):
    text = GUIDE.read_text(encoding="utf-8")
    assert loader.form.replace("'", "`") in text
    assert loader.text in text
    with pytest.raises(ModelSpecError, match=re.escape(loader.form)):
        load_network("no network")
