"""AVIF and HEIC pictures are cropped and turned as their files say, and their colour space is known."""

import io
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image, ImageOps

import thumbnail.imaging
from tests.handlers.thumbnail import heif_files, pictures, profiles
from tests.handlers.thumbnail.checks import (
    MAX_EDGE,
    assert_rejected,
    assert_shows_scene,
    assert_valid,
    good_picture,
    is_close,
    open_rgba,
    pixel,
    thumbnail_of,
)
from tests.handlers.thumbnail.heif_files import add_frame_property, add_property, clap, nclx
from tests.handlers.thumbnail.pictures import AVIF_OPTIONS, BLUE, GREEN, HEIC_OPTIONS, QUARTERS, RED, WHITE
from tests.handlers.thumbnail.raw import HEIGHT, SIZE, WIDTH
from tests.support.fast import first_are_fast
from thumbnail.pictures.file_colours import CodedColours
from thumbnail.pictures.heif import HeifPicture, is_heif, read_heif

LEFT_HALF = (0, 0, WIDTH // 2, HEIGHT)
ADD_PROPERTY = {"avif": add_property, "heic": add_property, "avif-animated": add_frame_property}
OPTIONS = {"AVIF": AVIF_OPTIONS, "HEIF": HEIC_OPTIONS}


def heif_of(data: bytes) -> HeifPicture:
    return read_heif(io.BytesIO(data))


def cropped(name: str, visible: tuple[int, int, int, int]) -> bytes:
    return ADD_PROPERTY[name](good_picture(name), b"clap", clap(SIZE, visible))


# --- cropped pictures ---


@pytest.mark.parametrize("max_edge", first_are_fast(1, [MAX_EDGE, WIDTH]), ids=["shrunk", "same-size"])
@pytest.mark.parametrize(
    ("visible", "colour"),
    [
        ((0, 0, 160, 100), RED),
        ((160, 0, 320, 100), GREEN),
        ((0, 100, 160, 200), BLUE),
        ((160, 100, 320, 200), WHITE),
    ],
)
@pytest.mark.parametrize("name", ADD_PROPERTY)
def test_a_thumbnail_shows_nothing_that_the_owner_cropped_away(
    name: str, visible: tuple[int, int, int, int], colour: tuple[int, ...], max_edge: int
) -> None:
    result = thumbnail_of(cropped(name, visible), max_edge)
    assert_valid(result, max_edge)
    assert (result.source_width, result.source_height) == (160, 100)
    bands = open_rgba(result).convert("RGB").split()
    for extreme in zip(*(band.getextrema() for band in bands), strict=True):  # the lowest and the highest values
        assert is_close(extreme, colour)


@pytest.mark.parametrize(("brand", "is_cropped"), [(b"avif", True), (b"avis", False), (b"mif1", False)])
def test_the_first_brand_of_an_animation_decides_whether_its_frames_or_its_still_picture_is_shown(
    brand: bytes, *, is_cropped: bool
) -> None:
    source = add_property(good_picture("avif-animated"), b"clap", clap(SIZE, (160, 0, 320, 100)))
    result = thumbnail_of(source.replace(b"ftypavis", b"ftyp" + brand))
    assert (result.source_width, result.source_height) == ((160, 100) if is_cropped else SIZE)
    assert is_close(pixel(result, 0.1, 0.1), GREEN if is_cropped else RED)


def test_the_visible_part_of_an_animation_is_not_taken_from_its_track_of_transparency() -> None:
    frames = [pictures.scene().convert("RGBA"), Image.new("RGBA", SIZE)]
    source = pictures.save(frames[0], "AVIF", save_all=True, append_images=frames[1:], **AVIF_OPTIONS)
    cropped_source = add_frame_property(source, b"clap", clap(SIZE, (160, 0, 320, 100)))

    def exchange_tracks(moov: bytes) -> bytes:
        first, *middle, last = heif_files.boxes(moov)
        assert first[0] == b"mvhd"
        return b"".join(heif_files.box(*one) for one in (first, last, *middle))

    exchanged = heif_files.change_box(cropped_source, (b"moov",), exchange_tracks)
    assert b"auxl" in exchanged[exchanged.rindex(b"moov") :]
    assert exchanged.rindex(b"auxl") < exchanged.rindex(b"clap")
    for data in (cropped_source, exchanged):
        result = thumbnail_of(data)
        assert (result.source_width, result.source_height) == (160, 100)


@pytest.mark.parametrize("visible", [(0, 0, 320, 200), (1, 0, 2, 200), (0, 199, 320, 200), (7, 11, 318, 96)])
@pytest.mark.parametrize("name", ADD_PROPERTY)
def test_a_picture_can_be_cropped_at_every_pixel(name: str, visible: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = visible
    result = thumbnail_of(cropped(name, visible))
    assert (result.source_width, result.source_height) == (right - left, bottom - top)


@pytest.mark.parametrize("mirror", [None, 0, 1])
@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("name", ADD_PROPERTY)
def test_a_picture_is_first_cropped_and_then_turned_and_then_mirrored(
    name: str, quarters: int, mirror: int | None
) -> None:
    visible = (60, 40, 310, 180)
    source = cropped(name, visible)
    expected = pictures.scene().crop(visible)
    if quarters:
        source = ADD_PROPERTY[name](source, b"irot", bytes([quarters]))
        expected = expected.rotate(90 * quarters, expand=True)  # both turn anticlockwise
    if mirror is not None:
        source = ADD_PROPERTY[name](source, b"imir", bytes([mirror]))
        expected = (ImageOps.flip, ImageOps.mirror)[mirror](expected)
    result = thumbnail_of(source, WIDTH)
    assert (result.width, result.height) == (result.source_width, result.source_height) == expected.size
    for x, y, _ in QUARTERS:
        colour = expected.getpixel((int(x * expected.width), int(y * expected.height)))
        assert isinstance(colour, tuple)
        assert is_close(pixel(result, x, y), colour)


VALID_CLAP = (160, 1, 100, 1, 0, 1, 0, 1)
INVALID_CLAPS = {
    "outside-left": (160, 1, 100, 1, -81, 1, 0, 1),
    "outside-right": (160, 1, 100, 1, 81, 1, 0, 1),
    "outside-top": (160, 1, 100, 1, 0, 1, -51, 1),
    "outside-bottom": (160, 1, 100, 1, 0, 1, 51, 1),
    "larger": (322, 1, 202, 1, 0, 1, 0, 1),
    "no-width": (0, 1, 100, 1, 0, 1, 0, 1),
    "negative-height": (160, 1, -100, 1, 0, 1, 0, 1),
    "half-a-pixel-wide": (321, 2, 100, 1, 0, 1, 0, 1),
    "between-two-pixels": (160, 1, 100, 1, 1, 3, 0, 1),
    "no-divisor": (160, 0, 100, 1, 0, 1, 0, 1),
    "no-divisor-of-an-offset": (160, 1, 100, 1, 0, 1, 0, 0),
    "negative-divisor": (-160, -1, 100, 1, 0, 1, 0, 1),
}


@pytest.mark.parametrize("numbers", INVALID_CLAPS.values(), ids=INVALID_CLAPS)
@pytest.mark.parametrize("name", ["avif", "avif-animated"])
def test_an_avif_with_an_invalid_visible_part_is_rejected(name: str, numbers: tuple[int, ...]) -> None:
    def picture(numbers: tuple[int, ...]) -> bytes:
        return ADD_PROPERTY[name](good_picture(name), b"clap", struct.pack(">8i", *numbers))

    assert thumbnail_of(picture(VALID_CLAP)).source_width == 160
    assert_rejected(picture(numbers), "damaged")


def test_fractions_of_the_visible_part_are_exact() -> None:
    numbers = (2**31 - 2, 2**30 - 1, 2**31 - 2, 2**30 - 1, -99 * 2**23, 2**24, -74 * 2**23, 2**24)
    picture = pictures.save(pictures.scene((101, 76)), "AVIF")
    heif = heif_of(add_property(picture, b"clap", struct.pack(">8i", *numbers)))
    assert heif.crop_box((101, 76)) == (0, 0, 2, 2)


@pytest.mark.parametrize("kinds", [(b"irot", b"clap"), (b"imir", b"clap"), (b"clap", b"clap"), (b"irot", b"irot")])
def test_an_avif_whose_cropping_and_turning_is_ambiguous_is_rejected(kinds: tuple[bytes, bytes]) -> None:
    contents = {b"irot": b"\1", b"imir": b"\0", b"clap": clap(SIZE, LEFT_HALF)}
    source = good_picture("avif")
    for kind in kinds:
        source = add_property(source, kind, contents[kind])
    assert_rejected(source, "damaged")


def test_a_heic_that_is_cropped_outside_its_edge_shows_only_the_part_inside() -> None:
    source = add_property(good_picture("heic"), b"clap", clap(SIZE, (240, 0, 400, 100)))
    result = thumbnail_of(source)
    assert_valid(result)
    assert (result.source_width, result.source_height) == (80, 100)
    assert is_close(pixel(result, 0.5, 0.5), GREEN)


def test_a_heic_can_be_turned_before_it_is_cropped() -> None:
    turned = add_property(good_picture("heic"), b"irot", b"\1")
    result = thumbnail_of(add_property(turned, b"clap", clap((HEIGHT, WIDTH), (0, 0, 100, 160))))
    assert (result.source_width, result.source_height) == (100, 160)
    assert is_close(pixel(result, 0.5, 0.5), GREEN)


@pytest.mark.parametrize("name", ["avif", "heic"])
def test_the_limit_of_pixels_applies_to_the_whole_picture_and_not_to_its_visible_part(name: str) -> None:
    source = cropped(name, (0, 0, 10, 10))
    assert_rejected(source, "has 64,000 pixels", max_pixels=WIDTH * HEIGHT - 1)
    assert thumbnail_of(source, max_pixels=WIDTH * HEIGHT).source_width == 10


# --- the orientation in EXIF and in XMP has no effect, because viewers ignore it in these formats ---

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


def with_exif_orientation(file_format: str, orientation: int) -> bytes:
    # The encoders turn the orientation into a property. So it is first written with another number of the tag.
    exif = Image.Exif()
    exif[pictures.ORIENTATION + 1] = orientation
    source = pictures.save(pictures.scene(), file_format, exif=exif.tobytes(), **OPTIONS[file_format])
    return source.replace(b"\x01\x13\x00\x03", b"\x01\x12\x00\x03")


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("file_format", OPTIONS)
def test_the_orientation_in_exif_does_not_turn_the_picture(file_format: str, orientation: int) -> None:
    source = with_exif_orientation(file_format, orientation)
    assert struct.pack(">HHIH", 0x0112, 3, 1, orientation) in source
    assert_shows_scene(thumbnail_of(source))
    turned = thumbnail_of(add_property(source, b"irot", b"\1"))
    assert (turned.source_width, turned.source_height) == (HEIGHT, WIDTH)
    assert is_close(pixel(turned, 0.25, 0.25), GREEN)


@pytest.mark.parametrize("is_animated", [False, True], ids=["still", "animated"])
@pytest.mark.parametrize("file_format", OPTIONS)
def test_a_picture_with_broken_exif_is_shown(file_format: str, *, is_animated: bool) -> None:
    exif = Image.Exif()
    exif[pictures.ORIENTATION + 1] = 6
    frames = [pictures.scene(), Image.new("RGB", SIZE)]
    options = OPTIONS[file_format] | {"exif": exif.tobytes(), "save_all": is_animated, "append_images": frames[1:]}
    source = pictures.save(frames[0], file_format, **options)
    header = exif.tobytes()[6:10]
    assert header in source
    assert_shows_scene(thumbnail_of(source.replace(header, b"rubb")))


@pytest.mark.parametrize("file_format", OPTIONS)
def test_the_orientation_in_xmp_does_not_turn_the_picture(file_format: str) -> None:
    source = pictures.save(pictures.scene(), file_format, xmp=XMP % 1, **OPTIONS[file_format])
    assert_shows_scene(thumbnail_of(source.replace(XMP % 1, XMP % 6)))


# --- colours ---


@pytest.mark.parametrize("colours", [(12, 13), (9, 16), (9, 18), (2, 2)])
@pytest.mark.parametrize("name", ADD_PROPERTY)
def test_the_coded_colours_of_a_picture_are_known(name: str, colours: tuple[int, int]) -> None:
    path = heif_files.FRAME_PATH if name == "avif-animated" else (b"meta", b"iprp", b"ipco")
    heif = heif_of(heif_files.change_box(good_picture(name), (*path, b"colr"), lambda _: nclx(*colours)))
    assert heif.colours == CodedColours(*colours)


@pytest.mark.parametrize("file_format", OPTIONS)
def test_the_coded_colours_of_a_picture_are_converted(file_format: str) -> None:
    source = pictures.save(Image.new("RGB", SIZE, (55, 55, 55)), file_format, **OPTIONS[file_format])
    path = (b"meta", b"iprp", b"ipco", b"colr")
    linear = heif_files.change_box(source, path, lambda _: nclx(1, 8))  # in linear light, 55 is the grey 128 of sRGB
    assert is_close(pixel(thumbnail_of(linear), 0.5, 0.5), (128, 128, 128))


@pytest.mark.parametrize("file_format", OPTIONS)
def test_a_picture_with_an_icc_profile_has_no_coded_colours(file_format: str) -> None:
    options = OPTIONS[file_format]
    source = pictures.save(pictures.scene(), file_format, icc_profile=profiles.swapped_profile(), **options)
    with_both = source if b"nclx" in source else add_property(source, b"colr", nclx(9, 16))
    heif = heif_of(with_both)
    assert heif.colours is None
    assert is_close(pixel(thumbnail_of(with_both), 0.25, 0.25), (30, 220, 40))  # RED with red and green exchanged


# --- files ---


def test_only_heif_files_are_read_as_heif() -> None:
    for name in pictures.GOOD_PICTURES:
        expected = {"avif": "AVIF", "heic": "HEIC"}.get(name.partition("-")[0])
        assert is_heif(io.BytesIO(good_picture(name))) == (expected is not None)
        assert expected is None or heif_of(good_picture(name)).file_format == expected


@pytest.mark.parametrize(
    ("name", "rewrite"),
    [
        ("heic-grid", heif_files.with_long_ids),
        ("avif", heif_files.with_long_ids),
        ("heic", heif_files.with_long_size),
        ("avif", heif_files.with_long_size),
        ("heic", heif_files.with_open_size),
        ("avif", heif_files.with_open_size),
    ],
)
def test_every_form_of_numbers_and_sizes_is_read(name: str, rewrite: Callable[[bytes], bytes]) -> None:
    source = add_property(good_picture(name), b"clap", clap(SIZE, (160, 0, 320, 100)))
    heif = heif_of(rewrite(source))
    assert heif.coded_size == SIZE
    result = thumbnail_of(rewrite(source))
    assert (result.source_width, result.source_height) == (160, 100)
    assert is_close(pixel(result, 0.5, 0.5), GREEN)


def test_the_number_0_is_no_property() -> None:
    """ISO/IEC 14496-12, 8.11.14.3."""
    unused = heif_files.box(b"clap", clap(SIZE, LEFT_HALF))
    source = heif_files.change_box(good_picture("avif"), (b"meta", b"iprp", b"ipco"), lambda ipco: ipco + unused)

    def add_zero(ipma: bytes) -> bytes:
        assert ipma[4:10] == b"\0\0\0\1\0\1"
        return ipma[:10] + bytes([ipma[10] + 1]) + ipma[11:] + b"\0"

    assert_shows_scene(thumbnail_of(heif_files.change_box(source, (b"meta", b"iprp", b"ipma"), add_zero)))


def test_an_embedded_thumbnail_is_not_shown() -> None:
    source = pictures.heic(pictures.scene(), save_all=True, append_images=[Image.new("RGB", (160, 100))])
    thumbnail_reference = heif_files.box(b"iref", bytes(4) + heif_files.box(b"thmb", struct.pack(">HHH", 2, 1, 1)))
    with_thumbnail = heif_files.change_box(source, (b"meta",), lambda meta: meta + thumbnail_reference)
    assert_shows_scene(thumbnail_of(with_thumbnail))


@pytest.mark.parametrize("kind", [b"vvc1", b"jpeg", b"unci", b"j2k1", b"tmap"])
def test_another_kind_of_heif_is_rejected_as_not_supported(kind: bytes) -> None:
    source = good_picture("heic")
    assert_rejected(source.replace(b"hvc1", kind), "^The picture is a kind of HEIF that is not supported")
    other_brand = source.replace(b"ftypheic", b"ftyp" + kind)
    assert_rejected(other_brand.replace(b"hvc1", kind), "^The picture is a kind of HEIF that is not supported")


@pytest.mark.parametrize("kind", [b"moov", b"mini"])
def test_a_file_without_items_is_rejected_as_not_supported_or_as_damaged(kind: bytes) -> None:
    source = good_picture("heic")
    assert_rejected(source.replace(b"meta", kind), "^The picture is a kind of HEIF that is not supported")
    assert_rejected(source.replace(b"meta", b"free"), "damaged")
    assert_rejected(source.replace(b"pitm", b"free"), "damaged")


def test_a_file_that_only_its_other_brands_declare_as_heif_is_read() -> None:
    for name in ("avif", "heic"):
        source = good_picture(name)
        assert_shows_scene(thumbnail_of(source.replace(source[4:12], b"ftypxxxx")))


# --- hostile files ---


def damaged_files() -> dict[str, bytes]:
    heic, grid = good_picture("heic"), good_picture("heic-grid")
    change_box = heif_files.change_box
    empty_boxes = heif_files.box(b"free", b"") * 200_000
    no_end = b"\xff\xff\xff\xff"
    end = int.from_bytes(heic[:4])  # of the box `ftyp`
    return {
        "many-boxes": heic[:end] + empty_boxes + heic[end:],
        "many-boxes-in-meta": change_box(heic, (b"meta",), lambda meta: meta[:4] + empty_boxes + meta[4:]),
        "many-properties": change_box(heic, (b"meta", b"iprp", b"ipco"), lambda ipco: ipco + empty_boxes),
        "large-table-of-items": change_box(heic, (b"meta", b"iinf"), lambda iinf: iinf + bytes(2 << 20)),
        "many-associations": change_box(
            heic, (b"meta", b"iprp", b"ipma"), lambda ipma: ipma[:4] + no_end + b"\xff\xff\0" * 300_000
        ),
        "grid-made-from-itself": change_box(grid, (b"meta", b"iref"), lambda iref: iref[:16] + iref[12:14] + iref[18:]),
        "size-below-eight": heic[:end] + struct.pack(">I4s", 7, b"free") + heic[end:],
        "no-properties": change_box(heic, (b"meta", b"iprp", b"ipco"), lambda _: b""),
        "no-entry-of-the-primary-item": change_box(heic, (b"meta", b"pitm"), lambda pitm: pitm[:4] + b"\0\7"),
    }


DAMAGED_FILES = damaged_files()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(data, id=name, marks=pytest.mark.slow if name == "many-associations" else ())
        for name, data in DAMAGED_FILES.items()
    ],
)
def test_damaged_boxes_are_rejected_quickly_and_before_a_decoder_reads_them(data: bytes) -> None:
    started = time.process_time()
    with pytest.raises((ValueError, LookupError, struct.error)):
        heif_of(data)
    assert time.process_time() - started < 3
    assert_rejected(data, "damaged")


def test_a_heic_that_is_larger_than_its_header_says_is_rejected() -> None:
    source = good_picture("heic")
    size = source.index(b"ispe") + 8
    assert_rejected(source[:size] + struct.pack(">II", 100, 75) + source[size + 8 :], "damaged")


# The process is new, because a process that has used memory before can use it again, in spite of the limit.
PROGRAM_WITH_LITTLE_MEMORY = """
import io
import sys
import pillow_heif
from thumbnail.limits import Limits
from thumbnail.imaging import Rejected

data = sys.stdin.buffer.read()
for mib in (5, 20, 35, 300):
    limits = Limits(max_edge=80, max_bytes=len(data), max_pixels=50_000_000, max_decoding_bytes=mib << 20)
    try:
        print(limits.make_thumbnail(io.BytesIO(data)).width)
    except Rejected as rejected:
        print(rejected)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces the limit")
@pytest.mark.parametrize("options", [{}, {"tile_size": 512}], ids=["one-item", "grid"])
def test_a_heic_that_needs_too_much_memory_is_rejected(options: Mapping[str, int]) -> None:
    """The decoder needs 60 MiB for these six megapixels. With each limit it fails at another place."""
    source = pictures.heic(Image.new("RGB", (3000, 2000), RED), **options)
    command = [sys.executable, "-c", PROGRAM_WITH_LITTLE_MEMORY]
    root = Path(thumbnail.imaging.__file__).parents[1]
    run = subprocess.run(command, input=source, cwd=root, capture_output=True, timeout=60, check=True)
    *reasons, width = run.stdout.decode().splitlines()
    assert width == "80"
    assert len(reasons) == 3
    assert set(reasons) <= {
        "The picture is damaged or incomplete.",
        "The picture needs more memory than one of its size should.",
    }


# --- the decoder of HEIC ---


def test_a_missing_decoder_is_an_error_and_not_a_damaged_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert_shows_scene(thumbnail_of(good_picture("avif")))
    with pytest.raises(ImportError, match="pillow_heif"):
        thumbnail_of(good_picture("heic"))
