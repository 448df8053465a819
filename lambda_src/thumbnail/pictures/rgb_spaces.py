"""RGB colour spaces that a file describes by numbers, and not by an ICC profile.

PNG has the chunks cICP, gAMA and cHRM. AVIF and HEIC have the property `colr` of type nclx. The codes in cICP and in
nclx are those of ITU-T H.273.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from thumbnail.pictures.file_colours import CodedColours
from thumbnail.pictures.matrices import Matrix, apply, diagonal, inverse, multiply

SRGB_GAMMA = 2.2
"""The exponent that is closest to the transfer function of sRGB."""


# H.273, table 2: the code, and the CIE coordinates x and y of red, green, blue and white.
_D65, _C, _DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
_SRGB_PRIMARIES = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)
_PRIMARIES = {
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
# H.273, table 3: the codes of the transfer functions that are powers, and their exponents. The functions of video (1,
# 6, 7, 14, 15) count as that of sRGB, as in browsers, because such pictures are made for the same screens.
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}

# ICC.1:2022: the white point D50 of profiles, and the Bradford matrix, which adapts colours to another white point.
_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


class RgbSpace(NamedTuple):
    """An RGB space: its primaries, its white point and its transfer function."""

    chromaticities: Sequence[tuple[float, float]] = _SRGB_PRIMARIES
    """CIE coordinates x and y of red, green, blue and white."""
    gamma: float | None = None
    """Exponent of the function from stored values to light. None is the function of sRGB."""

    @classmethod
    def from_codes(cls, codes: CodedColours) -> "RgbSpace":
        """Return the space with these codes. Unknown codes and HDR's transfer functions count as those of sRGB."""
        return cls(_PRIMARIES.get(codes.primaries, _SRGB_PRIMARIES), _GAMMAS.get(codes.transfer))

    def light_to_xyz(self) -> Matrix:
        """Return the matrix from light (red, green, blue) to CIE XYZ, adapted to the white point D50.

        Raises ZeroDivisionError if the primaries are on one line.
        """
        red, green, blue, white = ((x / y, 1.0, (1 - x - y) / y) for x, y in self.chromaticities)
        primaries: Matrix = tuple(zip(red, green, blue, strict=True))
        light_to_xyz = multiply(primaries, diagonal(apply(inverse(primaries), white)))
        pairs = zip(apply(_BRADFORD, _D50), apply(_BRADFORD, white), strict=True)
        adaptation = multiply(inverse(_BRADFORD), multiply(diagonal([to / own for to, own in pairs]), _BRADFORD))
        return multiply(adaptation, light_to_xyz)

    def light_to_srgb(self) -> Matrix:
        """Return the matrix from light in this space to light in sRGB."""
        return multiply(inverse(RgbSpace().light_to_xyz()), self.light_to_xyz())

    def profile(self) -> bytes | None:
        """Return the space as an ICC profile. Return None for sRGB itself, and for numbers that mean no colours."""
        if self == RgbSpace():
            return None
        try:
            columns = zip(*self.light_to_xyz(), strict=True)
            parameters = _SRGB_CURVE if self.gamma is None else (self.gamma,)
            curve = struct.pack(">4s4xH2x", b"para", 3 if self.gamma is None else 0) + _fixed_point(parameters)
            return _icc_profile(
                {name: b"XYZ \0\0\0\0" + _fixed_point(xyz) for name, xyz in zip(_COLOURANTS, columns, strict=True)}
                | dict.fromkeys(_CURVES, curve)
            )
        except (ZeroDivisionError, struct.error):
            return None


_COLOURANTS = (b"rXYZ", b"gXYZ", b"bXYZ")
_CURVES = (b"rTRC", b"gTRC", b"bTRC")


def _fixed_point(values: Sequence[float]) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _icc_profile(tags: Mapping[bytes, bytes]) -> bytes:
    """Return the profile of a screen with these tags (ICC.1:2022, section 7). Tags with equal content share it."""
    contents = dict.fromkeys([b"XYZ \0\0\0\0" + _fixed_point(_D50), *tags.values()], 0)
    table_size, data = 4 + 12 * (len(tags) + 1), b""
    for content in contents:
        contents[content] = 128 + table_size + len(data)
        data += content
    table = struct.pack(">I", len(tags) + 1)
    for name, content in {b"wtpt": b"XYZ \0\0\0\0" + _fixed_point(_D50), **tags}.items():
        table += struct.pack(">4sII", name, contents[content], len(content))
    size = 128 + len(table) + len(data)
    header = struct.pack(">I4xI4s4s4s12x4s28x", size, 0x04400000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    return (header + _fixed_point(_D50)).ljust(128, b"\0") + table + data
