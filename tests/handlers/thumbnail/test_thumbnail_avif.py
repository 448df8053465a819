"""AVIF files that break a rule get the right thumbnail, if browsers or other decoders show them."""

import io
import struct
import time
from collections.abc import Callable

import pytest
from PIL import AvifImagePlugin

from tests.handlers.thumbnail import pictures
from tests.handlers.thumbnail.checks import (
    assert_made_or_rejected,
    assert_rejected,
    assert_shows_scene,
    good_picture,
    pixel,
    thumbnail_of,
)
from tests.handlers.thumbnail.heif_files import (
    add_property,
    box,
    change_box,
    clap,
    with_broken_gain_map,
    with_divided_associations,
    with_long_ids,
    without_property,
)
from tests.handlers.thumbnail.raw import SIZE

TRANSPARENT = pictures.TRANSPARENT_PICTURES["avif"]()
COLOUR, ALPHA = 1, 2
"""The ids of the two items of TRANSPARENT."""


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("rewrite", [bytes, with_long_ids], ids=["short", "long-ids"])
def test_a_file_with_one_list_of_properties_per_item_is_shown(
    rewrite: Callable[[bytes], bytes], *, is_reversed: bool
) -> None:
    divided = with_divided_associations(rewrite(TRANSPARENT), is_reversed=is_reversed)
    assert divided.count(b"ipma") > rewrite(TRANSPARENT).count(b"ipma")
    assert thumbnail_of(divided) == thumbnail_of(TRANSPARENT)


def test_the_visible_part_can_be_in_the_second_list_of_properties() -> None:
    cropped = add_property(TRANSPARENT, b"clap", clap(SIZE, (160, 0, 320, 100)))
    result = thumbnail_of(with_divided_associations(cropped, is_reversed=True))
    assert (result.source_width, result.source_height) == (160, 100)


@pytest.mark.parametrize("rewrite", [bytes, with_divided_associations], ids=["one-list", "two-lists"])
def test_a_transparency_without_a_size_has_the_size_of_the_picture(rewrite: Callable[[bytes], bytes]) -> None:
    without_size = rewrite(without_property(TRANSPARENT, ALPHA, b"ispe"))
    assert thumbnail_of(without_size) == thumbnail_of(TRANSPARENT)


def test_a_size_that_is_ambiguous_or_missing_is_damage() -> None:
    without_size = without_property(TRANSPARENT, ALPHA, b"ispe")
    other_size = box(b"ispe", bytes(4) + struct.pack(">II", 100, 75))
    assert_rejected(change_box(without_size, (b"meta", b"iprp", b"ipco"), lambda ipco: ipco + other_size), "damaged")
    assert_rejected(without_property(TRANSPARENT, COLOUR, b"ispe"), "damaged")


def test_a_file_without_depths_is_shown() -> None:
    assert thumbnail_of(without_property(TRANSPARENT, COLOUR, b"pixi")) == thumbnail_of(TRANSPARENT)
    assert thumbnail_of(without_property(TRANSPARENT, ALPHA, b"pixi")) == thumbnail_of(TRANSPARENT)


def test_groups_of_other_pictures_are_ignored() -> None:
    pyramid = box(b"pymd", struct.pack(">IIII", 0, 2, 1, COLOUR) + bytes(14))
    source = change_box(good_picture("avif"), (b"meta",), lambda meta: meta + box(b"grpl", pyramid))
    assert_shows_scene(thumbnail_of(source))


def test_a_broken_gain_map_is_ignored() -> None:
    result = thumbnail_of(with_broken_gain_map(TRANSPARENT))
    assert [pixel(result, x, 0.5)[3] for x in (0.25, 0.75)] == [255, 255]


def test_a_part_of_two_grids_is_not_supported() -> None:
    grids = b"".join(box(b"dimg", struct.pack(">3H", grid, 1, COLOUR)) for grid in (8, 9))
    source = change_box(good_picture("avif"), (b"meta",), lambda meta: meta + box(b"iref", bytes(4) + grids))
    assert_rejected(source, "^The picture is a kind of HEIF that is not supported")


@pytest.mark.parametrize("source", [good_picture("avif"), good_picture("avif-animated"), TRANSPARENT])
def test_a_file_that_breaks_no_rule_is_not_changed(source: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    decoder = AvifImagePlugin.AvifImageFile

    def record(file: io.BytesIO) -> AvifImagePlugin.AvifImageFile:
        decoded.append(file.getvalue())
        return decoder(file)

    monkeypatch.setattr(AvifImagePlugin, "AvifImageFile", record)
    thumbnail_of(source)
    assert decoded == [source]


def test_another_error_of_the_decoder_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("Failed to decode image: Invalid image grid")

    monkeypatch.setattr(AvifImagePlugin, "AvifImageFile", fail)
    assert_rejected(good_picture("avif"), "damaged")


# --- hostile files ---


def test_many_small_boxes_and_large_lists_take_little_time() -> None:
    source = good_picture("avif-animated")
    many_boxes = box(b"idat", bytes(20 << 20)) + box(b"free", b"") * 60_000
    many_entries = box(b"ipma", bytes(4) + struct.pack(">I", 6_000_000) + b"\0\7\0" * 6_000_000)
    for data in (
        change_box(source, (b"meta",), lambda meta: meta + many_boxes),
        change_box(source, (b"meta", b"iprp"), lambda iprp: iprp + many_entries),
    ):
        started = time.process_time()
        assert_made_or_rejected(data)
        assert time.process_time() - started < 2
