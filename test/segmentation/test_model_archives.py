"""Files that are no models, and models that would run code when read."""

import io
import json
import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from trust_seg_ros.segmentation import ModelFileError, load_network
from trust_seg_ros.segmentation.archive import inspect_archive


class Bomb:
    """Unpickling one creates a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.fixture
def mark(tmp_path):
    """The file that exists once foreign code has run; the test fails then."""
    path = tmp_path / "foreign_code_ran"
    yield path
    assert not path.exists()


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "net.pt2"
    sides = {2: 8 * torch.export.Dim("h", min=1, max=64), 3: 8 * torch.export.Dim("w", min=1, max=64)}
    module = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 11, 1)).eval()
    torch.export.save(torch.export.export(module, (torch.zeros(1, 3, 16, 16),), dynamic_shapes=(sides,)), path)
    return path


def rewrite(source: Path, target: Path, changes=None, extra=None) -> Path:
    """A copy of an archive with records changed (name -> function of bytes) or added, alignment kept."""
    root = ""
    with zipfile.ZipFile(source) as old, target.open("wb") as file:
        writer = torch._C.PyTorchFileWriter(file)
        for info in old.infolist():
            root, _, name = info.filename.partition("/")
            if name in (".data/serialization_id", ".data/version", "version", "byteorder"):
                continue
            data = old.read(info)
            if changes and name in changes:
                data = changes[name](data)
            writer.write_record(name, data, len(data))
        for name, data in (extra or {}).items():
            writer.write_record(name, data, len(data))
        writer.write_end_of_file()
    assert root
    return target


def edit(change):
    def apply(data):
        content = json.loads(data)
        change(content)
        return json.dumps(content).encode()

    return apply


def load(path):
    return load_network(str(path), labels="camvid11", device="cpu")


def saved(thing) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


def test_rewriting_alone_leaves_a_good_file(good, tmp_path, mark):
    """The refusals below are not for the way these tests write files."""
    assert load(rewrite(good, tmp_path / "net.pt2")).input_spec.stride == 8


def test_the_bomb_is_real(mark):
    pickle.loads(pickle.dumps(Bomb(mark))).close()
    assert mark.exists()
    mark.unlink()


@pytest.mark.parametrize("name", ["net.pt", "net.pth", "net.pt2", "net.ts"])
@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_are_refused_unread(tmp_path, mark, name, zipped):
    path = tmp_path / name
    torch.save({"model": Bomb(mark)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelFileError, match=r"pickle.*torch\.export\.save"):
        load(path)


def test_plain_pickle_is_refused_unread(tmp_path, mark):
    path = tmp_path / "net.pt"
    path.write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(ModelFileError, match="pickle"):
        load(path)


def test_sample_inputs_with_a_bomb(good, tmp_path, mark):
    path = rewrite(good, tmp_path / "net.pt2", {"data/sample_inputs/model.pt": lambda _: saved(Bomb(mark))})
    with pytest.raises(ModelFileError, match="does not load with weights_only=True"):
        load(path)


@pytest.mark.parametrize("folder", ["weights", "constants"])
def test_legacy_records_with_a_bomb(good, tmp_path, mark, folder):
    path = rewrite(good, tmp_path / "net.pt2", extra={f"data/{folder}/model.pt": saved(Bomb(mark))})
    with pytest.raises(ModelFileError, match="does not load with weights_only=True"):
        load(path)


def test_pickled_weight(good, tmp_path, mark):
    def change(content):
        entry = next(iter(content["config"].values()))
        entry["use_pickle"] = True

    changes = {
        "data/weights/model_weights_config.json": edit(change),
        "data/weights/weight_0": lambda _: saved(Bomb(mark)),
    }
    with pytest.raises(ModelFileError, match="stored as a pickle"):
        load(rewrite(good, tmp_path / "net.pt2", changes))


@pytest.mark.parametrize("kind", ["custom_obj_0", "opaque_obj_0"])
def test_pickled_constant(good, tmp_path, mark, kind):
    def change(content):
        content["config"]["c"] = {"path_name": kind, "is_param": False, "use_pickle": True, "tensor_meta": None}

    changes = {"data/constants/model_constants_config.json": edit(change)}
    extra = {f"data/constants/{kind}": pickle.dumps(Bomb(mark))}
    with pytest.raises(ModelFileError, match="stored as a pickle"):
        load(rewrite(good, tmp_path / "net.pt2", changes, extra))


def replace_text(old, new):
    def apply(data):
        assert old.encode() in data
        return data.replace(old.encode(), json.dumps(new)[1:-1].encode())

    return apply


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("Integer(8)", "open('MARK', 'w')", "shape expression"),
        ("Integer(8)", 'S(\'open("MARK", "w")\')', "shape expression"),
        ("Integer(8)", "Integer(8).__class__", "shape expression"),
        ("torch.ops.aten.relu.default", "torch.os.system", "operator"),
        ("torch.ops.aten.relu.default", "torch.ops.aten.from_file.default", "operator"),
        ("torch.ops.aten.relu.default", "torch.ops.aten.relu.default.__class__", "operator"),
        ("torch.ops.aten.relu.default", "_operator.methodcaller", "operator"),
        ("torch.ops.aten.relu.default", "#ext:x", "operator"),
        ('"name": "relu"', "\"name\": \"relu=open('MARK', 'w')\"", "name"),
        ('"parameter_name": "0.weight"', "\"parameter_name\": \"0') or open('MARK', 'w') #\"", "name"),
        ('\\"builtins.dict\\"', '\\"collections.defaultdict\\"', "defaultdict"),
    ],
)
def test_programs_that_would_run_foreign_code(good, tmp_path, mark, old, new, match):
    new = new.replace("MARK", str(mark))
    change = (
        replace_text(old, new)
        if not old.startswith(('"', "\\"))
        else lambda d: d.replace(old.encode(), (new.replace("'", "\\u0027")).encode())
    )
    path = rewrite(good, tmp_path / "net.pt2", {"models/model.json": change})
    with pytest.raises(ModelFileError, match=f"refused: .*{match}"):
        load(path)


def test_native_code_is_refused(good, tmp_path):
    path = rewrite(good, tmp_path / "net.pt2", extra={"data/aotinductor/model/code.so": b"\x7fELF"})
    with pytest.raises(ModelFileError, match="compiled native code"):
        load(path)


def test_several_programs_are_refused(good, tmp_path):
    with pytest.raises(ModelFileError, match=r"found models/a\.json, models/model\.json"):
        load(rewrite(good, tmp_path / "net.pt2", extra={"models/a.json": b"{}"}))


def test_argument_names_that_are_no_list(good, tmp_path):
    path = rewrite(good, tmp_path / "net.pt2", {"models/model.json": _with_argument_names})
    with pytest.raises(ModelFileError, match=r"net\.pt2: corrupt: forward_arg_names is 7; expected a list of names"):
        load(path)


def _with_argument_names(data):
    content = json.loads(data)
    for signature in content["graph_module"]["module_call_graph"]:
        if signature.get("signature"):
            signature["signature"]["forward_arg_names"] = 7
    return json.dumps(content).encode()


@pytest.mark.parametrize(("old", "new"), [(b"model.json", b"m\xff\xfeel.json"), (b"PK\x03\x04", b"PK\x03\x05")])
def test_damaged_headers_of_an_archive(good, tmp_path, old, new):
    """A name that is no UTF-8, and records that do not start where the directory says."""
    path = tmp_path / "net.pt2"
    head, data = good.read_bytes()[:4], good.read_bytes()[4:]
    assert old in data
    path.write_bytes(head + data.replace(old, new))
    with pytest.raises(ModelFileError, match=r"net\.pt2: damaged"):
        load(path)


@pytest.mark.parametrize("record", ["models/model.json", "data/weights/model_weights_config.json"])
@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"config": [1]}'])
def test_damaged_descriptions(good, tmp_path, record, content):
    with pytest.raises(ModelFileError, match="corrupt"):
        load(rewrite(good, tmp_path / "net.pt2", {record: lambda _: content}))


def test_older_export_format_is_named(tmp_path):
    path = tmp_path / "net.pt2"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/version", "8.2")
        file.writestr("serialized_exported_program.json", "{}")
        file.writestr("serialized_example_inputs.pt", "")
    with pytest.raises(ModelFileError, match=r"2\.7 or older|corrupt"):
        load(path)


class Writes(nn.Module):
    def __init__(self, path: str):
        super().__init__()
        self.path = path

    def forward(self, x):
        torch.save(x, self.path)
        return x


def test_torchscript_that_writes_files_is_refused(tmp_path, mark):
    path = tmp_path / "net.ts"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(Writes(str(mark))).save(str(path))
    with pytest.raises(ModelFileError, match="accesses files"):
        load(path)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"<!DOCTYPE html><html>404", "not a model file"),
        (b"\x08\x07onnx", "not a model file"),
        (b"PK\x03\x04 and then nothing", "corrupt"),
    ],
)
def test_foreign_files(tmp_path, content, match):
    path = tmp_path / "net.pt2"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=match):
        load(path)


def test_folder_instead_of_a_file(tmp_path):
    with pytest.raises(ModelFileError, match="cannot be read: Is a directory"):
        inspect_archive(tmp_path)


def test_other_zip_file(tmp_path):
    path = tmp_path / "net.pt2"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("net/version", "3")
        file.writestr("net/readme.txt", "hello")
    with pytest.raises(ModelFileError, match="holds no model"):
        load(path)


def test_weights_alone(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "net.safetensors"
    save_file({"a": torch.zeros(2)}, str(path))
    with pytest.raises(ModelFileError, match="weights without a network"):
        load(path)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.999])
def test_truncated_files(good, tmp_path, share):
    path = tmp_path / "net.pt2"
    data = good.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelFileError, match="corrupt"):
        load(path)
