"""Checks the tables in the header of a JPEG before Pillow reads them.

When Pillow opens a file, it creates Python objects for the numbers in its EXIF metadata. With a hostile file of 20 MB,
this can take gigabytes of memory or several minutes, before Pillow decodes the first pixel.
"""

from typing import BinaryIO

# Pillow creates Python objects for the numbers in EXIF. These objects need 10 to 60 bytes of memory for each byte of
# the file. The EXIF metadata of a camera fits into one segment of 64 KB.
MAX_EXIF_BYTES = 1 << 20
"""Maximum size of the EXIF metadata. A JPEG with more is rejected. In other formats, larger EXIF is ignored."""

# A progressive JPEG usually has ten scans for one picture, and a file of a phone can contain three pictures.
_MAX_SCANS = 100

# JPEG (ITU-T T.81, table B.1): Pillow stops reading the header at START_OF_SCAN. APP1 is the marker of EXIF segments.
_START_OF_SCAN, _APP1 = 0xDA, 0xE1
_MARKERS_WITHOUT_LENGTH = frozenset({0x00, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})


def check_headers(source: BinaryIO) -> None:
    """Check the tables of a JPEG.

    The module thumbnail.tiff_tags reads the tables of a TIFF. In other formats, no table can make Pillow use too much
    memory or time.

    Raises ValueError if Pillow would need far more memory or time than for a normal file of this size.
    """
    source.seek(0)
    header = source.read(16)
    if header.startswith(b"\xff\xd8"):
        _check_jpeg(source)


def _check_jpeg(source: BinaryIO) -> None:
    # Pillow skips invalid bytes between the markers. It joins all EXIF segments, so this loop adds up their sizes.
    source.seek(0)
    exif_bytes = 0
    while byte := source.read(1):
        if byte != b"\xff":
            continue
        while byte == b"\xff":
            byte = source.read(1)
        marker = int.from_bytes(byte)
        if marker == _START_OF_SCAN:
            _check_scans(source)
            return
        if marker in _MARKERS_WITHOUT_LENGTH:
            continue
        segment = source.read(max(0, int.from_bytes(source.read(2)) - 2))
        exif_bytes += len(segment) if marker == _APP1 and segment.startswith(b"Exif") else 0
        if exif_bytes > MAX_EXIF_BYTES:
            raise ValueError(f"more than {MAX_EXIF_BYTES:,} bytes of EXIF")


def _check_scans(source: BinaryIO) -> None:
    # The format does not limit the number of scans, and the decoder processes every pixel again for each scan.
    # In the data of a scan, 0xFF is always followed by 0x00. So the two bytes 0xFF 0xDA always mark a new scan.
    scans, last_byte = 1, b""
    while chunk := source.read(1 << 20):
        scans += (last_byte + chunk).count(b"\xff\xda")
        last_byte = chunk[-1:]
    if scans > _MAX_SCANS:
        raise ValueError(f"{scans:,} scans")
