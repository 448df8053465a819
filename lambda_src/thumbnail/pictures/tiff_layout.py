"""The layout of a TIFF: how its file stores the pixels."""

from collections.abc import Sequence
from typing import BinaryIO

from PIL import Image

from thumbnail.pictures import tiff_tags as tags
from thumbnail.pictures.rejections import UnsupportedError
from thumbnail.pictures.tiff_tags import Directory, Values, integers, longs

# TIFF 6.0 and its supplements: the values of the tags.
_NO_COMPRESSION, _OLD_JPEG = 1, 6
BYTE_COMPRESSIONS = frozenset({_NO_COMPRESSION, 5, 8, 32773, 32946, 34925, 50000})
"""Compressions that do not depend on the kind of the pixels: none, LZW, Deflate, PackBits, LZMA and Zstandard."""
_PIXEL_COMPRESSIONS = frozenset({2, 3, 4, _OLD_JPEG, 7})
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, LAB, ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
_MODES = {WHITE_IS_ZERO: "L", BLACK_IS_ZERO: "L", RGB: "RGB", PALETTE: "RGB", CMYK: "CMYK", YCBCR: "YCbCr"}
_MODES |= {LAB: "LAB", ICC_LAB: "LAB"}
PREMULTIPLIED, ALPHA = 1, 2
UNSIGNED, SIGNED, FLOAT, _UNDEFINED = 1, 2, 3, 4
_SEPARATE_PLANES = 2

# A higher limit would allow a small file whose pixels need very much time.
_MAX_SAMPLES = 16
_MAX_PALETTE_BITS = 16
_RGBA_SAMPLES = 4
_MAX_BYTE = 0xFF


class Layout:
    """The layout of the first picture of a TIFF.

    Raises UnsupportedError if the kind of the picture is not supported. Raises ValueError or struct.error if the
    directory is damaged.
    """

    def __init__(self, source: BinaryIO) -> None:
        self.directory, self.order = tags.read_first_directory(source)
        self.width, self.height = self.number(tags.WIDTH), self.number(tags.LENGTH)
        self.compression = self.number(tags.COMPRESSION, _NO_COMPRESSION)
        self.photometric = YCBCR if self.compression == _OLD_JPEG else self.number(tags.PHOTOMETRIC, WHITE_IS_ZERO)
        self.predictor = self.number(tags.PREDICTOR, 1)
        self.samples = self.number(tags.SAMPLES, 3 if self.compression == _OLD_JPEG else 1)
        """How many samples a pixel has. A sample is one of the numbers of a pixel, such as its red."""
        if self.samples > _MAX_SAMPLES:
            raise UnsupportedError(f"{self.samples} samples per pixel")
        self.bits = self._common_number(tags.BITS, 1)
        """Bits of each sample."""
        sample_format = self._common_number(tags.SAMPLE_FORMAT, UNSIGNED)
        self.sample_format = UNSIGNED if sample_format == _UNDEFINED else sample_format
        self.planes = self.samples if self.number(tags.PLANAR, 1) == _SEPARATE_PLANES else 1
        """If 1, the samples of a pixel are stored together. If not, each sample is stored in a plane of its own."""
        self.is_tiled = tags.TILE_WIDTH in self.directory
        """If False, the picture consists of strips. Then the next attributes describe a strip."""
        self.tile_width = self.number(tags.TILE_WIDTH) if self.is_tiled else self.width
        self.tile_height = (
            self.number(tags.TILE_LENGTH)
            if self.is_tiled
            else min(self.height, self.number(tags.STRIP_ROWS, self.height))
        )
        self._check()
        self.tiles_across = -(-self.width // self.tile_width)
        self.tiles_down = -(-self.height // self.tile_height)
        self.tiles = self.planes * self.tiles_across * self.tiles_down
        # Some old programs store the list of tiles under the tag of the strips.
        self.offsets = self._tile_values(tags.TILE_OFFSETS, tags.STRIP_OFFSETS)
        self.byte_counts = self._tile_values(tags.TILE_BYTES, tags.STRIP_BYTES)

    def number(self, tag: int, default: int | None = None) -> int:
        """Return the first value of a tag. Raises ValueError if the tag is missing and there is no default."""
        values = integers(self.directory, self.order, tag, [] if default is None else [default])
        if not values:
            raise ValueError(f"tag {tag} is missing")
        return values[0]

    def _common_number(self, tag: int, default: int) -> int:
        values = set(integers(self.directory, self.order, tag, [default])[: max(1, self.samples)])
        if len(values) > 1:
            raise UnsupportedError(f"the values of tag {tag} differ")
        return values.pop()

    def _tile_values(self, *tile_tags: int) -> Values | None:
        """Return one value for each tile of each plane, or None if the tags are missing."""
        values = next((self.directory[tag] for tag in tile_tags if tag in self.directory), None)
        if values and len(values.data) < self.tiles * values.size:
            raise ValueError(f"fewer than {self.tiles} tiles")
        return values

    def _check(self) -> None:
        if min(self.width, self.height, self.tile_width, self.tile_height, self.bits, self.samples) < 1:
            raise ValueError("a size is zero")
        if self.compression not in BYTE_COMPRESSIONS | _PIXEL_COMPRESSIONS or self.photometric not in _MODES:
            raise UnsupportedError(f"compression {self.compression}, colours {self.photometric}")
        if self.photometric == CMYK and self.number(tags.INK_SET, 1) != 1:
            raise UnsupportedError("other inks than CMYK")
        if self.samples < self.colours:
            raise ValueError(f"{self.samples} samples per pixel")
        if self.is_premultiplied and (self.mode in {"LAB", "YCbCr"} or self.sample_format == SIGNED):
            raise UnsupportedError("premultiplied colours")

    def tile_tags(self, tiles: slice, tile_width: int) -> Directory:
        """Return the tags for some of the tiles, which have another width."""
        order, directory = self.order, {}
        if self.is_tiled:
            directory[tags.TILE_WIDTH] = longs(order, tile_width)
        directory[tags.TILE_LENGTH if self.is_tiled else tags.STRIP_ROWS] = longs(order, self.tile_height)
        if self.offsets:
            directory[tags.TILE_OFFSETS if self.is_tiled else tags.STRIP_OFFSETS] = self.offsets[tiles]
        if self.byte_counts:
            directory[tags.TILE_BYTES if self.is_tiled else tags.STRIP_BYTES] = self.byte_counts[tiles]
        return directory

    @property
    def largest_area(self) -> int:
        """Pixels of the picture or of a tile. A tile can be larger than the picture, and it is decoded as a whole."""
        return max(self.width * self.height, self.tile_width * self.tile_height)

    @property
    def mode(self) -> str:
        """Pillow's mode for the colours, without the alpha channel."""
        return _MODES[self.photometric]

    @property
    def colours(self) -> int:
        """How many samples of a pixel define its colour."""
        return 1 if self.photometric == PALETTE else Image.getmodebands(self.mode)

    @property
    def extra_samples(self) -> Sequence[int]:
        """The kinds of the other samples of a pixel."""
        kinds = integers(self.directory, self.order, tags.EXTRA_SAMPLES)
        if not kinds and self.photometric == RGB and self.samples == _RGBA_SAMPLES:
            return [ALPHA]  # some programs forget the tag
        return kinds[: self.samples - self.colours]

    @property
    def alpha_sample(self) -> int | None:
        """Index of the sample that is the alpha channel."""
        kinds = enumerate(self.extra_samples, self.colours)
        return next((index for index, kind in kinds if kind in {PREMULTIPLIED, ALPHA}), None)

    @property
    def is_premultiplied(self) -> bool:
        """Whether the colours are already multiplied with the alpha channel."""
        return self.alpha_sample is not None and self.extra_samples[self.alpha_sample - self.colours] == PREMULTIPLIED

    @property
    def is_subsampled(self) -> bool:
        """Whether several pixels share their colour. If the tag is missing, four pixels share it."""
        subsampling = integers(self.directory, self.order, tags.SUBSAMPLING, [2, 2])
        return self.photometric == YCBCR and set(subsampling) != {1}

    @property
    def palette(self) -> list[bytes]:
        """The red, the green and the blue values of a palette, with 8 bits each."""
        if self.bits > _MAX_PALETTE_BITS:
            raise ValueError(f"a palette for {self.bits} bits")
        size = 2**self.bits
        values = integers(self.directory, self.order, tags.COLOR_MAP)
        if len(values) < 3 * size:
            raise ValueError("the palette is incomplete")
        # Some programs write values of 8 bits in place of 16, and other programs accept them.
        shift = 0 if max(values) <= _MAX_BYTE else 8
        return [bytes(value >> shift & _MAX_BYTE for value in values[i * size : (i + 1) * size]) for i in range(3)]
