"""The package as a section of docs/extending.md would make it: in a process of its own, nothing copied or changed.

A section's ``python`` blocks begin with a line that says where they belong:

- ``# trust_seg_ros/uncertainty/my_score.py``: a new file;
- ``# trust_seg_ros/uncertainty/registry.py, in ROWS``: rows, put at the end of the tuple, list or dict of that name;
- ``# trust_seg_ros/uncertainty/registry.py, imports``: imports that the rows need.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from places import HELPERS, ROOT

GUIDE = ROOT / "docs" / "extending.md"
_PLACE = re.compile(r"# (trust_seg_ros/[\w/]+\.py)(?:, (?:in (\w+)|(imports)))?\n")


_PARTS = """
import contextlib, io, json, traceback
from pathlib import Path

done = {{}}
for name, code in {parts!r}.items():
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            exec(compile(code, name, "exec"), {{}})
            status = 0
        except SystemExit as end:
            status = end.code
        except Exception:
            traceback.print_exc()
            status = 1
    done[name] = (status, out.getvalue(), err.getvalue())
Path("done.json").write_text(json.dumps(done))
"""


def section(heading: str) -> str:
    """The text under a heading of the guide."""
    parts = re.split(r"^## (.*)\n", GUIDE.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[heading]


def changed_files(heading: str) -> dict[str, str]:
    """Path -> text, of every file that a section makes or changes."""
    files: dict[str, str] = {}
    for block in re.findall(r"^```python\n(.*?)^```", section(heading), re.MULTILINE | re.DOTALL):
        place = _PLACE.match(block)
        if place is None:
            continue
        path, name, imports = place.groups()
        body, old = block[place.end() :], files.get(path)
        if name is None and not imports:
            assert not (ROOT / path).exists(), f"{path} is not new"
            files[path] = block
            continue
        text = (ROOT / path).read_text("utf-8") if old is None else old
        files[path] = with_imports(text, body) if imports else with_rows(text, name, body)
    assert files, f"the section {heading!r} names no file"
    return files


def with_imports(text: str, lines: str) -> str:
    """A module with more imports after its ``from __future__`` line."""
    future = "from __future__ import annotations\n"
    assert future in text
    return text.replace(future, future + lines, 1)


def with_rows(text: str, name: str, rows: str) -> str:
    """A module with more entries at the end of a tuple, list or dict that it defines."""
    for node in ast.parse(text).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            lines = text.splitlines(keepends=True)
            last = lines[node.end_lineno - 1]
            at = max(last.rfind(closing) for closing in ")]}")
            before = "".join(lines[: node.end_lineno - 1]) + last[:at].rstrip()
            comma = "" if before.rstrip().endswith((",", "(", "[", "{")) else ","
            return (
                before
                + comma
                + "\n"
                + rows.rstrip().rstrip(",")
                + ",\n"
                + last[at:]
                + "".join(lines[node.end_lineno :])
            )
    raise AssertionError(f"no {name} is defined")


def run_extended(heading: str, code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python code where the package is as the section makes it.

    Args:
        heading: of the section, without its ``##``.
        code: what to run.
        folder: an empty one, for the new files.
        environment: variables to set.
    """
    overlay = folder / "overlay.json"
    overlay.write_text(json.dumps({"root": str(ROOT), "files": changed_files(heading)}))
    program = f"import guide_overlay; guide_overlay.install({str(overlay)!r})\n{code}"
    paths = os.pathsep.join([str(HELPERS), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": paths, **environment}
    return subprocess.run(
        [sys.executable, "-c", program], env=env, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


def run_parts(heading: str, parts: dict[str, str], folder: Path, **environment: str) -> dict[str, tuple[int, str, str]]:
    """The same with several parts, one after the other in one process: loading the libraries takes longest.

    Args:
        heading: of the section, without its ``##``.
        parts: code by name; each has variables of its own.
        folder: an empty one, in which the parts run.
        environment: variables to set.

    Returns:
        By name, the exit status, what was printed and what was complained about.
    """
    run = run_extended(heading, _PARTS.format(parts=parts), folder, **environment)
    assert run.returncode == 0, run.stderr
    return json.loads((folder / "done.json").read_text("utf-8"))
