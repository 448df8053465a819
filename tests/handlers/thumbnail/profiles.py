"""ICC colour profiles for tests (specification: ICC.1:2010)."""

import struct
from collections.abc import Mapping
from functools import cache

from PIL import ImageCms

_D50 = struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)
"""D50, the white point of ICC profiles (daylight)."""


def _srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@cache
def swapped_profile() -> bytes:
    """Return an RGB profile that exchanges red and green."""
    return _srgb_profile().replace(b"rXYZ", b"????", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"????", b"gXYZ", 1)


def linear_profile() -> bytes:
    """Return an RGB profile with gamma 1: a stored value of 55 becomes 128 in sRGB."""
    profile = _srgb_profile()
    curve_start = profile.index(b"para")
    return profile[:curve_start] + b"curv" + bytes(8) + profile[curve_start + 12 :]


def _build_profile(colour_space: bytes, connection_space: bytes, kind: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    tags = {b"wtpt": b"XYZ \0\0\0\0" + _D50, **tags}
    start = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, start + len(data), len(value))
        data += value.ljust(-(-len(value) // 4) * 4, b"\0")
    header = struct.pack(">I4xI4s4s4s", start + len(data), 0x02400000, kind, colour_space, connection_space)
    header += struct.pack(">6H4s28x", 2020, 1, 1, 0, 0, 0, b"acsp") + _D50
    return header.ljust(128, b"\0") + table + data


def linear_grey_profile() -> bytes:
    """Return a grey profile with gamma 1: a stored value of 55 becomes 128 in sRGB."""
    return _build_profile(b"GRAY", b"XYZ ", b"mntr", {b"kTRC": b"curv" + bytes(8)})


def black_only_profile() -> bytes:
    """Return a CMYK profile that shows only black ink. Cyan, magenta and yellow ink are invisible."""
    identity = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x10000)
    ramp = bytes(range(256))
    grid = b"".join(bytes((0 if black else 255, 128, 128)) for _ in range(8) for black in (0, 1))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + ramp * 4 + grid + ramp * 3
    return _build_profile(b"CMYK", b"Lab ", b"prtr", {b"A2B0": lut})


def broken_profiles() -> dict[str, bytes]:
    """Return profiles that cannot be used. The keys are the reasons."""
    good = swapped_profile()
    return {
        "rubbish": b"not a profile" * 20,
        "tiny": b"\0",
        "cut-off": good[:200],
        "for-cmyk-pictures": black_only_profile(),
        "huge-tag-count": good[:128] + struct.pack(">I", 0xFFFFFFFF) + good[132:],
        "tags-outside-the-file": good[:132] + good[132:].replace(b"\0\0\1", b"\x7f\xff\xff"),
    }
