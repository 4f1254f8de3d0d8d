"""The pipeline as users call it: it takes whatever shows a street, and its results speak."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, overload

import numpy as np

from trust_seg_ros import pipeline, types
from trust_seg_ros.library.errors import InputError, SettingNameError
from trust_seg_ros.library.inputs import Named, is_recording, many, one
from trust_seg_ros.library.result import TrustFrame
from trust_seg_ros.pipeline import PipelineSettings
from trust_seg_ros.support.nearest import unknown
from trust_seg_ros.thresholds import ThresholdSettings

_SETTINGS = tuple(field.name for field in dataclasses.fields(PipelineSettings))
_THRESHOLDS = frozenset(field.name for field in dataclasses.fields(ThresholdSettings))


class TrustPipeline(pipeline.TrustPipeline):
    """Network, maps, segments, meta models and thresholds in order. One caller at a time.

    Example:
        >>> from trust_seg_ros import TrustPipeline
        >>> pipeline = TrustPipeline.load("embedded")
        >>> result = pipeline("street.png")
        >>> result.segments.unreliable()
        >>> result.plot().save("trust.png")
    """

    @classmethod
    def load(  # type: ignore[override]  # takes the base's settings, and more
        cls, model: str | Path | PipelineSettings = "embedded", **settings: Any
    ) -> TrustPipeline:
        """Load a network with its meta models and calibration; may take seconds.

        Args:
            model: "embedded" (the network that the package brings), "hf:organisation/name" or a folder (Hugging Face),
                the path of a .pt2 or TorchScript file, "package.module:callable", or complete settings.
            **settings: fields of :class:`~trust_seg_ros.PipelineSettings`: ``device="cuda:0"``,
                ``labels="labels.yaml"``, ``meta_model="meta.json"``, ``grid="image"``, …

        Raises:
            SettingNameError: there is no such setting; the text names the nearest.
            InputError: the model is neither a name nor a path.
            TrustSegError: a file is missing, corrupt, or does not fit the rest.
        """
        _check_names(settings)
        if isinstance(model, PipelineSettings):
            chosen = dataclasses.replace(model, **settings)
        elif isinstance(model, (str, Path)):
            chosen = PipelineSettings(**{"model": str(model), **settings})
        else:
            raise InputError(
                f"the model is {type(model).__name__}; expected a name, a path or PipelineSettings. A network that is "
                "in memory needs no loading: TrustPipeline(network, meta)"
            )
        loaded = super().load(chosen)
        assert isinstance(loaded, cls)
        return loaded

    @overload
    def __call__(
        self,
        given: types.Frame | np.ndarray,
        thresholds: ThresholdSettings | None = None,
        wanted: types.Wanted | None = None,
    ) -> TrustFrame: ...

    @overload
    def __call__(
        self, given: list[Any], thresholds: ThresholdSettings | None = None, wanted: types.Wanted | None = None
    ) -> list[TrustFrame]: ...

    @overload
    def __call__(
        self, given: Any, thresholds: ThresholdSettings | None = None, wanted: types.Wanted | None = None
    ) -> Any:
        # one result for an image, an iterator for a recording: only the file knows
        ...

    def __call__(
        self, given: Any, thresholds: ThresholdSettings | None = None, wanted: types.Wanted | None = None
    ) -> TrustFrame | list[TrustFrame] | Iterator[TrustFrame]:
        """Judge an image, or everything in a recording.

        Args:
            given: one image: the path of its file, a PIL image, an array (H, W, 3) of uint8 in the order red, green,
                blue ((H, W) grey and (H, W, 4) with alpha are taken, too), or a :class:`~trust_seg_ros.Frame`.
                Many: a list of images; the path of a folder, a video or a bag; "synthetic"; the number of a camera;
                what ``trust_seg_ros.open_source`` returns, for topic, start and duration; an iterator over images.
            thresholds: constants or policies; None = the defaults.
            wanted: the parts to compute; None = all.

        Returns:
            A :class:`TrustFrame` for one image, a list of them for a list or tuple; for everything else an iterator,
            which judges a frame when it is asked for the next. A recording or camera begins as after
            :meth:`start_anew`.

        Raises:
            InputError: something else was given; the text says what is taken.
            SourceError: a recording is missing, or cannot be opened.
            UncertaintyError: the network cannot give a score that a threshold is set on.
            PolicyRefusedError: a policy lacks the calibration it needs.
        """
        alone = one(given)
        if alone is not None:
            return self._judged(alone, thresholds, wanted)
        results = self._each(many(given), thresholds, wanted, anew=is_recording(given))
        return list(results) if isinstance(given, (list, tuple)) else results

    def _each(
        self,
        frames: Iterator[Named],
        thresholds: ThresholdSettings | None,
        wanted: types.Wanted | None,
        anew: bool,
    ) -> Iterator[TrustFrame]:
        if anew:
            self.start_anew()
        for frame in frames:
            yield self._judged(frame, thresholds, wanted)

    def _judged(self, given: Named, thresholds: ThresholdSettings | None, wanted: types.Wanted | None) -> TrustFrame:
        result = super().__call__(given.frame, thresholds, wanted)
        return TrustFrame.speaking(result, self.labels, given.name)

    def __repr__(self) -> str:
        judged = "no meta model" if self.meta is None else "its meta model"
        return f"TrustPipeline({self.network.name!r}, {len(self.labels)} classes of {self.labels.name!r}, {judged})"


def _check_names(settings: dict[str, Any]) -> None:
    for name in settings:
        if name in _SETTINGS:
            continue
        if name in _THRESHOLDS or name in ("thresholds", "threshold"):
            raise SettingNameError(
                f"{name!r} is chosen with each call, not when the network is loaded: "
                "pipeline(image, ThresholdSettings.constants(unreliable=0.3)); docs/library.md"
            )
        raise SettingNameError(unknown("setting", name, _SETTINGS))
