"""Converts the colours of pictures.

Before a picture is shrunk, it is converted to a mode that can be resized. Afterwards it is converted to 8 bits and to
sRGB.
"""

import io

from PIL import Image, ImageCms, TiffImagePlugin

from thumbnail.pictures.file_colours import HLG, PQ, Colours

_TO_FULL_RANGE = [min(max(round((value - 16) * 255 / 219), 0), 255) for value in range(256)]
"""The narrow range of video, from 16 for black to 235 for white, as full range."""


def to_resizable(picture: Image.Image) -> Image.Image:
    """Return the picture in a mode in which neighbouring pixels can be mixed.

    Two consecutive numbers of a palette can be unrelated colours, so a palette cannot be mixed. If one colour of a
    picture counts as transparent, the picture first gets an alpha channel, because mixing changes the colour.
    """
    if picture.mode in {"P", "PA"}:
        return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    if picture.mode in {"1", "L", "RGB"} and picture.has_transparency_data:
        return picture.convert("RGBA")
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode.startswith("I"):
        return picture.convert("F")  # the box filter does not support 16-bit pixels
    return picture


def black_and_white_levels(picture: Image.Image) -> tuple[float, float]:
    """Return the values of black and of white in a grey picture of more than 8 bits."""
    tags = picture.tag_v2 if isinstance(picture, TiffImagePlugin.TiffImageFile) else {}
    bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0]
    # 0 means that zero is white. Pillow inverts a picture with this tag if it has 8 bits, but not if it has 16.
    is_inverted = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    return (2**bits - 1, 0) if is_inverted else (0, 2**bits - 1)


def to_eight_bits(small_picture: Image.Image, levels: tuple[float, float]) -> Image.Image:
    """Return a grey picture scaled so that black is 0 and white is 255."""
    black, white = levels
    scale = 255 / (white - black)
    return small_picture.convert("F").point(lambda value: value * scale + (0.5 - black * scale)).convert("L")


def to_srgb(small_picture: Image.Image, colours: Colours) -> Image.Image:
    """Return the picture in sRGB, with its transparency. What the file says about its colours is used if it is valid.

    Light of an HDR picture that is brighter than white paper becomes white.
    """
    if small_picture.mode in {"La", "RGBa"}:  # the colours are already multiplied by the transparency
        small_picture = small_picture.convert(small_picture.mode.upper())
    if small_picture.mode not in {"LA", "RGBA"}:
        return _opaque_to_srgb(small_picture, colours)
    rgb = _opaque_to_srgb(small_picture.convert(small_picture.mode.removesuffix("A")), colours)
    rgb.putalpha(small_picture.getchannel("A"))
    return rgb


def _opaque_to_srgb(small_picture: Image.Image, colours: Colours) -> Image.Image:
    if small_picture.mode == "YCbCr":
        small_picture = small_picture.convert("RGB")
    if colours.is_narrow:
        small_picture = small_picture.point(_TO_FULL_RANGE * len(small_picture.getbands()))
    profile = colours.profile
    if colours.codes:
        from thumbnail.pictures.hdr import hdr_to_srgb  # noqa: PLC0415 - most pictures have no codes
        from thumbnail.pictures.rgb_spaces import RgbSpace  # noqa: PLC0415

        if colours.codes.transfer in {PQ, HLG}:
            return hdr_to_srgb(small_picture.convert("RGB"), colours.codes)
        profile = RgbSpace.from_codes(colours.codes).profile()
    if profile:
        try:
            return _apply_profile(small_picture, profile)
        except (OSError, ImageCms.PyCMSError):
            pass  # the profile is broken or for another kind of picture, so it is ignored, as picture viewers do
    return small_picture.convert("RGB")


def _apply_profile(small_picture: Image.Image, profile: bytes) -> Image.Image:
    parsed_profile = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if small_picture.mode == "L" and parsed_profile.profile.xcolor_space == "RGB ":
        # Some editors save a grey picture with the RGB profile of the screen.
        small_picture = small_picture.convert("RGB")
    transform = ImageCms.buildTransform(parsed_profile, ImageCms.createProfile("sRGB"), small_picture.mode, "RGB")
    return transform.apply(small_picture)
