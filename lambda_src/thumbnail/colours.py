"""Converts the colours of pictures: before shrinking into a mode that can be resized, afterwards to 8 bits and sRGB."""

import io
import math
from typing import cast

from PIL import Image, ImageCms, TiffImagePlugin


def to_resizable(picture: Image.Image) -> Image.Image:
    """Return the picture in a mode whose neighbouring pixels can be mixed.

    Neighbouring numbers of a palette are unrelated colours, and a transparent colour is lost once it is mixed.
    """
    if picture.mode in {"P", "PA"}:
        return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    if picture.mode in {"1", "L", "RGB"} and picture.has_transparency_data:
        return picture.convert("RGBA")
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode.startswith("I"):
        return picture.convert("F")  # the box filter does not support 16 bits, and overflows in 32
    return picture


def black_and_white_levels(picture: Image.Image, resizable: Image.Image) -> tuple[float, float]:
    """Return the values that mean black and white in a grey picture of more than 8 bits.

    They are the range that the format defines, otherwise the first usual range that holds all values, otherwise the
    range of the values themselves.
    """
    tags = picture.tag_v2 if isinstance(picture, TiffImagePlugin.TiffImageFile) else {}
    if picture.mode.startswith("I;16"):
        bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0]
        # 0 means that white is zero. Pillow respects it in 8 bits but not in 16.
        inverted = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
        return (2**bits - 1, 0) if inverted else (0, 2**bits - 1)
    low, high = cast("tuple[float, float]", resizable.getextrema())
    for white in (1, 255, 65_535) if picture.mode == "F" else (65_535,):
        if low >= 0 and high <= white:
            return 0, white
    return low, high if high > low else math.inf


def to_eight_bits(small: Image.Image, levels: tuple[float, float]) -> Image.Image:
    """Return a grey picture scaled so that black is 0 and white is 255."""
    black, white = levels
    scale = 255 / (white - black)
    return small.convert("F").point(lambda value: value * scale + (0.5 - black * scale)).convert("L")


def to_srgb(small: Image.Image, profile: object) -> Image.Image:
    """Return the picture in sRGB, converted from its ICC profile if it has a usable one. Transparency is kept."""
    if small.mode == "La":
        small = small.convert("LA")
    if small.mode not in {"LA", "RGBA"}:
        return _opaque_to_srgb(small, profile)
    rgb = _opaque_to_srgb(small.convert(small.mode.removesuffix("A")), profile)
    rgb.putalpha(small.getchannel("A"))
    return rgb


def _opaque_to_srgb(small: Image.Image, profile: object) -> Image.Image:
    if small.mode == "YCbCr":
        small = small.convert("RGB")
    if isinstance(profile, bytes):
        try:
            return _apply_profile(small, profile)
        except (OSError, ImageCms.PyCMSError):
            pass  # the profile is broken, or for another kind of picture. Viewers then ignore it, too.
    return small.convert("RGB")


def _apply_profile(small: Image.Image, profile: bytes) -> Image.Image:
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if small.mode == "L" and opened.profile.xcolor_space == "RGB ":
        small = small.convert("RGB")  # editors tag grey pictures with the screen's profile
    return ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), small.mode, "RGB").apply(small)
