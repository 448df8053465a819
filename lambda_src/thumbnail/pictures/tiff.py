"""Decodes the first picture of a TIFF. The others are further pages, or copies of the first in other sizes.

Pillow decodes the usual kinds. It rejects many of the other kinds, and reads some of them wrongly without an error.
The module thumbnail.pictures.tiff_samples reads these kinds.
"""

from typing import BinaryIO

from PIL import Image, ImageChops, TiffImagePlugin, UnidentifiedImageError

from thumbnail.pictures import tiff_tags as tags
from thumbnail.pictures.colours import to_srgb
from thumbnail.pictures.file_colours import Colours
from thumbnail.pictures.tiff_layout import LAB, PALETTE, UNSIGNED, WHITE_IS_ZERO, Layout
from thumbnail.pictures.tiff_samples import SampleReader
from thumbnail.pictures.tiff_tags import Directory, longs, shorts, with_directories

# Pillow's own decoder of uncompressed pictures reads separate planes of 16 bits and subsampled colours wrongly, and
# creates several Python objects for each tile. So libtiff decodes all pictures, as it does for compressed pictures.
TiffImagePlugin.READ_LIBTIFF = True

_MAX_BITS = 16


def decode(layout: Layout, source: BinaryIO) -> Image.Image:
    """Return the picture, not yet turned upright. Its ICC profile is in its `info`.

    Raises UnsupportedError if its kind cannot be decoded, and many kinds of exceptions if it is damaged.
    """
    source.seek(0)
    data = source.read()
    picture = _decode_with_pillow(layout, data) or _decode_samples(layout, data)
    picture.format = "TIFF"
    return picture


def _decode_with_pillow(layout: Layout, data: bytes) -> Image.Image | None:
    """Return the picture, or None if Pillow does not support its kind or reads it wrongly."""
    if not _can_pillow_read(layout):
        return None
    file = with_directories(data, layout.order, [_canonical_directory(layout)])
    try:
        picture = Image.open(file, formats=["TIFF"])
    except UnidentifiedImageError:
        return None
    picture.load()
    picture.info["icc_profile"] = _icc_profile(layout)
    return picture


def _can_pillow_read(layout: Layout) -> bool:
    """Return False for the kinds that Pillow 13.0 reads wrongly without an error. It reads or rejects all others."""
    is_wide = layout.sample_format != UNSIGNED or layout.bits > _MAX_BITS
    has_wrong_planes = layout.planes > 1 and (layout.planes > layout.colours or layout.photometric == LAB)
    has_packed_differences = layout.predictor != 1 and layout.bits % 8
    return not (is_wide or has_wrong_planes or has_packed_differences)


def _canonical_directory(layout: Layout) -> Directory:
    order, copied_tags = layout.order, (tags.FILL_ORDER, tags.PREDICTOR, tags.EXTRA_SAMPLES, *tags.CODEC_TAGS)
    directory = {tag: layout.directory[tag] for tag in copied_tags if tag in layout.directory}
    directory |= {
        tags.WIDTH: longs(order, layout.width),
        tags.LENGTH: longs(order, layout.height),
        tags.BITS: shorts(order, *[layout.bits] * layout.samples),
        tags.COMPRESSION: shorts(order, layout.compression),
        tags.PHOTOMETRIC: shorts(order, layout.photometric),
        tags.SAMPLES: shorts(order, layout.samples),
        tags.PLANAR: shorts(order, 1 if layout.planes == 1 else 2),
        tags.SAMPLE_FORMAT: shorts(order, *[layout.sample_format] * layout.samples),
        **layout.tile_tags(slice(0, layout.tiles), layout.tile_width),
    }
    if layout.photometric == PALETTE:
        directory[tags.COLOR_MAP] = shorts(order, *(value * 257 for band in layout.palette for value in band))
    return directory


def _icc_profile(layout: Layout) -> bytes | None:
    profile = layout.directory.get(tags.ICC_PROFILE)
    return profile.data if profile else None


def _decode_samples(layout: Layout, data: bytes) -> Image.Image:
    """Return the picture with 8 bits per channel."""
    reader = SampleReader(layout, data)
    bands = reader.read_palette_colours() if layout.photometric == PALETTE else reader.read_bands()
    alpha = bands.pop() if len(bands) > Image.getmodebands(layout.mode) else None
    if alpha and layout.is_premultiplied:
        bands = [Image.merge("La", [band, alpha]).convert("LA").getchannel("L") for band in bands]
    if layout.photometric == WHITE_IS_ZERO:
        bands = [ImageChops.invert(band) for band in bands]
    if layout.photometric == LAB:  # Pillow stores a and b as unsigned numbers
        bands[1:] = [band.point([value ^ 128 for value in range(256)]) for band in bands[1:]]
    picture = Image.merge(layout.mode, bands)
    profile = _icc_profile(layout)
    if alpha and layout.mode in {"L", "RGB"}:
        picture = Image.merge(layout.mode + "A", [*bands, alpha])
    elif alpha:  # Pillow has no mode for these colours with an alpha channel
        picture, profile = to_srgb(picture, Colours(profile)), None
        picture.putalpha(alpha)
    picture.info["icc_profile"] = profile
    return picture
