"""Describes colours by the code points of H.273, as AVIF and HEIC do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodedColours:
    """The colour space of a picture. The numbers are code points of ITU-T H.273."""

    primaries: int
    """H.273, table 2. For example, 1 is sRGB and 12 is Display P3."""
    transfer: int
    """H.273, table 3. For example, 13 is sRGB, 16 is PQ and 18 is HLG."""
