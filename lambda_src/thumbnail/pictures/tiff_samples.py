"""Reads the kinds of TIFFs that Pillow rejects or reads wrongly.

For these kinds, Pillow only decompresses the bytes: it gets directories that describe pictures of 8 bits, in which each
byte is a sample. This module converts the bytes.
"""

import math
import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from typing import cast

from PIL import Image, ImageMath, UnidentifiedImageError
from PIL.Image import Resampling, Transform

from thumbnail.pictures import tiff_tags as tags
from thumbnail.pictures.colours import to_eight_bits
from thumbnail.pictures.rejections import UnsupportedError
from thumbnail.pictures.tiff_layout import (
    ALPHA,
    BLACK_IS_ZERO,
    BYTE_COMPRESSIONS,
    FLOAT,
    RGB,
    SIGNED,
    UNSIGNED,
    Layout,
)
from thumbnail.pictures.tiff_tags import Directory, longs, shorts, with_directories

_MAX_COMMON_BITS = 16
_WHOLE_BITS = frozenset({8, 16, 32, 64})
_NO_PREDICTOR, _DIFFERENCES, _FLOAT_DIFFERENCES = 1, 2, 3
_BYTE, _GREY_WITH_ALPHA = 8, 2
_MAX_CHANNELS = 4
_CODES_OF_LONG_INTEGERS = {(UNSIGNED, 64): "Q", (SIGNED, 64): "q"}
_ARRAY_CODES = {8: "B", 16: "H", 32: "I", 64: "Q"}
_NATIVE_ORDER = "<" if sys.byteorder == "little" else ">"

# Small parts of the picture are converted one after the other, because the samples need more memory than the result.
_PAGE_BYTES, _SLAB_BYTES = 16 << 20, 1 << 20
_MAX_PAGE_BYTES = 178_956_970
"""Pillow's default limit of pixels. A page has a pixel for each byte. It can exceed the limit if it is one strip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """Some rows of the picture, or of one of its planes. Pillow reads them as the page of a TIFF."""

    directory: Directory
    plane: int
    top: int


class SampleReader:
    """Reads the samples of a picture. Raises UnsupportedError if their kind is not supported."""

    def __init__(self, layout: Layout, data: bytes) -> None:
        self._layout, self._data = layout, data
        self._samples = layout.samples if layout.planes == 1 else 1
        """Samples per pixel in one plane."""
        self._tile_samples = layout.tile_width * self._samples
        """Samples in one row of a tile."""
        self._tile_bytes = -(-self._tile_samples * layout.bits // 8)
        """Bytes in one row of a tile."""
        self._row_bytes = layout.tiles_across * self._tile_bytes
        self._difference_bits = {_NO_PREDICTOR: 0, _FLOAT_DIFFERENCES: _BYTE}.get(layout.predictor, layout.bits)
        """Bits of each number that is stored as the difference from the number before it, or 0."""
        self._libtiff_adds = self._difference_bits == _BYTE and self._samples <= _MAX_CHANNELS
        """Whether libtiff adds the differences, which is fast."""
        self._check()

    def _check(self) -> None:
        layout = self._layout
        sizes = {FLOAT: _WHOLE_BITS - {8}, SIGNED: _WHOLE_BITS}.get(
            layout.sample_format, _WHOLE_BITS.union(range(1, 25))
        )
        sizes &= {
            _NO_PREDICTOR: sizes,
            _DIFFERENCES: _WHOLE_BITS,
            _FLOAT_DIFFERENCES: _WHOLE_BITS if layout.sample_format == FLOAT else frozenset(),
        }.get(layout.predictor, frozenset())
        ends_within_a_byte = layout.is_tiled and self._tile_samples * layout.bits % _BYTE
        is_readable = layout.compression in BYTE_COMPRESSIONS and layout.bits in sizes and not layout.is_subsampled
        if not is_readable or ends_within_a_byte or layout.tile_height * self._row_bytes > _MAX_PAGE_BYTES:
            raise UnsupportedError(f"samples of {layout.bits} bits, format {layout.sample_format}")

    def read_bands(self) -> list[Image.Image]:
        """Return one grey picture of 8 bits for each colour of the picture, and another one for its alpha channel."""
        layout = self._layout
        colours = list(range(layout.colours))
        levels = dict.fromkeys(colours, self._levels(colours))
        if layout.alpha_sample is not None:
            levels[layout.alpha_sample] = self._alpha_levels(layout.alpha_sample)
        bands = {sample: Image.new("L", (layout.width, layout.height)) for sample in levels}
        for sample, top, values in self.slabs([*levels]):
            is_final = values.mode == "L" and levels[sample] == (0, 255)
            bands[sample].paste(values if is_final else to_eight_bits(values, levels[sample]), (0, top))
        return list(bands.values())

    def read_palette_colours(self) -> list[Image.Image]:
        """Return the red, the green and the blue of a picture with a palette."""
        layout = self._layout
        tables = [band.ljust(2**16, b"\0") for band in layout.palette]
        bands = [Image.new("L", (layout.width, layout.height)) for _ in tables]
        for _, top, values in self.slabs([0]):
            for band, table in zip(bands, tables, strict=True):
                band.paste(values.convert("I").point(table, "L"), (0, top))
        return bands

    def _levels(self, samples: list[int]) -> tuple[float, float]:
        """Return the values of black and of white in some of the samples.

        The format defines no white for floats, and scientific pictures often use only a small part of the other ranges.
        So this method tries the common ranges in order. It returns the first one of which the picture uses at least a
        quarter. If there is no such range, it returns the smallest and the largest value.
        """
        bits, sample_format = self._layout.bits, self._layout.sample_format
        if sample_format == UNSIGNED and bits <= _MAX_COMMON_BITS:
            return 0, 2**bits - 1
        extrema = [cast("tuple[float, float]", values.getextrema()) for _, _, values in self.slabs(samples)]
        low, high = min(low for low, _ in extrema), max(high for _, high in extrema)
        whites = [1, 255] if sample_format == FLOAT else [2 ** (bits - (sample_format == SIGNED)) - 1]
        if sample_format == FLOAT or bits > _MAX_COMMON_BITS:
            whites.append(65_535)
        for white in whites:
            if low >= 0 and (white == 1 or high >= white / 4) and high <= white:
                return 0, white
        return low, high if high > low else math.inf

    def _alpha_levels(self, sample: int) -> tuple[float, float]:
        """Return the values of transparent and of opaque."""
        bits = self._layout.bits
        if self._layout.sample_format == FLOAT:
            return self._levels([sample])
        return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if self._layout.sample_format == SIGNED else (0, 2**bits - 1)

    def slabs(self, samples: list[int]) -> Iterator[tuple[int, int, Image.Image]]:
        """Yield parts of the picture: the index of a sample, the first row, and the values (in the mode L or F)."""
        layout = self._layout
        pages = list(self._pages(samples if layout.planes > 1 else [0]))
        file = with_directories(self._data, layout.order, [page.directory for page in pages])
        with _open(file) as picture:
            for index, page in enumerate(pages):
                picture.seek(index)
                for top, values in self._page_slabs(picture):
                    if layout.planes > 1:
                        yield page.plane, page.top + top, self._band(values, 0)
                        continue
                    for sample in samples:
                        yield sample, page.top + top, self._band(values, sample)

    def _pages(self, planes: list[int]) -> Iterator[_Page]:
        layout = self._layout
        across, down = layout.tiles_across, layout.tiles_down
        step = max(1, _PAGE_BYTES // (layout.tile_height * self._row_bytes))
        for plane in planes:
            for first in range(0, down, step):
                last = min(first + step, down)
                top = first * layout.tile_height
                rows = min(last * layout.tile_height, layout.height) - top
                tiles = slice((plane * down + first) * across, (plane * down + last) * across)
                yield _Page(directory=self._page_directory(rows, tiles), plane=plane, top=top)

    def _page_directory(self, rows: int, tiles: slice) -> Directory:
        layout, order = self._layout, self._layout.order
        channels = self._samples if self._libtiff_adds else 1
        directory = {
            tags.WIDTH: longs(order, self._row_bytes // channels),
            tags.LENGTH: longs(order, rows),
            tags.BITS: shorts(order, *[8] * channels),
            tags.COMPRESSION: shorts(order, layout.compression),
            tags.PHOTOMETRIC: shorts(order, RGB if channels > _GREY_WITH_ALPHA else BLACK_IS_ZERO),
            tags.SAMPLES: shorts(order, channels),
            tags.PREDICTOR: shorts(order, _DIFFERENCES if self._libtiff_adds else _NO_PREDICTOR),
            tags.FILL_ORDER: shorts(order, layout.number(tags.FILL_ORDER, 1)),
            **layout.tile_tags(tiles, self._tile_bytes // channels),
        }
        if channels == _GREY_WITH_ALPHA:
            directory[tags.EXTRA_SAMPLES] = shorts(order, ALPHA)
        return directory

    def _page_slabs(self, picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
        rows = max(1, _SLAB_BYTES // self._row_bytes)
        for top in range(0, picture.height, rows):
            bottom = min(top + rows, picture.height)
            data = picture.crop((0, top, picture.width, bottom)).tobytes()
            yield top, self._to_values(data, bottom - top)

    def _band(self, values: Image.Image, sample: int) -> Image.Image:
        """Return every n-th column of an image, where n is the number of samples per pixel."""
        step = self._samples
        matrix = (step, 0, sample + 0.5 - step / 2, 0, 1, 0)  # Pillow adds half a step to the place of each pixel
        size = (self._layout.width, values.height)
        return values.transform(size, Transform.AFFINE, matrix, Resampling.NEAREST)

    def _to_values(self, data: bytes, rows: int) -> Image.Image:
        """Return an image with one pixel for each sample."""
        layout = self._layout
        bits, sample_format, order = layout.bits, layout.sample_format, layout.order
        size = (layout.tiles_across * self._tile_samples, rows)
        if self._difference_bits and not self._libtiff_adds:
            data, order = self._add_differences(data), _NATIVE_ORDER
        if layout.predictor == _FLOAT_DIFFERENCES:
            data, order = self._join_bytes_of_floats(data), ">"
        if bits == _BYTE and sample_format == UNSIGNED:
            return Image.frombytes("L", size, data)
        if bits not in _WHOLE_BITS:  # the first bit is the highest, in both byte orders
            return Image.frombytes("F", size, data, "bit", bits, _BYTE, 0, 0, 1)
        if (sample_format, bits) == (FLOAT, 16):
            return _half_precision(size, data, order)
        code = _CODES_OF_LONG_INTEGERS.get((sample_format, bits))
        if code:  # Pillow cannot convert these integers
            numbers = struct.unpack(f"{order}{size[0] * size[1]}{code}", data)
            return Image.frombytes("F", size, array("f", numbers).tobytes())
        flags = ("B" if order == ">" and bits > _BYTE else "") + {SIGNED: "S", FLOAT: "F"}.get(sample_format, "")
        return Image.frombytes("F", size, data, "raw", f"F;{bits}{flags}")

    def _add_differences(self, data: bytes) -> bytes:
        """Return the numbers in the byte order of this machine. The data has the difference from the last pixel."""
        numbers = array(_ARRAY_CODES[self._difference_bits], data)
        if self._layout.order != _NATIVE_ORDER:
            numbers.byteswap()
        mask = 2**self._difference_bits - 1
        length = self._tile_bytes * _BYTE // self._difference_bits
        for tile in range(0, len(numbers), length):
            for sample in range(tile, tile + self._samples):
                places = slice(sample, tile + length, self._samples)
                numbers[places] = array(numbers.typecode, [total & mask for total in accumulate(numbers[places])])
        return numbers.tobytes()

    def _join_bytes_of_floats(self, data: bytes) -> bytes:
        """Return floats in the order ">". The data has the first bytes of all floats of a row, then the second ..."""
        size = self._layout.bits // _BYTE
        joined = bytearray(len(data))
        for tile in range(0, len(data), self._tile_bytes):
            for place in range(size):
                start = tile + place * self._tile_samples
                joined[tile + place : tile + self._tile_bytes : size] = data[start : start + self._tile_samples]
        return bytes(joined)


def _half_precision(size: tuple[int, int], data: bytes, order: str) -> Image.Image:
    """Return floats of 16 bits. IEEE 754: after their bits move to places of 32 bits, they are 2**112 too small."""
    halves = Image.frombytes("I", size, data, "raw", "I;16B" if order == ">" else "I;16")
    moved_bits = ImageMath.lambda_eval(
        lambda images: (images["x"] & 0x7FFF) << 13 | (images["x"] & 0x8000) << 16, x=halves
    )
    return Image.frombytes("F", size, moved_bits.tobytes()).point(lambda value: value * 2.0**112)


def _open(file: BytesIO) -> Image.Image:
    try:
        return Image.open(file, formats=["TIFF"])
    except UnidentifiedImageError as error:
        raise UnsupportedError(str(error)) from error
