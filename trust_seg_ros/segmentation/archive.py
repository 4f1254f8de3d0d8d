"""Looks into a model file before torch does, and refuses whatever would run code while being read.

``torch.export.load`` unpickles without restriction (sample inputs, weights of tensor subclasses, opaque constants),
evaluates the text of shape expressions, resolves operators by walking attributes of modules, pastes names into
generated Python and can load native libraries. ``torch.jit.load`` unpickles nothing foreign, but a TorchScript program
can write files. So: pickles must load with ``weights_only=True``; expressions, operators and names must have the plain
form that ``torch.export.save`` writes; native code, opaque constants and file access are refused. A model file is still
a program that uses memory and time: take it from where you would take a program.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch

from trust_seg_ros.segmentation.errors import ModelFileError
from trust_seg_ros.segmentation.failures import in_brief
from trust_seg_ros.support.reading import lfs_pointer

HOW_TO_EXPORT = (
    "export the network where its Python code is: torch.export.save(torch.export.export(module.eval(), "
    "(torch.zeros(1, 3, h, w),)), 'model.pt2')"
)
_OPERATORS = re.compile(
    r"torch\.ops\.(aten|prims)\.[A-Za-z_]\w*\.\w+|torch\.ops\.higher_order\.wrap_with_(set_grad_enabled|autocast)|"
    r"torch\.sym_\w+|math\.[a-z]\w*|_operator\.(add|sub|mul|truediv|floordiv|mod|neg|pos|pow|getitem|eq|ne|lt|le|gt|"
    r"ge|and_|or_|not_)"
)
_FILE_OPERATORS = re.compile(r"\b(from_file|save|_save|load|to_file)\b")
_NAME = re.compile(r"[A-Za-z0-9_.]*")
_NAME_KEYS = {"name", "parameter_name", "buffer_name", "tensor_constant_name", "custom_obj_name", "module_fqn", "fqn"}
_SCRIPT_FILE_ACCESS = re.compile(r"\b(save|_save|from_file)\s*\(")

Format = Literal["pt2", "torchscript"]


def inspect_archive(path: Path) -> Format:
    """The kind of a model file; refuses every other kind and all dangerous content.

    Raises:
        ModelFileError: the file is missing, empty, foreign, pickled or dangerous; the text says which and the way out.
    """
    _check_start(path)
    try:
        return _inspect(path)
    except ModelFileError:
        raise
    except Exception as error:  # a damaged archive makes its readers raise anything, UnicodeDecodeError for a name
        raise ModelFileError(
            f"{path}: corrupt or not a model file ({type(error).__name__}: {in_brief(error)}); {HOW_TO_EXPORT}"
        ) from error


def _inspect(path: Path) -> Format:
    reader = torch._C.PyTorchFileReader(str(path))
    records = set(reader.get_all_records())
    with zipfile.ZipFile(path) as plain:
        names = plain.namelist()
    if any(name.startswith("serialized_") for name in (*names, *records)):
        raise ModelFileError(f"{path}: written by torch.export of torch 2.7 or older; export it again with this torch")
    if "archive_format" in records:
        _Pt2Check(path, reader, records).run()
        return "pt2"
    if "constants.pkl" in records and any(r.startswith("code/") for r in records):
        _check_script(path, reader, records)
        return "torchscript"
    if "data.pkl" in records:
        raise ModelFileError(_pickled(path))
    raise ModelFileError(f"{path}: a zip file that holds no model torch knows; {HOW_TO_EXPORT}")


def _pickled(path: Path) -> str:
    return (
        f"{path}: a pickle (torch.save): a module in it would run code when read, and a state_dict holds no network; "
        f"{HOW_TO_EXPORT}, or keep the weights as safetensors and load them in a factory 'package.module:callable'"
    )


def _check_start(path: Path) -> None:
    """Recognise by the first bytes the other things that people have in files named like models."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file (looked at {path.absolute()})") from None
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not start:
        raise ModelFileError(f"{path}: empty file; copy or export it again")
    if pointer := lfs_pointer(path):
        raise ModelFileError(f"{path}: {pointer}")
    if start.startswith(b"PK\x03\x04"):
        return
    if start[:1] == b"\x80":
        raise ModelFileError(_pickled(path))
    if start[8:9] == b"{" and path.suffix == ".safetensors":
        raise ModelFileError(
            f"{path}: weights without a network; load them in a factory 'package.module:callable', "
            "or give the folder of a Hugging Face model"
        )
    raise ModelFileError(f"{path}: corrupt or not a model file (starts with {start[:8]!r}); {HOW_TO_EXPORT}")


def _check_script(path: Path, reader: Any, records: set[str]) -> None:
    for record in sorted(records):
        if record.startswith("code/") and record.endswith(".py"):
            found = _SCRIPT_FILE_ACCESS.search(reader.get_record(record).decode("utf-8", "replace"))
            if found:
                raise ModelFileError(f"{path}: refused: its program accesses files ({found.group(1)} in {record})")


class _Pt2Check:
    """The checks of a torch.export archive."""

    def __init__(self, path: Path, reader: Any, records: set[str]) -> None:
        self.path = path
        self.reader = reader
        self.records = records

    def run(self) -> None:
        if any(r.startswith("data/aotinductor/") for r in self.records):
            raise self.refusal("holds compiled native code; save it with torch.export.save instead of AOTInductor")
        models = sorted(r for r in self.records if r.startswith("models/"))
        if models != ["models/model.json"]:
            raise self.refusal(f"expected one model in it, found {', '.join(models) or 'none'}")
        for record in sorted(self.records):
            if record.startswith("data/") and record.endswith(".pt"):
                self.check_pickle(record)
            elif record.startswith(("data/weights/", "data/constants/")) and record.endswith("_config.json"):
                self.check_payload(record)
        for key, value in _walk(self.json("models/model.json")):
            self.check_value(key, value)

    def refusal(self, why: str) -> ModelFileError:
        return ModelFileError(f"{self.path}: refused: {why}")

    def json(self, record: str) -> Any:
        try:
            return json.loads(self.reader.get_record(record))
        except (ValueError, RuntimeError, RecursionError) as error:
            raise ModelFileError(f"{self.path}: corrupt: {record} is not readable: {error}") from error

    def check_pickle(self, record: str) -> None:
        try:
            data = self.reader.get_record(record)
            if data:
                torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except Exception as error:  # the unpickler raises whatever a broken stream leads to
            raise self.refusal(
                f"{record} does not load with weights_only=True ({in_brief(error)}); {HOW_TO_EXPORT}"
            ) from error

    def check_payload(self, record: str) -> None:
        content = self.json(record)
        entries = content.get("config") if isinstance(content, dict) else None
        if not isinstance(entries, dict) or not all(isinstance(e, dict) for e in entries.values()):
            raise ModelFileError(f"{self.path}: corrupt: {record} has no table of tensors")
        for name, entry in entries.items():
            kind = str(entry.get("path_name"))
            if entry.get("use_pickle") is not False or not kind.startswith(("weight_", "tensor_")):
                raise self.refusal(f"{name!r} is stored as a pickle ({kind}); export a network of plain tensors")
            self.check_name(name)

    def check_name(self, name: Any) -> None:
        if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise self.refusal(f"the name {name!r:.80} in it is not a plain identifier")

    def check_value(self, key: str, value: Any) -> None:
        if key in _NAME_KEYS:
            self.check_name(value)
        elif key == "forward_arg_names":
            if value is not None and not isinstance(value, list):
                raise ModelFileError(f"{self.path}: corrupt: {key} is {value!r:.80}; expected a list of names")
            for name in value or ():
                self.check_name(name)
        elif key == "target":
            if not (isinstance(value, str) and _OPERATORS.fullmatch(value)) or _FILE_OPERATORS.search(value):
                raise self.refusal(f"operator {value!r:.80} is not one of torch's own plain operators")
        elif key == "expr_str":
            if not is_plain_expression(value):
                raise self.refusal(f"shape expression {value!r:.80} is not plain arithmetic")
        elif key in ("in_spec", "out_spec") and "defaultdict" in str(value):
            raise self.refusal("inputs or outputs are a defaultdict; return a dict, a tuple or a tensor")


def _walk(content: Any) -> Iterator[tuple[str, Any]]:
    """Every (key, value) of every mapping in JSON content, except free text about where a node came from."""
    stack = [content]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            for key, value in item.items():
                if key != "metadata":
                    yield key, value
                    stack.append(value)
        elif isinstance(item, list):
            stack.extend(item)


_EXPRESSION: tuple[type[ast.AST], ...] = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.Name,
    ast.Load,
    ast.keyword,
    ast.operator,
    ast.unaryop,
    ast.cmpop,
)


def is_plain_expression(text: Any) -> bool:
    """Whether a shape expression is arithmetic of numbers, symbols and SymPy classes: evaluating it runs nothing else.

    Text is allowed only as the name of a ``Symbol``, since SymPy evaluates text anywhere else.
    """
    try:
        tree = ast.parse(str(text), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if not (isinstance(node.func, ast.Name) and re.fullmatch(r"[A-Z][A-Za-z]*", node.func.id)):
                return False
            if node.func.id == "Symbol" and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
                names.add(id(node.args[0]))
                if not re.fullmatch(r"[A-Za-z_]\w*", str(node.args[0].value)):
                    return False
        elif isinstance(node, ast.Constant):
            if not isinstance(node.value, (bool, int, float)) and id(node) not in names:
                return False
        elif isinstance(node, ast.Name):
            if "__" in node.id:
                return False
        elif not isinstance(node, _EXPRESSION):
            return False
    return True
