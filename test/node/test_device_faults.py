"""What the worker makes of errors of a GPU: memory is given back once for several in a row, a lost device told once."""

import weakref

import torch

from trust_seg_ros.node.device_faults import DeviceFaults


def failed(text="CUDA out of memory"):
    """The error of a frame, and what that frame held."""
    held = []

    def frame():
        tensor = torch.zeros(4)
        held.append(weakref.ref(tensor))
        raise torch.OutOfMemoryError(text)

    try:
        frame()
    except torch.OutOfMemoryError as error:
        return error, held[0]


def test_memory_is_given_back_at_the_first_of_several_in_a_row():
    said = []
    faults = DeviceFaults(said.append)
    for expected_gone in (True, False, False):
        error, held = failed()
        assert faults.described(error).startswith("out of memory: CUDA out of memory; expected room")
        assert (held() is None) == expected_gone
    faults.ended_well()
    error, held = failed()
    faults.described(error)
    assert held() is None
    assert faults.described(ValueError("another matter")) == ""
    assert not said
    assert not faults.lost


def test_a_lost_device_is_told_once_and_stays_lost():
    said = []
    faults = DeviceFaults(said.append)
    first = faults.described(RuntimeError("CUDA error: unspecified launch failure"))
    faults.described(RuntimeError("CUDA error: device-side assert triggered"))
    faults.ended_well()
    assert said == [first] == [faults.lost]
    assert "unspecified launch failure" in first
