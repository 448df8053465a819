"""Good pictures of every format, mode, orientation, colour profile and size get the right thumbnail."""

import io
import math
import random
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

import thumbnail.imaging
from tests.handlers.thumbnail import pictures, profiles
from tests.handlers.thumbnail.checks import (
    MAX_EDGE,
    MAX_PIXELS,
    assert_shows_scene,
    assert_valid,
    good_picture,
    is_close,
    open_rgba,
    pixel,
    thumbnail_of,
)
from tests.handlers.thumbnail.pictures import GREEN, RED, SECRET
from tests.handlers.thumbnail.raw import HEIGHT, WIDTH
from tests.support.fast import first_are_fast
from thumbnail.imaging import make_thumbnail

# --- colours ---


@pytest.mark.parametrize("max_edge", first_are_fast(1, [MAX_EDGE, WIDTH]), ids=["shrunk", "same-size"])
@pytest.mark.parametrize("name", pictures.GOOD_PICTURES)
def test_every_format_and_mode_keeps_its_colours(name: str, max_edge: int) -> None:
    result = thumbnail_of(good_picture(name), max_edge)
    assert_valid(result, max_edge)
    assert_shows_scene(result)
    assert (result.width, result.height) == (max_edge, max_edge * HEIGHT // WIDTH)
    assert (result.source_width, result.source_height) == (WIDTH, HEIGHT)
    assert result.source_format == name.partition("-")[0].upper()
    assert thumbnail_of(good_picture(name), max_edge).data == result.data, "the same picture gives other bytes"


@pytest.mark.parametrize("name", pictures.GREY_PICTURES)
def test_every_depth_of_grey_is_scaled_and_not_clipped(name: str) -> None:
    result = thumbnail_of(pictures.GREY_PICTURES[name]())
    for x, grey in zip((0.125, 0.375, 0.625, 0.875), pictures.GREY_LEVELS, strict=True):
        assert is_close(pixel(result, x, 0.5), (grey, grey, grey, 255), tolerance=3)


@pytest.mark.parametrize("name", pictures.FLOAT_PICTURES_WITHOUT_RANGE)
def test_float_values_without_a_range_make_a_thumbnail(name: str) -> None:
    assert_valid(thumbnail_of(pictures.FLOAT_PICTURES_WITHOUT_RANGE[name]()))


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP", "GIF"])
def test_a_black_and_white_pattern_becomes_grey(file_format: str) -> None:
    result = thumbnail_of(pictures.black_and_white_picture(file_format))
    assert is_close(pixel(result, 0.25, 0.5), (0, 0, 0))
    assert is_close(pixel(result, 0.75, 0.5), (128, 128, 128), tolerance=12)


@pytest.mark.parametrize(
    ("picture", "colour"),
    [pytest.param(picture, RED, id=name) for name, picture in pictures.TRANSPARENT_PICTURES.items()]
    + [
        pytest.param(picture, (128, 128, 128), id=f"grey-{n}")
        for n, picture in pictures.TRANSPARENT_GREY_PICTURES.items()
    ],
)
def test_the_colour_of_transparent_pixels_does_not_mix_into_the_visible_edge(
    picture: pictures.Picture, colour: tuple[int, ...]
) -> None:
    result = thumbnail_of(picture(), max_edge=81)  # an odd width: the middle column lies between both halves
    assert_valid(result, max_edge=81)
    assert pixel(result, 0.25, 0.5)[3] == 0
    assert is_close(pixel(result, 0.75, 0.5), (*colour, 255))
    image = open_rgba(result)
    row = [image.getpixel((x, result.height // 2)) for x in range(result.width)]
    edge = [value for value in row if isinstance(value, tuple) and 60 < value[3] < 250]
    assert all(is_close(value, colour, tolerance=40) for value in edge)


# --- orientation and other metadata ---

JPEG_OPTIONS: dict[str, object] = {"quality": 95, "subsampling": 0}
FORMATS_WITH_ORIENTATION: list[tuple[str, dict[str, object]]] = [
    ("JPEG", JPEG_OPTIONS),
    ("PNG", {}),
    ("WEBP", {"quality": 95}),
    ("AVIF", {"quality": 90, "speed": 10}),
    ("HEIF", pictures.HEIC_OPTIONS),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),  # Pillow loads a compressed TIFF with different code
]


# 6 is a picture of a camera that was turned, and 5 is also mirrored.
@pytest.mark.parametrize("orientation", first_are_fast(2, [6, 5, 1, 2, 3, 4, 7, 8]))
@pytest.mark.parametrize(("file_format", "options"), FORMATS_WITH_ORIENTATION)
def test_pictures_are_turned_upright(file_format: str, options: Mapping[str, object], orientation: int) -> None:
    source = pictures.oriented_picture(orientation, file_format, **options)
    for max_edge in (MAX_EDGE, WIDTH):  # a thumbnail that is smaller, and one of the same size
        result = thumbnail_of(source, max_edge)
        assert_valid(result, max_edge)
        assert_shows_scene(result)
        assert (result.source_width, result.source_height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("exif", [b"rubbish", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff"])
@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_a_picture_with_broken_exif_is_not_rejected(file_format: str, exif: bytes) -> None:
    picture = pictures.save(pictures.scene(), file_format, exif=b"Exif\0\0" + exif, quality=95)
    assert_shows_scene(thumbnail_of(picture))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_a_thumbnail_contains_no_metadata(file_format: str) -> None:
    source = pictures.picture_with_all_metadata(file_format)
    assert SECRET in source
    result = thumbnail_of(source)
    assert_valid(result)
    assert SECRET not in result.data


# --- colour profiles ---


@pytest.mark.parametrize(
    ("mode", "file_format", "options"),
    [
        ("RGB", "JPEG", JPEG_OPTIONS),
        ("RGB", "PNG", {}),
        ("RGBA", "PNG", {}),
        ("P", "PNG", {}),
        ("RGB", "WEBP", {"quality": 95}),
        ("RGB", "AVIF", {"quality": 90, "speed": 10}),
        ("RGB", "HEIF", pictures.HEIC_OPTIONS),
        ("RGB", "TIFF", {}),
        ("YCbCr", "TIFF", {}),
    ],
)
def test_colours_are_converted_from_the_embedded_profile(
    mode: str, file_format: str, options: Mapping[str, object]
) -> None:
    image = pictures.scene().quantize(8) if mode == "P" else pictures.scene().convert(mode)
    result = thumbnail_of(pictures.save(image, file_format, icc_profile=profiles.swapped_profile(), **options))
    assert is_close(pixel(result, 0.25, 0.25), (30, 220, 40))  # RED with red and green exchanged
    assert is_close(pixel(result, 0.75, 0.25), (160, 20, 60))  # GREEN, also with red and green exchanged


def test_a_profile_does_not_change_transparency() -> None:
    image = Image.new("RGBA", (40, 40), (*RED, 255))
    image.paste((0, 0, 0, 0), (0, 0, 20, 40))
    result = thumbnail_of(pictures.save(image, "PNG", icc_profile=profiles.swapped_profile()))
    assert pixel(result, 0.2, 0.5)[3] == 0
    assert pixel(result, 0.8, 0.5)[1] > 180


@pytest.mark.parametrize(
    ("mode", "profile"),
    [("L", profiles.linear_grey_profile), ("LA", profiles.linear_grey_profile)]
    + [(mode, profiles.linear_profile) for mode in ("L", "LA", "RGB", "P")],
)
def test_a_grey_picture_is_converted_from_a_grey_or_colour_profile(mode: str, profile: Callable[[], bytes]) -> None:
    source = pictures.save(Image.new("L", (40, 40), 55).convert(mode), "PNG", icc_profile=profile())
    assert is_close(pixel(thumbnail_of(source), 0.5, 0.5), (128, 128, 128))


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk_is_converted_with_and_without_a_profile(file_format: str) -> None:
    cyan = Image.new("CMYK", (40, 40), (255, 0, 0, 0))
    without_profile = thumbnail_of(pictures.save(cyan, file_format))
    assert is_close(pixel(without_profile, 0.5, 0.5), (0, 255, 255))
    with_profile = thumbnail_of(pictures.save(cyan, file_format, icc_profile=profiles.black_only_profile()))
    assert is_close(pixel(with_profile, 0.5, 0.5), (255, 255, 255))


@pytest.mark.parametrize("profile", profiles.broken_profiles().values(), ids=profiles.broken_profiles())
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    assert_shows_scene(thumbnail_of(pictures.jpeg(icc_profile=profile)))
    assert_shows_scene(thumbnail_of(pictures.save(pictures.scene(), "PNG", icc_profile=profile)))


# --- sizes ---


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 500), st.integers(1, 500)),
    max_edge=st.integers(1, 300),
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    file_format=st.sampled_from(["JPEG", "PNG", "BMP", "TIFF"]),
)
@example(size=(10_000, 1), max_edge=80, colour=GREEN, file_format="JPEG")
@example(size=(1, 10_000), max_edge=80, colour=GREEN, file_format="PNG")
@example(size=(8_000, 99), max_edge=80, colour=GREEN, file_format="JPEG")
@example(size=(81, 80), max_edge=80, colour=GREEN, file_format="PNG")
@example(size=(1, 1), max_edge=80, colour=GREEN, file_format="JPEG")
def test_any_size_keeps_its_aspect_and_colour(
    size: tuple[int, int], max_edge: int, colour: tuple[int, int, int], file_format: str
) -> None:
    result = thumbnail_of(pictures.save(Image.new("RGB", size, colour), file_format), max_edge)
    assert (result.source_width, result.source_height) == size
    assert_valid(result, max_edge)
    assert is_close(pixel(result, 0.5, 0.5), colour)


@pytest.mark.slow  # makes large pictures
@pytest.mark.parametrize("size", [(1025, 769), (4001, 3), (999, 1300)])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_shrinking_in_two_steps_looks_like_shrinking_in_one_step(file_format: str, size: tuple[int, int]) -> None:
    random_bytes = random.Random(1).randbytes(97 * 61)  # noqa: S311 - the same picture in every test run
    noise = Image.frombytes("L", (97, 61), random_bytes).resize(size, Image.Resampling.BICUBIC)
    data = pictures.save(noise, file_format)
    source = io.BytesIO(data)
    shrunk = thumbnail.imaging._decode_and_shrink(Image.open(source), source, MAX_EDGE)
    expected = Image.open(io.BytesIO(data)).resize(shrunk.size, Image.Resampling.LANCZOS)
    pairs = zip(shrunk.tobytes(), expected.tobytes(), strict=True)
    mean_square = statistics.fmean((a - b) ** 2 for a, b in pairs)
    assert 10 * math.log10(255**2 / mean_square) > 40  # decibels; above 40, even a trained eye sees no difference


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_fine_lines_become_grey_and_not_a_pattern(file_format: str) -> None:
    """A pattern would show that shrinking skips rows of the picture."""
    lines = Image.frombytes("L", (2000, 2000), (bytes(2000) + b"\xff" * 2000) * 1000)
    result = thumbnail_of(pictures.save(lines, file_format))
    assert all(120 <= value <= 136 for value in open_rgba(result).convert("L").tobytes())


# --- the function's arguments and errors ---


@pytest.mark.parametrize(("max_edge", "max_pixels"), [(0, 1), (-1, 1), (16_384, 1), (1, 0), (1, 178_956_971)])
def test_limits_out_of_range_are_an_error(max_edge: int, max_pixels: int) -> None:
    with pytest.raises(ValueError, match="must be from 1 to"):
        thumbnail_of(good_picture("jpeg"), max_edge, max_pixels)


@pytest.mark.parametrize("name", ["jpeg", "tiff-lzw", "webp", "avif", "heic"])
def test_a_file_on_disk_gives_the_same_thumbnail_as_bytes_in_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(good_picture(name))
    with path.open("rb") as file:
        file.seek(7)  # the function must start at the beginning of the file, not at this position
        assert make_thumbnail(file, max_edge=MAX_EDGE, max_pixels=MAX_PIXELS) == thumbnail_of(good_picture(name))
        assert not file.closed


@pytest.mark.parametrize(("method", "error"), [("resize", MemoryError), ("save", OSError)])
def test_an_error_of_the_machine_is_not_reported_as_a_bad_picture(
    method: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image.Image, method, fail)
    with pytest.raises(error, match=r"^$"):
        thumbnail_of(good_picture("jpeg"))
