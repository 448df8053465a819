"""If a picture crashes or blocks its decoder, the other pictures are not affected. A decoder is a process."""

import io
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
from PIL import Image

from batch.decoders import Decoders
from tests.handlers.thumbnail import pictures
from thumbnail.imaging import Rejected, Thumbnail
from thumbnail.limits import Limits

LIMITS = {"max_edge": 64, "max_bytes": 10**6, "max_pixels": 10**6, "max_decoding_bytes": 10**8}


class FailingLimits(Limits):
    """Limits whose decoding fails. The bytes of the picture choose the failure.

    `crash` crashes the process, `hang` never ends, and `once FILE` crashes the process only if FILE does not exist.
    Other bytes give a thumbnail.
    """

    __slots__ = ()

    def make_thumbnail(self, source: BinaryIO) -> Thumbnail:
        action, _, file = source.read().partition(b" ")
        if action == b"crash" or (action == b"once" and not Path(file.decode()).exists()):
            if file:
                Path(file.decode()).touch()
            os.kill(os.getpid(), signal.SIGSEGV)
        while action == b"hang":
            pass
        return super().make_thumbnail(io.BytesIO(pictures.jpeg()))


class EchoingLimits(Limits):
    """Limits that return the file itself as its thumbnail."""

    __slots__ = ()

    def make_thumbnail(self, source: BinaryIO) -> Thumbnail:
        return replace(super().make_thumbnail(io.BytesIO(pictures.jpeg())), data=source.read())


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    decoders = Decoders(2, FailingLimits(**LIMITS), seconds=1)
    yield decoders
    decoders.close()


def test_decoders_make_the_same_thumbnail_as_the_limits(decoders: Decoders) -> None:
    assert decoders.thumbnail(b"good") == Limits(**LIMITS).make_thumbnail(io.BytesIO(pictures.jpeg()))


def test_a_decoder_reads_exactly_the_bytes_of_its_picture() -> None:
    decoders = Decoders(1, EchoingLimits(**LIMITS))
    for data in (b"long" * 10**6, b"short", os.urandom(70_000), b""):
        assert decoders.thumbnail(data).data == data
    decoders.close()


@pytest.mark.parametrize("bad_picture", [b"crash", b"hang"])
def test_only_the_bad_picture_is_rejected(decoders: Decoders, bad_picture: bytes) -> None:
    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(decoders.thumbnail, bad_picture if number == 3 else b"good") for number in range(8)]
        for number, future in enumerate(futures):
            if number == 3:
                with pytest.raises(Rejected, match="crashes its decoder, or keeps it busy for more than 1 seconds"):
                    future.result()
            else:
                assert max(Image.open(io.BytesIO(future.result().data)).size) == 64


def test_two_pictures_that_crash_at_the_same_time_do_not_block_each_other(decoders: Decoders) -> None:
    with ThreadPoolExecutor(2) as threads:
        for future in [threads.submit(decoders.thumbnail, b"crash") for _ in range(4)]:
            with pytest.raises(Rejected):
                future.result()


def test_a_picture_is_decoded_again_after_the_first_crash(decoders: Decoders, tmp_path: Path) -> None:
    """Another picture may have caused the crash: when memory runs out, the kernel kills the largest process."""
    assert decoders.thumbnail(b"once " + str(tmp_path / "crashed").encode()).width == 64
    assert (tmp_path / "crashed").exists()


def test_the_error_gives_the_reason_why_a_picture_is_rejected() -> None:
    decoders = Decoders(1, Limits(**LIMITS))
    with pytest.raises(Rejected, match="The file is not a picture"):
        decoders.thumbnail(b"Dear Sir or Madam")
    decoders.close()
