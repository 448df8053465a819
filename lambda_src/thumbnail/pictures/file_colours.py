"""What a file says about the colours of its picture."""

from typing import NamedTuple

PQ, HLG = 16, 18
"""The codes of the two HDR transfer functions (ITU-T H.273, table 3)."""


class CodedColours(NamedTuple):
    """The codes of an RGB space (ITU-T H.273)."""

    primaries: int
    transfer: int


class Colours(NamedTuple):
    """How a file says which colours its stored values mean. Without any statement they are those of sRGB."""

    profile: bytes | None = None
    """An ICC profile."""
    codes: CodedColours | None = None
    is_narrow: bool = False
    """Whether black is stored as 16 and white as 235, as in video. Only with `codes`."""
