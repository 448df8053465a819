"""Shares of keys and names of thumbnails. Nothing here calls AWS."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

MAX_KEY_BYTES = 1024
"""S3's limit: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
_BEFORE_LETTERS = re.compile("[\x00-']")


@dataclass(frozen=True, slots=True)
class Picture:
    """An object of the input bucket, as S3 lists it."""

    key: str
    etag: str
    size: int
    """Bytes."""


def prefix_of(keys: str) -> str:
    """Return the prefix in `holiday/*`. Raises ValueError unless `keys` is a prefix and one star."""
    prefix, star, rest = keys.partition("*")
    if not star or rest:
        raise ValueError(f"{keys!r} is not like holiday/* or *, and S3 can list keys only by their beginning")
    return prefix


def is_in_share(key: str, *, child: int, children: int) -> bool:
    """Whether a key is in this child's share. Each key is in exactly one share, and always in the same one."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) % children == child


def stem(key: str) -> str:
    """Return the key as it stands in the names of its thumbnails. Stems followed by `!` sort as the keys do.

    Each character up to the apostrophe is written as an apostrophe and its code. Then `!` sorts before every other
    character of a stem. So `a!` comes before `a-b!`, as `a` comes before `a-b`, and two lists can be read in parallel.
    """
    return _BEFORE_LETTERS.sub(lambda found: f"'{ord(found[0]):02x}", key)


def thumbnail_name(key: str, etag: str) -> str:
    """Return the name of the thumbnail of this version of the picture."""
    return f"{stem(key)}!{etag}.webp"


def with_done(pictures: Iterable[Picture], names: Iterable[str]) -> Iterator[tuple[Picture, bool]]:
    """Yield each picture, and whether its thumbnail exists. Both inputs must be in S3's order; each is read once."""
    groups = groupby(names, key=lambda one: one.rpartition("!")[0])
    current, existing = next(groups, (None, iter(())))
    for picture in pictures:
        wanted = f"{stem(picture.key)}!"
        while current is not None and f"{current}!" < wanted:
            current, existing = next(groups, (None, iter(())))
        made = set(existing) if current == wanted[:-1] else set()
        yield picture, thumbnail_name(picture.key, picture.etag) in made
