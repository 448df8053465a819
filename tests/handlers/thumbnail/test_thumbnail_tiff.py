"""TIFFs of unusual kinds get the right thumbnail, or are rejected with the reason that their kind is not supported."""

import functools
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.handlers.thumbnail import pictures, profiles, tiffs
from tests.handlers.thumbnail.checks import (
    MAX_EDGE,
    assert_made_or_rejected,
    assert_rejected,
    assert_shows_scene,
    assert_valid,
    is_close,
    pixel,
    thumbnail_of,
)
from tests.handlers.thumbnail.raw import HEIGHT, LONG, SHORT, WIDTH, Entries, tiff
from tests.support.fast import first_are_fast
from thumbnail.pictures import tiff_samples


@functools.cache
def tiff_named(name: str) -> bytes:
    """Return the TIFF of the scene, or of an unsupported kind, with this name."""
    return (tiffs.COLOUR_TIFFS | tiffs.UNSUPPORTED_TIFFS)[name]()


@pytest.mark.parametrize("name", tiffs.COLOUR_TIFFS)
def test_every_kind_of_tiff_keeps_its_colours(name: str) -> None:
    result = thumbnail_of(tiff_named(name))
    assert_valid(result)
    assert_shows_scene(result)
    assert pixel(result, 0.25, 0.25)[3] == 255
    assert (result.source_format, result.source_width, result.source_height) == ("TIFF", WIDTH, HEIGHT)


@pytest.mark.parametrize("name", tiffs.GREY_TIFFS)
def test_every_kind_of_grey_tiff_is_scaled_and_not_clipped(name: str) -> None:
    result = thumbnail_of(tiffs.GREY_TIFFS[name]())
    for x, grey in zip((0.125, 0.375, 0.625, 0.875), pictures.GREY_LEVELS, strict=True):
        assert is_close(pixel(result, x, 0.5), (grey, grey, grey, 255), tolerance=3)


@pytest.mark.parametrize("name", ["float", "float-in-planes", "float-tiles", "float-differences", "12-bits"])
def test_a_tiff_that_is_read_in_small_parts_keeps_its_colours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_samples, "_SLAB_BYTES", 10_000)
    monkeypatch.setattr(tiff_samples, "_PAGE_BYTES", 100_000)
    assert_shows_scene(thumbnail_of(tiff_named(name)))


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from([*tiffs.COLOUR_TIFFS]),
    flips=st.lists(st.tuples(st.integers(1, 300), st.integers(1, 255)), min_size=1, max_size=6),
)
def test_flipped_bits_in_the_directory_are_harmless(name: str, flips: list[tuple[int, int]]) -> None:
    data = bytearray(tiff_named(name))
    for position, bits in flips:
        data[-position] ^= bits  # the directory is at the end
    assert_made_or_rejected(bytes(data))


@pytest.mark.parametrize("layout", ["together", "in-planes"])
@pytest.mark.parametrize("is_premultiplied", [True, False])
@pytest.mark.parametrize(("code", "opaque"), [("<B", 255), ("<H", 65_535), (">H", 65_535), (">f", 1)])
def test_the_alpha_channel_of_a_grey_tiff(code: str, opaque: int, is_premultiplied: bool, layout: str) -> None:  # noqa: FBT001
    result = thumbnail_of(tiffs.half_transparent_tiffs(code, opaque, is_premultiplied=is_premultiplied)[layout])
    assert is_close(pixel(result, 0.5, 0.5), (100, 100, 100, 128), tolerance=3)


@pytest.mark.parametrize("is_premultiplied", [True, False])
def test_the_alpha_channel_of_a_grey_tiff_in_which_0_is_white(is_premultiplied: bool) -> None:  # noqa: FBT001
    tiffs_by_layout = tiffs.half_transparent_tiffs("<H", 65_535, is_premultiplied=is_premultiplied, photometric=0)
    for data in tiffs_by_layout.values():
        assert is_close(pixel(thumbnail_of(data), 0.5, 0.5), (155, 155, 155, 128), tolerance=3)


def test_the_inks_of_a_premultiplied_cmyk_tiff_are_divided_by_the_alpha_channel() -> None:
    assert is_close(pixel(thumbnail_of(tiffs.premultiplied_cmyk()), 0.5, 0.5), (155, 255, 255, 128), tolerance=4)


def test_cmyk_with_an_alpha_channel_is_converted_with_its_profile() -> None:
    result = thumbnail_of(tiffs.cmyk_with_alpha_and_profile(profiles.black_only_profile()))
    assert is_close(pixel(result, 0.5, 0.5), (255, 255, 255, 255))


def test_a_strip_that_needs_too_much_memory_is_rejected() -> None:
    assert_rejected(tiffs.large_strip_of_doubles(), "kind.*not supported")


@pytest.mark.parametrize("name", tiffs.UNSUPPORTED_TIFFS)
def test_a_tiff_of_an_unsupported_kind_is_rejected(name: str) -> None:
    assert_rejected(tiffs.UNSUPPORTED_TIFFS[name](), "kind.*not supported")


@pytest.mark.parametrize("name", first_are_fast(5, [*tiffs.COLOUR_TIFFS, *tiffs.UNSUPPORTED_TIFFS]))
def test_a_cut_off_tiff_is_harmless(name: str) -> None:
    whole = tiff_named(name)
    for end in (7, 15, len(whole) // 2, len(whole) - 20, len(whole) - 1):
        assert_made_or_rejected(whole[:end])


def test_the_places_of_many_tiles_are_read() -> None:
    """A picture of 41 megapixels has 160,000 tiles of 16 x 16 pixels."""
    result = thumbnail_of(tiffs.tiff_with_many_tiles(6400))
    assert (result.source_width, result.source_height) == (6400, 6400)
    assert pixel(result, 0.99, 0.99) == (255, 255, 255, 255)


def test_a_tiff_with_too_few_tiles_is_rejected() -> None:
    """Pillow would leave the other tiles black."""
    few_tiles: Entries = {257: (LONG, [2 * HEIGHT])}
    assert_rejected(tiff([8], 1, pictures.grey_bars("B"), tags={**few_tiles}), "damaged")


@pytest.mark.parametrize("xmp", [1, 6, 8])
@pytest.mark.parametrize("tag", [None, 1, 3, 6, 8])
def test_only_the_tiff_tag_defines_the_orientation(tag: int | None, xmp: int) -> None:
    """Pillow also uses the orientation in the XMP metadata, and then reports the wrong size."""
    result = thumbnail_of(tiffs.tiff_with_two_orientations(tag, xmp))
    is_sideways = tag in {6, 8}
    assert (result.source_width, result.source_height) == ((HEIGHT, WIDTH) if is_sideways else (WIDTH, HEIGHT))
    clockwise_turns = {6: 1, 3: 2, 8: 3}.get(tag or 1, 0)
    for x, y, colour in pictures.QUARTERS:
        for _ in range(clockwise_turns):
            x, y = 1 - y, x  # noqa: PLW2901
        assert is_close(pixel(result, x, y), colour)


@pytest.mark.parametrize(
    "tags", [{34665: (LONG, [2**32 - 1])}, {34665: (SHORT, [8])}, {34853: (LONG, [0])}, {700: (LONG, [1, 2])}]
)
def test_broken_metadata_is_ignored(tags: Entries) -> None:
    assert_shows_scene(thumbnail_of(tiff([8] * 3, 2, pictures.scene().tobytes(), tags=tags)))


def test_the_first_picture_of_a_tiff_counts_even_if_it_is_a_small_copy() -> None:
    """A raw picture of a camera (DNG) begins with a small copy. The raw pixels are of an unsupported kind."""
    result = thumbnail_of(tiff([8] * 3, 2, pictures.scene().tobytes(), tags={254: (LONG, [1])}))
    assert_shows_scene(result)
    assert max(result.width, result.height) == MAX_EDGE


def test_infinite_colours_make_a_thumbnail() -> None:
    pixels = pictures.grey_bars("<f", -math.inf, math.inf)
    assert_valid(thumbnail_of(tiff([32] * 3, 2, pixels * 3, tags=tiffs.sample_format(3, 3))))
