"""Reads and writes the directories of TIFFs: the tables of tags that describe the pixels.

Only the tags that are needed for the pixels are read. A hostile file can contain millions of values in other tags, or
broken metadata. These tags never reach Pillow.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Self

# TIFF 6.0 (section 2) and BigTIFF: the header, and the types of values.
_BIG_TIFF = 43
_CELL_BYTES = 4
SHORT, LONG = 3, 4
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_INTEGER_CODES = {1: "B", 3: "H", 4: "L", 6: "b", 8: "h", 9: "l", 13: "L", 16: "Q", 17: "q", 18: "Q"}

# TIFF 6.0 and its supplements: the tags that describe the pixels.
WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, ORIENTATION, SAMPLES, STRIP_ROWS, STRIP_BYTES, PLANAR = 273, 274, 277, 278, 279, 284
PREDICTOR, COLOR_MAP, TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_BYTES = 317, 320, 322, 323, 324, 325
INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, SUBSAMPLING, ICC_PROFILE = 332, 338, 339, 530, 34675
CODEC_TAGS = (292, 293, 347, *range(512, 522), 529, SUBSAMPLING, 531, 532)
"""The options of the compressions, and the definition of YCbCr."""

_SMALL_TAGS = (WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, ORIENTATION, SAMPLES, STRIP_ROWS, PLANAR)
_SMALL_TAGS += (PREDICTOR, TILE_WIDTH, TILE_LENGTH, INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, *CODEC_TAGS)
_TILE_TAGS = (STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES)

# The largest small tag contains JPEG tables, which have less than 64 KiB. A palette for 16 bits has 384 KiB. A picture
# of 50 megapixels in four planes has 781,250 tiles of 16 x 16 pixels. In a BigTIFF, their offsets need 6 MiB.
_MAX_TAG_BYTES = {
    **dict.fromkeys(_SMALL_TAGS, 64 << 10),
    COLOR_MAP: 384 << 10,
    **dict.fromkeys((*_TILE_TAGS, ICC_PROFILE), 6 << 20),
}
"""The maximum size of each tag. Other tags are ignored."""


@dataclass(frozen=True, slots=True)
class Values:
    """The values of one tag: their type, and their bytes in the byte order of the file."""

    kind: int
    data: bytes

    @property
    def size(self) -> int:
        """Bytes of one value."""
        return _TYPE_SIZES[self.kind]

    def __getitem__(self, places: slice) -> Self:
        """Return some of the values."""
        return type(self)(self.kind, self.data[places.start * self.size : places.stop * self.size])


Directory = Mapping[int, Values]


def read_first_directory(source: BinaryIO) -> tuple[Directory, str]:
    """Return the tags that describe the pixels of the first picture, and the byte order of the file ("<" or ">").

    A tag with too many values is cut off, so that it needs little memory.
    """
    source.seek(0)
    header = source.read(16)
    order = "<" if header.startswith(b"II") else ">"
    is_big = _BIG_TIFF in header[2:4]
    offset_code = order + ("Q" if is_big else "L")
    count_struct = struct.Struct(order + ("Q" if is_big else "H"))
    entry_struct = struct.Struct(order + ("HHQ8s" if is_big else "HHL4s"))
    source.seek(*struct.unpack_from(offset_code, header, 8 if is_big else 4))
    (entry_count,) = count_struct.unpack(source.read(count_struct.size))
    table = source.read(entry_struct.size * min(entry_count, 65_535))
    whole_entries = table[: len(table) // entry_struct.size * entry_struct.size]
    directory: dict[int, Values] = {}
    for tag, kind, count, cell in entry_struct.iter_unpack(whole_entries):
        size = min(_TYPE_SIZES.get(kind, 0) * count, _MAX_TAG_BYTES.get(tag, 0))
        if not size or tag in directory:
            continue
        if size > len(cell):
            source.seek(*struct.unpack(offset_code, cell))
            directory[tag] = Values(kind, source.read(size))
        else:
            directory[tag] = Values(kind, cell[:size])
    return directory, order


def integers(directory: Directory, order: str, tag: int, default: Sequence[int] = ()) -> Sequence[int]:
    """Return the values of a tag, or the default if the tag is missing or does not contain integers."""
    values = directory.get(tag)
    code = _INTEGER_CODES.get(values.kind) if values else None
    if not values or not code:
        return default
    count = len(values.data) // values.size
    return struct.unpack_from(f"{order}{count}{code}", values.data) or default


def shorts(order: str, *values: int) -> Values:
    """Return values of the type SHORT."""
    return Values(SHORT, struct.pack(f"{order}{len(values)}H", *values))


def longs(order: str, *values: int) -> Values:
    """Return values of the type LONG."""
    return Values(LONG, struct.pack(f"{order}{len(values)}L", *values))


def with_directories(data: bytes, order: str, directories: Sequence[Directory]) -> BytesIO:
    """Return a TIFF in which these directories replace the old ones. Each directory is one page.

    The rest of the data keeps its place, so the offsets in the directories stay valid.
    """
    position = len(data)
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", position)
    parts: list[bytes | memoryview] = [header, memoryview(data)[len(header) :]]
    for index, directory in enumerate(directories):
        end = position + 2 + 12 * len(directory) + 4
        table, long_values = b"", b""
        for tag, values in sorted(directory.items()):
            cell = values.data.ljust(_CELL_BYTES, b"\0")
            if len(cell) > _CELL_BYTES:  # TIFF 6.0: only a short value is stored in the entry, in place of an offset
                cell = struct.pack(order + "L", end + len(long_values))
                long_values += values.data
            table += struct.pack(order + "HHL", tag, values.kind, len(values.data) // values.size) + cell
        position = end + len(long_values)
        link = position if index + 1 < len(directories) else 0
        parts += [struct.pack(order + "H", len(directory)), table, struct.pack(order + "L", link), long_values]
    return BytesIO(b"".join(parts))
