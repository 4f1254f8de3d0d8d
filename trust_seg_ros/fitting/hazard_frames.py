"""Images with the truth of their ground: of labelled data sets with a geometry, and of the synthetic drive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.folders import LabelledFolder
from trust_seg_ros.datasets.geometry import IGNORE, Geometry
from trust_seg_ros.fitting.hazard_truth import PixelRays, TruePoints, feet_by_depth, feet_by_plane
from trust_seg_ros.ground.hazard_bound import DRIVE
from trust_seg_ros.ground.placing import Pose
from trust_seg_ros.ground.roles import IGNORED, ClassRoles
from trust_seg_ros.ground.view import GroundView
from trust_seg_ros.support.natural_order import natural_key
from trust_seg_ros.synthetic import UNKNOWN_KINDS, DriveSettings, SyntheticDrive
from trust_seg_ros.synthetic.ground_settings import GroundSettings
from trust_seg_ros.synthetic.settings import CLASS_NAMES
from trust_seg_ros.synthetic.words import drive_words
from trust_seg_ros.types import UNLABELLED, Frame

FORM = (
    "synthetic:seeds=FIRST-LAST[:lens=pinhole|fisheye][:fov=60][:height=1.4][:pitch=3][:slope=0.05][:hz=10][:seconds=2]"
    "[:rate=2][:size=480x360]"
)
_USUAL = {"fov": 60.0, "height": 1.4, "pitch": 3.0, "slope": 0.05, "hz": 10.0, "seconds": 2.0, "rate": 2.0}
_START_NS = 1_000_000_000


@dataclass(frozen=True, eq=False)
class TrueFrame:
    """One image, and where things stand on its ground.

    Attributes:
        unit: what it counts for: the name of its drive, or of the image.
        begins: whether it is the first of its unit, so that nothing is remembered.
        frame: image and stamp.
        view: the camera over the ground.
        base_in_fixed: the vehicle in a frame that does not move with it; None = not known.
        feet: true feet, at any range.
    """

    unit: str
    begins: bool
    frame: Frame
    view: GroundView
    base_in_fixed: Pose | None
    feet: TruePoints


@dataclass(frozen=True)
class DrawnDrives:
    """Synthetic drives as a source of frames.

    Attributes:
        settings: of each drive; ``ground`` is set.
        seconds: length of each.
        unit: what is independent of each other.
    """

    settings: tuple[DriveSettings, ...]
    seconds: float
    unit: str = DRIVE

    @property
    def frames(self) -> int:
        """Number of frames."""
        return sum(max(1, round(self.seconds * one.fps)) for one in self.settings)

    def __iter__(self) -> Iterator[tuple[DriveSettings, int]]:
        for one in self.settings:
            for k in range(max(1, round(self.seconds * one.fps))):
                yield one, k


def drawn_drives(text: str) -> DrawnDrives:
    """Drives by a text of ``FORM``: 2 s at 10 Hz each, with slopes to 5 % and a swaying body.

    Raises:
        DatasetError: another form.
        SyntheticDriveError: a value is out of range.
    """
    said = drive_words(text, _USUAL, ("lens",), FORM, DatasetError)
    n, lens = said.numbers, said.texts.get("lens", "pinhole")
    settings = DriveSettings(
        said.size,
        fps=n["hz"],
        unknowns=UNKNOWN_KINDS,
        unknown_rate=n["rate"],
        ground=GroundSettings(lens, n["fov"], n["height"], pitch_deg=n["pitch"], slope=n["slope"], sway=True),
    )
    return DrawnDrives(tuple(replace(settings, seed=seed) for seed in said.seeds), n["seconds"])


def drawn_frames(drives: DrawnDrives, names: Sequence[str], roles: ClassRoles) -> Iterator[TrueFrame]:
    """The frames of synthetic drives, over their true plane.

    Args:
        drives: the drives.
        names: classes of the network, which must be those of the drive.
        roles: of these classes.

    Raises:
        DatasetError: other classes.
    """
    if tuple(names) != CLASS_NAMES:
        raise DatasetError(
            f"the synthetic drive has the classes {', '.join(CLASS_NAMES)}; the network has {', '.join(names)}: "
            "expected a network of the drive's classes, or a labelled data set of yours with its geometry"
        )
    drive, rays = None, None
    for settings, k in drives:
        if k == 0 or drive is None or rays is None:
            drive = SyntheticDrive(settings)
        frame = drive.frame(k)
        ground = frame.ground
        assert ground is not None
        if k == 0 or rays is None:
            rays = PixelRays(ground.camera)
        feet = feet_by_depth(roles.table[frame.labels], ground.depth, rays, ground.pose)
        view = GroundView(ground.camera, ground.pose, ground.plane)
        stamp = _START_NS + round(k * 1e9 / settings.fps)
        yield TrueFrame(f"seed {settings.seed}", k == 0, Frame(frame.image, stamp), view, ground.base_in_fixed, feet)


def folder_frames(folder: LabelledFolder, geometry: Geometry, roles: ClassRoles) -> Iterator[TrueFrame]:
    """The images of a labelled data set, drive by drive in the order of their names.

    Args:
        folder: labelled with the classes of the network.
        geometry: where its camera stood.
        roles: of these classes.

    Raises:
        DatasetError: a file cannot be read, or depth or pose of an image are missing.
        GroundError: the images are not of this camera, or it sees no ground.
    """
    table = roles.table.copy()
    if geometry.unlabelled == IGNORE:
        table[UNLABELLED] = IGNORED
    samples = sorted(folder, key=lambda sample: (natural_key(sample.drive), natural_key(sample.name)))
    rays: PixelRays | None = None
    view, unit, k = None, None, 0
    for sample in samples:
        image, labels = folder.read(sample)
        size = labels.shape
        name = sample.drive if geometry.unit == DRIVE else sample.name
        k = k + 1 if name == unit else 0
        if view is None or rays is None or view.camera.size != size:
            view = GroundView(geometry.model(size), geometry.pose, geometry.plane)
            rays = PixelRays(view.camera)
        depth, role = geometry.depth_of(sample.name, size), table[labels]
        feet = feet_by_plane(role, view) if depth is None else feet_by_depth(role, depth, rays, geometry.pose)
        frame = Frame(image, _START_NS + round(k * 1e9 / geometry.hz))
        yield TrueFrame(name, name != unit, frame, view, geometry.pose_of(sample.name), feet)
        unit = name
