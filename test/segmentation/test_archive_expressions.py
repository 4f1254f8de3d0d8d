"""Shape expressions of .pt2 files: only plain arithmetic is let through, since torch evaluates them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.segmentation.archive import is_plain_expression


@pytest.mark.parametrize(
    "text",
    [
        "Integer(3)",
        "Mul(Integer(32), Symbol('s0', positive=True, integer=True))",
        "2*s0 + 1",
        "Max(1, s0)",
        "s0 >= 2",
        "-1",
        "True",
    ],
)
def test_plain_expressions(text):
    assert is_plain_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "f('x')",
        "Symbol('a b')",
        "Symbol('__x')()",
        "Add('1')",
        "a.b",
        "[1]",
        "lambda: 1",
        "x if y else z",
        "__import__",
        "1;2",
        "",
        "Symbol(name='x')",
        "S(s0, 'x')",
        "f'{x}'",
        "{}",
        "a and b",
        "(yield)",
        None,
    ],
)
def test_other_expressions(text):
    assert not is_plain_expression(text)


@given(st.text())
def test_any_text_is_judged(text):
    assert is_plain_expression(text) in (True, False)
