"""Digests in the files of compiled kernels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.support.jit_files import packed, unpacked


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kernels")


@given(content=st.binary(max_size=200))
def test_content_comes_back(folder, content):
    (folder / "a.nbc").write_bytes(packed("a.nbc", content))
    assert unpacked(folder / "a.nbc") == content


@given(content=st.binary(min_size=1, max_size=200), data=st.data())
def test_any_flipped_bit_is_noticed(folder, content, data):
    whole = bytearray(packed("a.nbc", content))
    place = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[place // 8] ^= 1 << place % 8
    (folder / "a.nbc").write_bytes(whole)
    assert unpacked(folder / "a.nbc") is None


@given(content=st.binary(max_size=200), data=st.data())
def test_any_missing_end_is_noticed(folder, content, data):
    whole = packed("a.nbc", content)
    (folder / "a.nbc").write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert unpacked(folder / "a.nbc") is None


def test_the_file_of_another_kernel_is_noticed(folder):
    (folder / "b.nbc").write_bytes(packed("a.nbc", b"code"))
    assert unpacked(folder / "b.nbc") is None
