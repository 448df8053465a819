"""BMPs of unusual kinds get the right thumbnail, or are rejected with the reason that their kind is not supported."""

import pytest
from PIL import Image

from tests.handlers.thumbnail import bmps, profiles
from tests.handlers.thumbnail.checks import (
    assert_made_or_rejected,
    assert_rejected,
    assert_shows_scene,
    assert_valid,
    is_close,
    pixel,
    thumbnail_of,
)
from tests.handlers.thumbnail.pictures import RED
from tests.handlers.thumbnail.raw import HEIGHT, WIDTH


@pytest.mark.parametrize("name", bmps.COLOUR_BMPS)
def test_every_kind_of_bmp_keeps_its_colours(name: str) -> None:
    result = thumbnail_of(bmps.COLOUR_BMPS[name]())
    assert_valid(result)
    assert_shows_scene(result)
    assert pixel(result, 0.25, 0.25)[3] == 255
    assert (result.source_format, result.source_width, result.source_height) == ("BMP", WIDTH, HEIGHT)


@pytest.mark.parametrize("name", [name for name, (_, masks) in bmps.MASKS_BY_NAME.items() if masks[3]])
def test_the_alpha_channel_of_a_bmp_makes_pixels_transparent(name: str) -> None:
    image = Image.new("RGBA", (WIDTH, HEIGHT), (*RED, 255))
    image.paste((255, 255, 255, 0), (0, 0, WIDTH // 2, HEIGHT))
    result = thumbnail_of(bmps.masked(*bmps.MASKS_BY_NAME[name], image))
    assert pixel(result, 0.25, 0.5)[3] == 0
    assert is_close(pixel(result, 0.75, 0.5), (*RED, 255))


@pytest.mark.parametrize(
    ("bits", "masks", "alpha"),
    [
        (16, (0x0F00, 0x00F0, 0x000F, 0xF000), 5 * 255 / 15),
        (32, (0xFF0000, 0xFF00, 0xFF, 0x1F000000), 3 * 255 / 31),
    ],
)
def test_an_alpha_channel_can_have_few_bits(bits: int, masks: bmps.Masks, alpha: float) -> None:
    image = Image.new("RGBA", (WIDTH, HEIGHT), (255, 0, 0, round(alpha)))
    assert pixel(thumbnail_of(bmps.masked(bits, masks, image)), 0.5, 0.5)[3] == round(alpha)


def test_an_unused_alpha_channel_is_ignored() -> None:
    """Some programs store an alpha channel of zeros. Browsers show such a picture as opaque."""
    result = thumbnail_of(bmps.with_unused_alpha())
    assert_shows_scene(result)
    assert pixel(result, 0.25, 0.25)[3] == 255


def test_the_colours_of_a_bmp_are_converted_from_the_embedded_profile() -> None:
    result = thumbnail_of(bmps.with_profile(b"MBED", profiles.swapped_profile()))
    assert is_close(pixel(result, 0.25, 0.25), (RED[1], RED[0], RED[2]))
    assert_shows_scene(thumbnail_of(bmps.with_profile(b"LINK", b"C:\\swapped.icc\0")))
    assert_shows_scene(thumbnail_of(bmps.with_profile(b"MBED", b"rubbish")))


@pytest.mark.parametrize("name", bmps.UNSUPPORTED_BMPS)
def test_a_bmp_of_an_unsupported_kind_is_rejected(name: str) -> None:
    assert_rejected(bmps.UNSUPPORTED_BMPS[name](), "kind.*not supported")


@pytest.mark.parametrize("name", bmps.COLOUR_BMPS)
def test_a_cut_off_bmp_is_harmless(name: str) -> None:
    whole = bmps.COLOUR_BMPS[name]()
    assert_rejected(whole[: len(whole) // 2], "damaged")
    for end in range(0, 140, 7):
        assert_made_or_rejected(whole[:end])
