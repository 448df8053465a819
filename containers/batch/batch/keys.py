"""Functions that divide the keys into shares and name the thumbnails. This module does not call AWS."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

MAX_KEY_BYTES = 1024
"""Maximum length of a key in S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
_UP_TO_APOSTROPHE = re.compile("[\x00-']")


@dataclass(frozen=True, slots=True)
class Picture:
    """An object of the input bucket, as S3 lists it."""

    key: str
    etag: str
    size: int
    """Size in bytes."""


def prefix_of(keys: str) -> str:
    """Return the part before the star: `holiday/` for `holiday/*`.

    Raises ValueError unless `keys` is a prefix and one star.
    """
    prefix, star, rest = keys.partition("*")
    if not star or rest:
        raise ValueError(f"{keys!r} is not like holiday/* or *, and S3 can list keys only by their beginning")
    return prefix


def is_in_share(key: str, *, child: int, children: int) -> bool:
    """Whether the key belongs to this child's share. Each key belongs to one share, which is the same in every run."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) % children == child


def encoded_key(key: str) -> str:
    """Return the encoded key. The name of a thumbnail begins with an encoded key and `!`, and sorts like the key.

    An apostrophe and every character that sorts before it are replaced by an apostrophe and the code of the character.
    Then `!` sorts before all characters of an encoded key. So `a!` comes before `a-b!`, as `a` comes before `a-b`.
    Pictures and thumbnails have the same order, so a child can read both lists in parallel.
    """
    return _UP_TO_APOSTROPHE.sub(lambda found: f"'{ord(found[0]):02x}", key)


def thumbnail_name(key: str, etag: str) -> str:
    """Return the name of the thumbnail of this version of the picture."""
    return f"{encoded_key(key)}!{etag}.webp"


def with_existing_thumbnails(
    pictures: Iterable[Picture], thumbnail_names: Iterable[str]
) -> Iterator[tuple[Picture, bool]]:
    """Yield each picture, and whether its thumbnail exists.

    Both inputs must be in the order in which S3 lists them. The function reads each input only once.
    """
    names_by_key = groupby(thumbnail_names, key=lambda name: name.rpartition("!")[0])
    current_key, names = next(names_by_key, (None, iter(())))
    for picture in pictures:
        picture_key = encoded_key(picture.key)
        while current_key is not None and f"{current_key}!" < f"{picture_key}!":
            current_key, names = next(names_by_key, (None, iter(())))
        existing_names = set(names) if current_key == picture_key else set()
        yield picture, thumbnail_name(picture.key, picture.etag) in existing_names
