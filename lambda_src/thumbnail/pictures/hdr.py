"""Converts pictures with a high dynamic range (HDR) to sRGB."""

import math
from functools import lru_cache

from PIL import Image, ImageFilter

from thumbnail.pictures.file_colours import PQ, CodedColours
from thumbnail.pictures.matrices import Vector, apply
from thumbnail.pictures.rgb_spaces import RgbSpace

_WHITE = 203
"""Light of white paper in an HDR picture, in candela per square metre (ITU-R BT.2408-7, section 2.1)."""
_HLG_PEAK = 1000
"""Light of the brightest white, in candela per square metre, of the screen for which HLG pictures are made."""
_LUT_SIZE = 33
"""Values per channel for which the conversion is computed. Pillow interpolates the others, with a mean error of 1."""


def hdr_to_srgb(small_picture: Image.Image, codes: CodedColours) -> Image.Image:
    """Return an HDR picture of mode RGB in sRGB. Light that is brighter than white paper becomes white."""
    return small_picture.filter(_conversion(codes))


@lru_cache(maxsize=4)
def _conversion(codes: CodedColours) -> ImageFilter.Color3DLUT:
    space = RgbSpace.from_codes(codes)
    to_srgb, luminance = space.light_to_srgb(), space.light_to_xyz()[1]

    def convert(*stored: float) -> Vector:
        if codes.transfer == PQ:
            light = tuple(_pq_to_light(value) for value in stored)
        else:
            scene = tuple(_hlg_to_scene(value) for value in stored)
            (scene_luminance,) = apply((luminance,), scene)
            light = tuple(_HLG_PEAK * value * scene_luminance**0.2 for value in scene)  # BT.2100, table 5: the OOTF
        return tuple(_light_to_srgb(value / _WHITE) for value in apply(to_srgb, light))

    return ImageFilter.Color3DLUT.generate(_LUT_SIZE, convert)


def _pq_to_light(stored: float) -> float:
    """Return candela per square metre for a stored value from 0 to 1 (ITU-R BT.2100, table 4)."""
    power = stored ** (4096 / (2523 * 128))
    ratio = max(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)
    return float(10_000 * ratio ** (16384 / 2610))


def _hlg_to_scene(stored: float) -> float:
    """Return the relative light of the scene, from 0 to 1, for a stored value from 0 to 1 (BT.2100, table 5)."""
    if stored <= 0.5:  # noqa: PLR2004 - the two formulas of the standard meet at 0.5
        return stored**2 / 3
    return (math.exp((stored - 0.55991073) / 0.17883277) + 0.28466892) / 12


def _light_to_srgb(light: float) -> float:
    """Return the stored value in sRGB, from 0 to 1 (IEC 61966-2-1).

    Light that sRGB cannot show gets a value outside this range, so that the values next to it are interpolated rightly.
    Pillow limits the values in the table to about 2, and the interpolated values to 1.
    """
    size = abs(light)
    value = 12.92 * size if size <= 0.0031308 else 1.055 * size ** (1 / 2.4) - 0.055  # noqa: PLR2004
    return math.copysign(value, light)
