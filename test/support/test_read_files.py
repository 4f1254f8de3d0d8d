"""The door for files of others, and YAML within limits."""

import sys
import time

import pytest

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.support.reading import cut, lfs_pointer, read_json_file, reading, reason, shown
from trust_seg_ros.support.yaml_text import load_documents, read_yaml, yaml11, yaml12

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4" * 64 + b"\nsize 12345\n"


class OursError(TrustSegError):
    pass


def bomb(levels):
    """YAML of a few hundred bytes that stands for 9 ** levels values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)]
    return "\n".join(lines)


REFUSED = {
    "bomb": (bomb(9), "aliases repeat more than 10,000 values"),
    "date that is none": ("a: 2026-13-45", "'2026-13-45' on line 1 has no value"),
    "huge integer": ("a: " + "9" * 5000, "has no value (too many digits)"),
    "nested": ("a: " + "[" * 3000 + "]" * 3000, "more than 64 mappings and lists within each other on line 1"),
    "itself": ("a: &s\n  b: *s", "*s on line 2 stands for no value before it"),
    "twice": ("a: 1\nb: 2\na: 3", "the key 'a' is given twice, the second time on line 3"),
    "twice below": ("c:\n- {a: 1, b: 2, a: 3}", "the key 'a' is given twice, the second time on line 2"),
    "many": ("[" + "," .join("1" * 100_001) + "]", "more than 100,000 values"),
    "program": ("!!python/object/apply:os.system [ls]", "is not known"),
    "two": ("a: 1\n---\nb: 1", "it holds 2 documents"),
    "merged": ("a: {<<: {b: 1}}", "'<<' on line 1 has no value"),
    "list as key": ("[a]: 1", "is a key on line 1"),
    "open": ("a: [1, 2", "expected ',' or ']'"),
    "control": ("a: \x01", "control characters are not allowed"),
    "tag": ("a: !!timestamp x", "'x' on line 1 has no value"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_yaml_beyond_reason_is_refused_at_once_and_shortly(tmp_path, name):
    text, words = REFUSED[name]
    path = tmp_path / "file.yaml"
    path.write_text(text, "utf-8")
    started = time.monotonic()
    with pytest.raises(OursError) as caught:
        read_yaml(path, "YAML file", OursError)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(path))
    assert time.monotonic() - started < 5


def test_yaml_has_the_values_of_its_version():
    text = "{a: yes, b: 017, c: [~, 1.5, x], d: &x {e: 1}, f: *x, 3: '5'}"
    old, new = (load_documents(text, schema)[0] for schema in (yaml11(), yaml12()))
    assert old == {"a": True, "b": 15, "c": [None, 1.5, "x"], "d": {"e": 1}, "f": {"e": 1}, 3: "5"}
    assert new == {**old, "a": "yes", "b": 17}
    assert load_documents("", yaml11()) == []


def test_a_file_of_another_encoding_or_none_is_named(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_bytes(b"a: \xff")
    with pytest.raises(OursError, match="not a readable YAML file"):
        read_yaml(path, "YAML file", OursError)
    with pytest.raises(OursError, match="no such YAML file"):
        read_yaml(tmp_path / "none.yaml", "YAML file", OursError)
    with pytest.raises(OursError, match="Is a directory"):
        read_yaml(tmp_path, "YAML file", OursError)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RecursionError("maximum recursion depth exceeded"), "it is nested too deeply"),
        (MemoryError(), "it needs more memory than there is"),
        (UnicodeDecodeError("utf-8", b"a\xff", 1, 2, "invalid start byte"), "it is no utf-8 text: invalid start byte"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (KeyError(), "KeyError"),
        (RuntimeError("x" * 5000 + " the reason"), "the reason"),
    ],
)
def test_every_exception_becomes_ours(tmp_path, error, words):
    with pytest.raises(OursError, match=words) as caught, reading(tmp_path / "f", "thing", OursError):
        raise error
    assert caught.value.__cause__ is error
    assert len(str(caught.value)) < 400 + len(str(tmp_path))
    assert words in reason(error)


def test_errors_of_this_package_pass_the_door_unchanged(tmp_path):
    error = TrustSegError("mine")
    with pytest.raises(TrustSegError) as caught, reading(tmp_path, "thing", OursError):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ', "\udc80", "9" * 5000, ""])
def test_json_of_every_kind_is_ours(tmp_path, text):
    path = tmp_path / "file.json"
    path.write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(OursError, match="not a readable JSON file"):
        read_json_file(path, "JSON file", OursError)


def test_a_git_lfs_pointer_is_named(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(POINTER)
    for source in (path, POINTER):
        assert "Git LFS pointer" in lfs_pointer(source)
        assert "git lfs pull" in lfs_pointer(source)
    for read, what in ((read_yaml, "YAML file"), (read_json_file, "JSON file")):
        with pytest.raises(OursError, match="Git LFS pointer"):
            read(path, what, OursError)
    for other in (b"", b"version 1", POINTER + b"x" * 1024, tmp_path, tmp_path / "none"):
        assert lfs_pointer(other) == ""


def test_values_are_shown_shortly_whatever_they_are():
    loop = []
    loop.append(loop)
    for value in (list(range(10**6)), "x" * 10**6, 1 << 100_000, loop, {i: [i] * 99 for i in range(999)}):
        assert len(shown(value)) <= 100
    assert shown({"a": [1, "b"]}) == "{'a': [1, 'b']}"
    assert cut("a\n  b") == "a b"
    text = cut("begin " + "x" * sys.getrecursionlimit() + " end", 50)
    assert (text[:5], text[-3:], len(text)) == ("begin", "end", 49)
