"""Tests of the program that compares our thumbnails with those of libvips and ImageMagick."""

import hashlib
import json
import os
import signal
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from tests.handlers.thumbnail.pictures import jpeg, save, scene
from tools.compare_pictures import __main__ as program
from tools.compare_pictures import processes, report
from tools.compare_pictures.differences import OTHER_SIZE, Difference, Reading, Verdict, compare, judge, measure
from tools.compare_pictures.processes import Processes
from tools.compare_pictures.readers import Reader, installed_readers, read_ours
from tools.compare_pictures.report import Result

MADE = Reading(picture=Image.new("RGBA", (8, 8), (100, 100, 100, 255)))
SIMILAR = Reading(picture=Image.new("RGBA", (8, 8), (100, 112, 100, 255)))
DIFFERENT = Reading(picture=Image.new("RGBA", (8, 8), (100, 113, 100, 255)))
OTHER = Reading(picture=Image.new("RGBA", (8, 8), (0, 0, 0, 255)))
REJECTED = Reading(reason="The picture is damaged or incomplete.")
CRASHED = Reading(reason="the process crashed", crashed=True)


def rgba(*colour: int, size: tuple[int, int] = (8, 8)) -> Image.Image:
    return Image.new("RGBA", size, colour)


def black(_data: bytes) -> Image.Image:
    return Image.new("RGBA", scene().size, (0, 0, 0, 255))


def segfault(_data: bytes) -> Image.Image:
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError


def slow(_data: bytes) -> Image.Image:
    time.sleep(30)
    raise AssertionError


def broken(_data: bytes) -> Image.Image:
    raise ZeroDivisionError("division\nby zero")


@pytest.mark.parametrize(
    ("ours", "other", "expected"),
    [
        pytest.param(rgba(9, 9, 9, 255), rgba(9, 9, 9, 255), Difference(0, 0, 0, 0), id="equal"),
        pytest.param(rgba(10, 20, 30, 255), rgba(11, 22, 34, 255), Difference(1, 2, 4, 0), id="colour"),
        pytest.param(rgba(90, 90, 90, 255), rgba(90, 90, 90, 55), Difference(0, 0, 0, 200), id="alpha"),
        pytest.param(rgba(200, 0, 0, 51), rgba(0, 0, 0, 51), Difference(200, 0, 0, 0), id="half-transparent colour"),
        pytest.param(rgba(200, 0, 0, 0), rgba(0, 90, 0, 0), Difference(0, 0, 0, 0), id="invisible colour"),
        pytest.param(rgba(9, 9, 9, 255), rgba(9, 9, 9, 255, size=(8, 9)), Difference(0, 0, 0, 0), id="rounded size"),
        pytest.param(rgba(9, 9, 9, 255), rgba(9, 9, 9, 255, size=(8, 10)), OTHER_SIZE, id="other size"),
    ],
)
def test_difference_of_two_thumbnails(ours: Image.Image, other: Image.Image, expected: Difference) -> None:
    assert measure(ours, other) == expected


def test_difference_only_counts_visible_pixels() -> None:
    ours, other = rgba(0, 0, 0, 0), rgba(0, 0, 0, 0)
    ours.paste((60, 0, 0, 255), (0, 0, 8, 2))
    other.paste((20, 0, 0, 255), (0, 0, 8, 2))
    assert measure(ours, other) == Difference(40, 0, 0, 0)


@pytest.mark.parametrize(
    ("ours", "vips", "magick", "expected"),
    [
        (MADE, SIMILAR, SIMILAR, Verdict.GOOD),
        (MADE, DIFFERENT, SIMILAR, Verdict.GOOD),
        (MADE, REJECTED, SIMILAR, Verdict.GOOD),
        (MADE, DIFFERENT, DIFFERENT, Verdict.WRONG),
        (MADE, DIFFERENT, OTHER, Verdict.DISPUTED),
        (MADE, REJECTED, DIFFERENT, Verdict.PERHAPS_WRONG),
        (MADE, REJECTED, CRASHED, Verdict.UNKNOWN),
        (REJECTED, MADE, MADE, Verdict.REFUSED),
        (REJECTED, MADE, REJECTED, Verdict.PERHAPS_REFUSED),
        (REJECTED, REJECTED, REJECTED, Verdict.REJECTED),
        (CRASHED, REJECTED, REJECTED, Verdict.CRASHED),
    ],
)
def test_verdict(ours: Reading, vips: Reading, magick: Reading, expected: Verdict) -> None:
    others = {"vips": vips, "magick": magick}
    assert judge(ours, others, compare(ours, others)) is expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reader", "expected"),
    [
        (segfault, CRASHED),
        (slow, Reading(reason="needs more than 2 seconds", crashed=True)),
        (broken, Reading(reason="division by zero")),
    ],
)
def test_a_crash_ends_only_one_reading(reader: Reader, expected: Reading) -> None:
    pool = Processes(1, seconds=2)
    try:
        pool.read(black, b"")  # starts the process, which takes a second on a busy machine
        assert pool.read(reader, b"") == expected
        picture = pool.read(black, b"").picture
        assert picture
        assert picture.getpixel((0, 0)) == (0, 0, 0, 255)
    finally:
        pool.close()


def test_an_unexpected_error_of_our_code_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "read_ours", broken)
    assert processes._read(broken, b"", seconds=9) == Reading(reason="division by zero", crashed=True)


def test_other_programs_named_convert_are_not_used(tmp_path: Path) -> None:
    convert = tmp_path / "convert"
    convert.write_text("#!/bin/sh\necho Converts disks\n")
    convert.chmod(0o755)
    readers, absent = installed_readers(str(convert), tmp_path)
    assert "magick" not in readers
    assert absent["magick"] == f"{convert} is not ImageMagick"


def _results(verdicts: Mapping[str, Verdict]) -> list[Result]:
    differences = {"vips": Difference(1, 2, 30, 4)}
    return [
        Result(file=file, sha256="", verdict=verdict, sizes={"ours": (8, 4)}, reasons={}, differences=differences)
        for file, verdict in verdicts.items()
    ]


def test_the_worst_files_come_first_and_good_files_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    results = _results({"good.png": Verdict.GOOD, "alone.png": Verdict.PERHAPS_WRONG, "wrong.png": Verdict.WRONG})
    report.print_results(report.sort_worst_first(results), ["ours"], with_good=False)
    assert (
        capsys.readouterr().out
        == "silently wrong | wrong.png | 8 x 4\ndiffers from the only other reader | alone.png | 8 x 4\n"
    )


def test_the_summary_counts_similar_reasons_together() -> None:
    results = [
        Result(file="", sha256="", verdict=Verdict.REJECTED, sizes={}, reasons={"ours": reason}, differences={})
        for reason in ("It has 60,000,000 pixels.", "It has 70,000,001 pixels.", "It is empty.")
    ]
    lines = report.summary(results, {"vips": "not installed"})
    assert lines[0] == "vips is absent: not installed"
    assert lines[-2:] == ["     2 not made: It has N pixels.", "     1 not made: It is empty."]


def test_names_of_files_cannot_add_html_to_the_page(tmp_path: Path) -> None:
    (result,) = _results({"<script>.png": Verdict.WRONG})
    report.write_page(
        tmp_path / "page.html", [(result, {"ours": MADE, "vips": Reading(reason="<b>")})], ["ours", "vips"]
    )
    page = (tmp_path / "page.html").read_text()
    assert "&lt;script&gt;.png: silently wrong, 30" in page
    assert "&lt;b&gt;" in page
    assert page.count("data:image/png") == 1


@pytest.mark.slow
def test_a_wrong_thumbnail_gives_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "scene.png").write_bytes(save(scene(), "PNG"))
    readers = {"ours": read_ours, "vips": black, "magick": black}
    monkeypatch.setattr(program, "installed_readers", lambda *_: (readers, {}))
    assert program.main([str(tmp_path), "--json", str(tmp_path / "results.json"), "--processes", "1"]) == 1
    (result,) = json.loads((tmp_path / "results.json").read_text())
    assert (result["file"], result["verdict"]) == ("sub/scene.png", "silently wrong")
    assert result["sha256"] == hashlib.sha256(save(scene(), "PNG")).hexdigest()


def _write_pictures(folder: Path) -> None:
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    (folder / "rotated.jpg").write_bytes(jpeg((400, 300), exif=exif.tobytes()))
    (folder / "lossless.webp").write_bytes(save(scene(), "WEBP", lossless=True))
    (folder / "transparent.png").write_bytes(save(rgba(200, 30, 40, 90), "PNG"))
    (folder / "grey.tif").write_bytes(save(scene().convert("L"), "TIFF"))
    (folder / "letter.gif").write_bytes(b"Dear Sir or Madam")


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("pyvips"), reason="pyvips is installed only for make bench and make compare")
def test_the_program_agrees_with_the_installed_readers(tmp_path: Path) -> None:
    _write_pictures(tmp_path / "pictures")
    page, file = tmp_path / "page.html", tmp_path / "results.json"
    assert program.main([str(tmp_path / "pictures"), "--json", str(file), "--html", str(page), "--processes", "1"]) == 0
    results = {result["file"]: result for result in json.loads(file.read_text())}
    assert results.pop("letter.gif")["verdict"] == "rejected by all"
    assert {result["verdict"] for result in results.values()} == {"good"}
    assert results["rotated.jpg"]["sizes"]["vips"] == [192, 256]
    assert page.read_text().count("<tr>") == 5


TRANSPARENT = save(rgba(200, 30, 40, 90, size=(20, 10)), "PNG")
OPAQUE = save(Image.new("RGB", (20, 10), (200, 30, 40)), "PNG")
OPAQUE_PALETTE = save(Image.new("RGB", (20, 10), (200, 30, 40)).quantize(2), "BMP")


@pytest.mark.parametrize(
    ("name", "data", "alpha"),
    [
        pytest.param("vips", TRANSPARENT, 90, id="vips, transparent"),
        pytest.param("vips", OPAQUE, 255, id="vips, opaque"),
        pytest.param("magick", TRANSPARENT, 90, id="magick, transparent"),
        pytest.param("magick", OPAQUE_PALETTE, 255, id="magick, opaque palette"),
    ],
)
def test_readers_keep_transparency_and_small_sizes(name: str, data: bytes, alpha: int, tmp_path: Path) -> None:
    readers, absent = installed_readers(None, tmp_path)
    if name in absent:
        pytest.skip(absent[name])
    picture = readers[name](data)
    assert picture.size == (20, 10)
    assert picture.getpixel((5, 5)) == pytest.approx((200, 30, 40, alpha), abs=25)
    assert picture.getchannel("A").getextrema() == (alpha, alpha)
