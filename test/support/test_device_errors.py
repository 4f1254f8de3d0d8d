import gc
import weakref

import pytest
import torch

from trust_seg_ros.segmentation.errors import ModelError
from trust_seg_ros.support.device_errors import LOST, OUT_OF_MEMORY, classify, described, release

ADVICE = "\nCUDA kernel errors might be asynchronously reported at some other API call."


def wrapped(error):
    try:
        raise error
    except type(error) as inner:
        raise ModelError("network 'x' failed") from inner


def another_meanwhile(error):
    try:
        raise error
    except type(error):
        raise ModelError("while cleaning up")  # noqa: B904 - the context is meant


def another_matter(error):
    try:
        raise error
    except type(error):
        raise ModelError("a new matter") from None


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), OUT_OF_MEMORY),
        (torch.cuda.OutOfMemoryError("anything"), OUT_OF_MEMORY),
        (torch.AcceleratorError("CUDA error: out of memory" + ADVICE), OUT_OF_MEMORY),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), OUT_OF_MEMORY),
        (RuntimeError("CUDA failure 2: out of memory ; GPU=0 ; hostname=car"), OUT_OF_MEMORY),
        (torch.AcceleratorError("CUDA error: an illegal memory access was encountered" + ADVICE), LOST),
        (RuntimeError("CUDA error: device-side assert triggered" + ADVICE), LOST),
        (RuntimeError("CUDA error: unspecified launch failure"), LOST),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), LOST),
        (RuntimeError("CUDA error: CUDA-capable device(s) is/are busy or unavailable"), LOST),
        (RuntimeError("CUDA error: no CUDA-capable device is detected"), LOST),
        (RuntimeError("CUDA error: the launch timed out and was terminated"), LOST),
        (RuntimeError("CUDA error: misaligned address"), LOST),
        (RuntimeError("CUDA error: unknown error"), LOST),
        (RuntimeError("CUDA failure 700: an illegal memory access was encountered ; GPU=0"), LOST),
        (RuntimeError("out of sorts"), ""),
        (MemoryError("out of memory"), ""),
        (RuntimeError("CUDA error: invalid argument"), ""),
        (RuntimeError("CUDA error: no kernel image is available for execution on the device"), ""),
        (ValueError("an unknown error"), ""),
        (RuntimeError("an illegal memory access was encountered by nobody in particular"), ""),
    ],
)
def test_errors_are_told_by_type_and_text_and_through_what_wraps_them(error, fault):
    assert classify(error) == fault
    for way, expected in ((wrapped, fault), (another_meanwhile, fault), (another_matter, "")):
        with pytest.raises(ModelError) as raised:
            way(error)
        assert classify(raised.value) == expected


def test_lost_outweighs_memory():
    lost = RuntimeError("CUDA error: unspecified launch failure")
    lost.__cause__ = torch.OutOfMemoryError("CUDA out of memory")
    assert classify(lost) == LOST


def test_the_text_names_the_origin_what_was_expected_and_the_way_out():
    outer = ModelError("wrapped: CUDA out of memory")
    outer.__cause__ = torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB " + "x" * 999)
    text = described(outer, OUT_OF_MEMORY)
    assert text.startswith("out of memory: CUDA out of memory. Tried to allocate 2 GiB xxx")
    assert "…; expected room" in text
    assert "model_input.width" in text
    assert len(text) < 600
    assert "restart the process" in described(RuntimeError("CUDA error: unknown error"), LOST)


def test_what_a_failed_frame_held_is_let_go():
    seen = []

    def frame():
        held = torch.zeros(8)
        seen.append(weakref.ref(held))
        raise torch.OutOfMemoryError("CUDA out of memory")

    try:
        frame()
    except RuntimeError as caught:
        error = caught
    gc.collect()
    assert seen[0]() is not None
    release(error)
    assert seen[0]() is None
