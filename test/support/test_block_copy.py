"""Several tensors in one block of memory."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.support.block_copy import to_host

TYPES = st.sampled_from([torch.uint8, torch.bool, torch.int32, torch.int64, torch.float32, torch.float64])


@given(st.lists(st.tuples(TYPES, st.lists(st.integers(0, 5), max_size=3)), max_size=6), st.integers(0, 2**31))
def test_all_come_over_unchanged_in_one_block(wanted, seed):
    generator = torch.Generator().manual_seed(seed)
    parts = {str(i): torch.randint(0, 2, shape, generator=generator).to(kind) for i, (kind, shape) in enumerate(wanted)}
    found = to_host(parts)
    assert list(found) == list(parts)
    for name, part in parts.items():
        assert found[name].dtype == part.dtype
        assert torch.equal(found[name], part)
    assert len({part.untyped_storage().data_ptr() for part in found.values()}) <= 1


def test_strided_parts_come_over_dense():
    plane = torch.arange(24).reshape(4, 6)
    found = to_host({"columns": plane[:, ::2], "turned": plane.T})
    assert found["columns"].is_contiguous()
    assert torch.equal(found["columns"], plane[:, ::2])
    assert torch.equal(found["turned"], plane.T)


def test_the_copies_do_not_change_with_their_originals():
    plane = torch.zeros(3)
    found = to_host({"plane": plane})
    plane += 1
    assert found["plane"].tolist() == [0, 0, 0]
