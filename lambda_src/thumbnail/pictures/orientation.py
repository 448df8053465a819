"""Finds out how to turn a picture upright (EXIF 2.32, section 4.6.4.A)."""

from PIL import Image
from PIL.Image import Transpose

from thumbnail.pictures.jpeg import MAX_EXIF_BYTES

_ORIENTATION_TAG = 0x0112
_TRANSPOSITIONS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


def transposition_of(orientation: int) -> Transpose | None:
    """Return the transposition for an orientation of EXIF or TIFF. Return None for 1 (upright) and unknown numbers."""
    return _TRANSPOSITIONS.get(orientation)


def transposition_in(exif: bytes) -> Transpose | None:
    """Return the transposition for the orientation in EXIF metadata. Return None if they are broken or too large."""
    if len(exif) > MAX_EXIF_BYTES:
        return None
    parsed = Image.Exif()
    try:
        parsed.load(exif)
        return transposition_of(parsed.get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - some cameras write broken EXIF; their pictures are good
        return None
