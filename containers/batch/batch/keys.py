"""Which pictures are a child's, and what their thumbnails are called. No AWS."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

MAX_KEY_BYTES = 1024
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
_BEFORE_LETTERS = re.compile("[\x00-']")


@dataclass(frozen=True, slots=True)
class Picture:
    """An object of the input bucket, as a list shows it."""

    key: str
    etag: str
    size: int
    """Bytes."""


def prefix_of(keys: str) -> str:
    """The prefix in `holiday/*`. Raises ValueError for what is no prefix and one star."""
    prefix, star, rest = keys.partition("*")
    if not star or rest:
        raise ValueError(f"{keys!r} is not like holiday/* or *: S3 lists by what keys begin with, and by nothing else")
    return prefix


def is_mine(key: str, *, child: int, children: int) -> bool:
    """Whether a key is in this child's share. Every key is in one, and in the same one whenever it is asked for."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) % children == child


def stem(key: str) -> str:
    """The key in the name of its thumbnails, so that the stems followed by `!` sort as the keys do.

    What sorts before letters is written as an apostrophe and its code. `!` sorts before all that is left, so that
    `a!` comes before `a-b!` as `a` comes before `a-b`, and two lists can be walked through side by side.
    """
    return _BEFORE_LETTERS.sub(lambda found: f"'{ord(found[0]):02x}", key)


def name(key: str, etag: str) -> str:
    """The name of the thumbnail that is made from this version of the picture."""
    return f"{stem(key)}!{etag}.webp"


def compared(pictures: Iterable[Picture], names: Iterable[str]) -> Iterator[tuple[Picture, bool]]:
    """Each picture, and whether its thumbnail is there. Both sorted as S3 does, and gone through once."""
    groups = groupby(names, key=lambda one: one.rpartition("!")[0])
    current, there = next(groups, (None, iter(())))
    for picture in pictures:
        wanted = f"{stem(picture.key)}!"
        while current is not None and f"{current}!" < wanted:
            current, there = next(groups, (None, iter(())))
        made = set(there) if current == wanted[:-1] else set()
        yield picture, name(picture.key, picture.etag) in made
