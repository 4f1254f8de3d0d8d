"""Names that nothing has are refused with the nearest ones."""

from trust_seg_ros.support.nearest import did_you_mean, unknown

SCORES = ("entropy", "margin", "energy")


def test_the_nearest_names_are_proposed() -> None:
    assert unknown("score", "enrgy", SCORES) == (
        "no score 'enrgy'; choose one of: entropy, margin, energy; did you mean energy or entropy?"
    )
    assert did_you_mean("gradient", ("gradient_onehot", "gradient_uniform")) == (
        "; did you mean gradient_onehot or gradient_uniform?"
    )


def test_nothing_is_proposed_for_what_is_near_to_no_name() -> None:
    assert unknown("score", "xyz", SCORES) == "no score 'xyz'; choose one of: entropy, margin, energy"
    assert unknown("score", 3, iter(SCORES)) == "no score 3; choose one of: entropy, margin, energy"
