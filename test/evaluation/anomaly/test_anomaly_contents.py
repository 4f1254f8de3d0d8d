"""What the benchmark says of its results in words."""

from types import SimpleNamespace

from trust_seg_ros.evaluation.anomaly.contents import errors, worse_than_nothing


def result(score, objects, before, after=None):
    """A result with so many false positives and negatives."""

    def segments(counts):
        return SimpleNamespace(false_positives=counts[0], false_negatives=counts[1], errors=sum(counts))

    meta = None if after is None else SimpleNamespace(segments=segments(after))
    cut = SimpleNamespace(data=[0] * 100)
    return SimpleNamespace(
        score=score, threshold=0.7, actual=objects, plain=segments(before), meta=meta, cut=cut, fewest=None
    )


def test_more_errors_than_objects_are_worse_than_finding_nothing_and_it_is_said():
    results = [
        result("entropy", 17, (160, 2), (20, 6)),  # 84 % fewer errors, and yet more than 17
        result("energy", 17, (160, 2), (10, 7)),  # as many as there are objects
        result("margin", 17, (18, 0)),
    ]
    rows = [dict(zip([c.title for c in errors(results).columns], row, strict=True)) for row in errors(results).rows]
    assert [row["verdict"] for row in rows] == ["worse than finding nothing", "", "worse than finding nothing"]
    assert worse_than_nothing(results) == [
        "entropy at 0.7: 26 segment errors on 17 objects are worse than finding nothing, which makes 17",
        "margin at 0.7: 18 segment errors on 17 objects are worse than finding nothing, which makes 17",
    ]
