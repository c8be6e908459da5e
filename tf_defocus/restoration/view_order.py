"""Whether a left and a right dual-pixel view seem to be exchanged.

By this project's convention a surface behind focus has a negative disparity x_left -
x_right, one in front of focus a positive one. Exchanging the views changes the sign of
every disparity, so what was behind seems in front.

What can be told from one photograph: the two views of a scene blurred behind focus,
exchanged, are those of another scene blurred as much in front of focus. The signs alone
never tell the two apart; what does is that photographs are mostly blurred behind what
they are focused on. So the answer is a wager on the photographer, right for most
photographs, wrong for those with a defocused foreground and little behind, and silent
for those in focus. Over a set of photographs the wager becomes near certain; see
`tools/reproduce/view_order.py` for how often it is won.
"""

import dataclasses
import warnings

import cv2
import numpy as np

from tf_defocus.images import levels

LONG_SIDE = 840  # [px] to which larger photographs are reduced for matching
LARGEST_SHIFT = 9  # [px] searched in the reduced photograph
WINDOW = 33  # [px], side of what is matched
STEP = 16  # [px] between windows
NOTICEABLE = 0.4  # [px], disparities below count as in focus
TEXTURE = 1e-4  # variance of brightness that a window needs to be matched
MATCHED = 0.25  # of the variance may remain as difference
CLEAR_SHARE = 0.15  # of the windows by which one sign must outweigh the other
VERDICTS = ("as expected", "exchanged", "unknown")


class ExchangedViewsWarning(UserWarning):
    """The left and the right view seem to be exchanged."""


@dataclasses.dataclass(frozen=True)
class ViewOrder:
    """What the disparities of two views say about their order.

    Attributes:
        behind, in_front: float, shares of the matched windows with a disparity clearly
            below and above zero.
        median: float, of the disparities [px of the photograph]; NaN if none matched.
        windows: int, how many could be matched.
    """

    behind: float
    in_front: float
    median: float
    windows: int

    @property
    def verdict(self):
        """One of `VERDICTS`: exchanged if far more seems in front than behind."""
        excess = self.in_front - self.behind
        if not self.windows or abs(excess) < CLEAR_SHARE:
            return "unknown"
        return "exchanged" if excess > 0 else "as expected"

    def describe(self):
        """One line for a reader of warnings and reports."""
        shares = (
            f"{100 * self.in_front:.0f} % of the picture seems in front of focus, "
            f"{100 * self.behind:.0f} % behind"
        )
        if self.verdict == "exchanged":
            return (
                f"left and right may be exchanged: {shares}. Exchange them, unless the "
                "foreground is what is out of focus"
            )
        if self.verdict == "unknown":
            return f"the order of left and right cannot be told: {shares}"
        return f"left and right are in the expected order: {shares}"


def check_view_order(left, right, warn=True):
    """Measures disparities and tells what they say about the order of the views.

    Args:
        left, right: (height, width, 3) uint8, uint16 or float32 in [0, 1].
        warn: bool, whether exchanged views are warned of.

    Returns:
        `ViewOrder`.

    Warns:
        ExchangedViewsWarning: if the verdict is "exchanged".

    Raises:
        ValueError: if the views differ in shape or dtype, or are no images.
    """
    disparities = window_disparities(left, right)
    count = len(disparities)
    order = ViewOrder(
        behind=float(np.mean(disparities < -NOTICEABLE)) if count else 0.0,
        in_front=float(np.mean(disparities > NOTICEABLE)) if count else 0.0,
        median=float(np.median(disparities)) / _reduction(left) if count else np.nan,
        windows=count,
    )
    if warn and order.verdict == "exchanged":
        warnings.warn(order.describe(), ExchangedViewsWarning, stacklevel=2)
    return order


def window_disparities(left, right):
    """Disparities of windows all over the photograph, by sums of squared differences.

        d = argmin_d of the variance of left(x) - right(x - d) over the window

    refined by the parabola through the three best. Windows without texture, without a
    match, or whose best shift is the largest, are left out.

    Args:
        left, right: as `check_view_order`.

    Returns:
        (windows,) float64 [px of the photograph reduced to a long side of 840 px].

    Raises:
        ValueError: as `check_view_order`.
    """
    if left.shape != right.shape or left.dtype != right.dtype or left.ndim != 3:
        raise ValueError(
            "Views must be alike, (height, width, 3). Received: "
            f"left {left.shape} {left.dtype}, right {right.shape} {right.dtype}"
        )
    left, right = (_brightness(view) for view in (left, right))
    if min(left.shape) < WINDOW + 2 * LARGEST_SHIFT:
        return np.zeros(0)
    shifts = np.arange(-LARGEST_SHIFT, LARGEST_SHIFT + 1)
    costs = np.stack([_variance(left - np.roll(right, d, axis=1)) for d in shifts])
    texture = np.minimum(_variance(left), _variance(right))
    margin = WINDOW // 2 + LARGEST_SHIFT  # where no rolled column is seen
    grid = np.s_[..., margin:-margin:STEP, margin:-margin:STEP]
    costs, texture = costs[grid].reshape(len(shifts), -1), texture[grid].ravel()
    best = np.argmin(costs, axis=0)
    smallest = costs.min(axis=0)
    inner = np.clip(best, 1, len(shifts) - 2)
    columns = np.arange(costs.shape[1])
    before, here, after = (costs[inner + k, columns] for k in (-1, 0, 1))
    curvature = np.maximum(before - 2 * here + after, 1e-12)
    refined = shifts[inner] + 0.5 * (before - after) / curvature
    good = (best == inner) & (texture > TEXTURE) & (smallest < MATCHED * texture)
    return refined[good]


def _reduction(view):
    return min(1.0, LONG_SIDE / max(view.shape[:2]))


def _brightness(view):
    """(height, width) float32 in [0, 1], reduced to the long side for matching."""
    full = np.float32(levels.full_scale(view.dtype))
    brightness = view.mean(axis=-1, dtype=np.float32) / full
    scale = _reduction(view)
    if scale == 1:
        return brightness
    size = [max(1, round(scale * side)) for side in brightness.shape[::-1]]
    return cv2.resize(brightness, size, interpolation=cv2.INTER_AREA)


def _variance(image):
    """Of the window around every pixel."""
    mean, square = (
        cv2.boxFilter(v, cv2.CV_64F, (WINDOW, WINDOW)) for v in (image, image * image)
    )
    return square - mean * mean
