"""A picture that crashes or blocks its decoder harms no other picture."""

import io
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from batch.decoders import Decoders
from tests.handlers.thumbnail import pictures
from thumbnail.imaging import Rejected, Thumbnail
from thumbnail.limits import Limits

LIMITS = {"max_edge": 64, "max_bytes": 10**6, "max_pixels": 10**6, "max_decoding_bytes": 10**8}


class Hostile(Limits):
    """Crashes, hangs, or crashes once, as the picture's bytes say."""

    __slots__ = ()

    def make_thumbnail(self, data: bytes) -> Thumbnail:
        action, _, file = data.partition(b" ")
        if action == b"crash" or (action == b"once" and not Path(file.decode()).exists()):
            if file:
                Path(file.decode()).touch()
            os.kill(os.getpid(), signal.SIGSEGV)
        while action == b"hang":
            pass
        return super().make_thumbnail(pictures.jpeg())


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    decoders = Decoders(2, Hostile(**LIMITS), seconds=1)
    yield decoders
    decoders.close()


def test_thumbnails_are_the_same_as_the_functions(decoders: Decoders) -> None:
    assert decoders.thumbnail(b"good") == Limits(**LIMITS).make_thumbnail(pictures.jpeg())


@pytest.mark.parametrize("bad", [b"crash", b"hang"])
def test_only_the_picture_that_ends_its_process_is_rejected(decoders: Decoders, bad: bytes) -> None:
    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(decoders.thumbnail, bad if number == 3 else b"good") for number in range(8)]
        for number, future in enumerate(futures):
            if number == 3:
                with pytest.raises(Rejected, match="crashes its decoder, or keeps it busy for more than 1 seconds"):
                    future.result()
            else:
                assert max(Image.open(io.BytesIO(future.result().data)).size) == 64


def test_two_pictures_that_crash_at_once_do_not_block_each_other(decoders: Decoders) -> None:
    with ThreadPoolExecutor(2) as threads:
        for future in [threads.submit(decoders.thumbnail, b"crash") for _ in range(4)]:
            with pytest.raises(Rejected):
                future.result()


def test_a_picture_survives_a_crash_that_it_did_not_cause(decoders: Decoders, tmp_path: Path) -> None:
    """When memory runs out the kernel kills the largest process, even if another one used up the memory."""
    assert decoders.thumbnail(b"once " + str(tmp_path / "died").encode()).width == 64
    assert (tmp_path / "died").exists()


def test_the_reason_of_a_rejected_picture_is_reported() -> None:
    decoders = Decoders(1, Limits(**LIMITS))
    with pytest.raises(Rejected, match="The file is not a picture"):
        decoders.thumbnail(b"Dear Sir or Madam")
    decoders.close()
