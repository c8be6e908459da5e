"""What random scenes, and the camera that takes them, are drawn from."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class SceneRanges:
    """Probabilities, and pairs that are the ends of a uniform law.

    A probability of 0 (and `reduction=None`) draws no random number: the examples are
    then, bit for bit, those from before the field was there.

    Attributes:
        max_coc: pair [px], the largest circle diameter of a scene.
        max_coc_law: "uniform" or "log_uniform".
        small_blur: probability that it is drawn from `small_coc` instead.
        small_coc: pair [px], uniform.
        all_in_focus: probability of a scene that is sharp everywhere.
        fully_blurred: probability of a scene that is sharp nowhere.
        in_front: probability of surfaces in front of the focal plane.
        min_in_focus: fraction of the pixels that the other scenes keep sharp.
        pristine: probability of a depth of field: circles shrink by 1 px, so that
            what is in focus is exactly sharp.
        num_objects: pair of ints, objects besides the subject, both ends included.
        subject_slope: float [px], largest change of the circle over the subject.
        object_slope: float, the same over the other objects, as a part of the scene's
            largest circle.
        smooth_outline, thin_structure: probabilities of such outlines where no label
            map gives one; else bars, ellipses, polygons and letters.
        procedural: probability of a procedural texture in place of a photograph.
        reduction: pair, how much a photograph of more than 2 megapixels is reduced
            (log-uniform); None: photographs are as small as those of BSDS500.
        small_reduction: pair, the same of smaller photographs.
        shift_ratio: pair, distance of the views' centroids over the diameter.
        exposure: pair, linear gain.
        highlights: probability that bright points shine brighter.
        highlight_gain: pair, how much.
        noise: probability of sensor noise.
        shot: pair, variance per linear signal of the photograph (log-uniform).
        view_gain: pair, brightness of the left view over the right.
        view_shading: float, largest opposite shading of the views at the edges.
        sharpening: probability that the camera sharpens, what it takes and the sharp
            image alike.
        sharpening_amount: pair, of the unsharp mask.
        jpeg: probability that the views are JPEG files.
        jpeg_quality: pair of ints, both ends included.
    """

    max_coc: tuple[float, float] = (2.0, 26.0)
    max_coc_law: str = "uniform"
    small_blur: float = 0.0
    small_coc: tuple[float, float] = (0.5, 4.0)
    all_in_focus: float = 0.1
    fully_blurred: float = 0.25
    in_front: float = 0.25
    min_in_focus: float = 0.2
    pristine: float = 0.0
    num_objects: tuple[int, int] = (0, 3)
    subject_slope: float = 1.0
    object_slope: float = 0.1
    smooth_outline: float = 0.0
    thin_structure: float = 0.0
    procedural: float = 0.0
    reduction: tuple[float, float] | None = None
    small_reduction: tuple[float, float] = (1.0, 2.0)
    shift_ratio: tuple[float, float] = (0.14, 0.29)
    exposure: tuple[float, float] = (0.5, 1.1)
    highlights: float = 0.3
    highlight_gain: tuple[float, float] = (1.0, 8.0)
    noise: float = 0.75
    shot: tuple[float, float] = (1e-5, 3e-3)
    view_gain: tuple[float, float] = (0.98, 1.02)
    view_shading: float = 0.03
    sharpening: float = 0.0
    sharpening_amount: tuple[float, float] = (0.1, 0.8)
    jpeg: float = 0.0
    jpeg_quality: tuple[int, int] = (75, 97)


DEFAULT = SceneRanges()
# Large photographs, and a camera that does more to its files.
WIDE = SceneRanges(
    max_coc=(4.0, 40.0),
    max_coc_law="log_uniform",
    small_blur=0.2,
    all_in_focus=0.12,
    fully_blurred=0.22,
    pristine=0.5,
    subject_slope=2.0,
    object_slope=0.4,
    smooth_outline=0.45,
    thin_structure=0.2,
    procedural=0.1,
    reduction=(2.0, 6.0),
    exposure=(0.35, 1.5),
    highlight_gain=(1.0, 20.0),
    noise=0.6,
    shot=(3e-6, 6e-3),
    sharpening=0.4,
    jpeg=0.3,
)
