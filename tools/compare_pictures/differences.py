"""Measures how much two thumbnails differ, and judges our thumbnail by the thumbnails of the other readers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from PIL import Image, ImageChops, ImageStat

MAX_ERROR = 12.0
"""Maximum difference of a channel (0 to 255). The WebP encoder alone causes differences from 1 to 5."""
_MAX_SIZE_DIFFERENCE = 1
"""In pixels. Readers round the shorter edge in different ways."""
_MIN_VISIBLE = 0.01
"""If less than this part of a picture is visible in both thumbnails, its colours are not compared."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of one reader for one file: a thumbnail or the reason why there is none."""

    picture: Image.Image | None = None
    reason: str = ""
    crashed: bool = False
    """Whether the process died or the time limit ended it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean absolute difference of each channel, from 0 to 255. For thumbnails of different sizes, it is 255."""

    red: float
    green: float
    blue: float
    alpha: float

    @property
    def worst(self) -> float:
        """The difference of the worst channel."""
        return max(self.red, self.green, self.blue, self.alpha)


OTHER_SIZE = Difference(255, 255, 255, 255)


class Verdict(StrEnum):
    """The judgement of our result for one file. The worst comes first."""

    CRASHED = "crash"
    WRONG = "silently wrong"
    DISPUTED = "silently wrong, but all readers differ"
    REFUSED = "refused although all others read it"
    PERHAPS_WRONG = "differs from the only other reader"
    PERHAPS_REFUSED = "refused although one other reads it"
    UNKNOWN = "made, but no other reads it"
    REJECTED = "rejected by all"
    GOOD = "good"


def measure(ours: Image.Image, other: Image.Image) -> Difference:
    """Return the difference of two RGBA pictures.

    Colours of transparent pixels are invisible. So the colours are weighted with the lower alpha of the two pictures.
    """
    if max(abs(a - b) for a, b in zip(ours.size, other.size, strict=True)) > _MAX_SIZE_DIFFERENCE:
        return OTHER_SIZE
    if other.size != ours.size:
        other = other.resize(ours.size)
    weight = ImageChops.darker(ours.getchannel("A"), other.getchannel("A"))
    visible = ImageStat.Stat(weight).mean[0] / 255
    red, green, blue, alpha = ImageChops.difference(ours, other).split()
    if visible < _MIN_VISIBLE:
        return Difference(0, 0, 0, _mean(alpha))
    red, green, blue = (ImageChops.multiply(channel, weight) for channel in (red, green, blue))
    return Difference(_mean(red) / visible, _mean(green) / visible, _mean(blue) / visible, _mean(alpha))


def _mean(channel: Image.Image) -> float:
    return ImageStat.Stat(channel).mean[0]


def compare(ours: Reading, others: Mapping[str, Reading]) -> dict[str, Difference]:
    """Return the difference of our thumbnail from each other thumbnail, by the name of the reader."""
    if ours.picture is None:
        return {}
    return {name: measure(ours.picture, other.picture) for name, other in others.items() if other.picture}


def judge(ours: Reading, others: Mapping[str, Reading], differences: Mapping[str, Difference]) -> Verdict:
    """Return the verdict. Only if two others read a file and both differ from ours, our thumbnail counts as wrong."""
    pictures = [other.picture for other in others.values() if other.picture]
    if ours.crashed:
        return Verdict.CRASHED
    if ours.picture is None:
        return (Verdict.REJECTED, Verdict.PERHAPS_REFUSED, Verdict.REFUSED)[min(len(pictures), 2)]
    if not pictures:
        return Verdict.UNKNOWN
    if min(difference.worst for difference in differences.values()) <= MAX_ERROR:
        return Verdict.GOOD
    if len(pictures) == 1:
        return Verdict.PERHAPS_WRONG
    return Verdict.WRONG if measure(*pictures[:2]).worst <= MAX_ERROR else Verdict.DISPUTED
