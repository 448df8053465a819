"""Decodes a WebP directly at a small size. Pillow can only decode it at its full size, which needs 200 MB for 12 MP.

libwebp, the library of WebP, can shrink a picture while it decodes: it never has all pixels in memory. Pillow brings
libwebp but does not offer this function, so this module calls it with ctypes. The types below are from libwebp's header
decode.h (https://chromium.googlesource.com/webm/libwebp/+/refs/heads/main/src/webp/decode.h). They are the same in all
versions with the same first part of the number _ABI_VERSION. libwebp itself compares this number.
"""

import ctypes
from ctypes import POINTER, byref, c_char, c_char_p, c_int, c_size_t, c_uint32, c_void_p
from functools import cache
from typing import BinaryIO

from PIL import Image

_ABI_VERSION = 0x0209
_OK = 0
_CHANNELS = 3


class _Features(ctypes.Structure):
    _fields_ = (
        *((name, c_int) for name in ("width", "height", "has_alpha", "has_animation", "format")),
        ("pad", c_uint32 * 5),
    )


class _RgbPixels(ctypes.Structure):
    _fields_ = (("pixels", c_void_p), ("stride", c_int), ("size", c_size_t))


class _YuvPixels(ctypes.Structure):
    _fields_ = (
        ("planes", c_void_p * 4),
        ("strides", c_int * 4),
        ("sizes", c_size_t * 4),
    )


class _Pixels(ctypes.Union):
    _fields_ = (("rgb", _RgbPixels), ("yuv", _YuvPixels))


class _Output(ctypes.Structure):
    _fields_ = (
        *((name, c_int) for name in ("colour_space", "width", "height", "is_external_memory")),
        ("pixels", _Pixels),
        ("pad", c_uint32 * 4),
        ("private_memory", c_void_p),
    )


class _Options(ctypes.Structure):
    _fields_ = (
        *((name, c_int) for name in ("bypass_filtering", "no_fancy_upsampling")),
        *((name, c_int) for name in ("use_cropping", "crop_left", "crop_top", "crop_width", "crop_height")),
        *((name, c_int) for name in ("use_scaling", "scaled_width", "scaled_height", "use_threads")),
        *((name, c_int) for name in ("dithering_strength", "flip", "alpha_dithering_strength")),
        ("pad", c_uint32 * 5),
    )


class _Config(ctypes.Structure):
    _fields_ = (("input", _Features), ("output", _Output), ("options", _Options))


def decode_small(picture: Image.Image, source: BinaryIO, size: tuple[int, int]) -> Image.Image | None:
    """Return the picture shrunk to `size`, or None if Pillow must decode it.

    libwebp cannot shrink animations. It would mix the invisible colours of transparent pixels into their neighbours.
    Most files store the colours at half the resolution, and libwebp would blur them at a larger `size` than that. None
    is also the result for a damaged picture, so that Pillow reports the damage.
    """
    libwebp, (width, height) = _libwebp(), size
    if libwebp is None or picture.mode != "RGB" or 2 * width > picture.width or 2 * height > picture.height:
        return None
    config = _Config()
    if not libwebp.WebPInitDecoderConfigInternal(byref(config), _ABI_VERSION):
        return None
    pixels = bytearray(width * height * _CHANNELS)
    config.options.use_scaling, config.options.scaled_width, config.options.scaled_height = 1, width, height
    config.output.is_external_memory = 1
    address = ctypes.addressof(c_char.from_buffer(pixels))
    config.output.pixels.rgb = _RgbPixels(address, width * _CHANNELS, len(pixels))
    source.seek(0)
    data = source.read()
    if libwebp.WebPDecode(data, len(data), byref(config)) != _OK:
        return None
    return Image.frombuffer("RGB", size, pixels, "raw", "RGB", 0, 1)


@cache
def _libwebp() -> ctypes.CDLL | None:
    """Return libwebp. Return None if Pillow was built without it, or if libwebp is a hidden part of Pillow's module."""
    try:
        from PIL import _webp  # noqa: PLC0415

        libwebp = ctypes.CDLL(_webp.__file__)  # gives also the functions of the libraries that the module uses
        libwebp.WebPInitDecoderConfigInternal.argtypes = (POINTER(_Config), c_int)
        libwebp.WebPDecode.argtypes = (c_char_p, c_size_t, POINTER(_Config))
    except (ImportError, OSError, AttributeError):
        return None
    return libwebp
