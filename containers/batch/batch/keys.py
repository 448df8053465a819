"""Functions that divide the keys into shares and name the thumbnails. This module does not call AWS."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

MAX_KEY_BYTES = 1024
"""Maximum length of a key in S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
KEYS_PER_RANGE = 1_000
"""Number of keys in a range. S3 lists as many keys in one request."""
MAX_RANGES = 100_000
"""Maximum number of ranges. If there are more keys, ranges are joined. So the list of ranges fits into the memory."""
RANGES_PER_CHILD = 8
"""Each child lists at least this number of ranges, if they exist. So the shares have similar sizes."""
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


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The keys after `after` up to `end`, in the order in which S3 lists them. None means that there is no limit."""

    after: str | None = None
    end: str | None = None


ALL_KEYS = KeyRange()


@dataclass(frozen=True, slots=True)
class Share:
    """The keys of one child: its part of the keys in some ranges.

    A *group* is a number of children that list the same ranges. They divide the keys by hash.
    """

    ranges: Sequence[KeyRange]
    member: int
    """The number of the child in its group, from 0."""
    members: int
    """The number of children in the group."""

    @classmethod
    def of_child(cls, ends: Sequence[str], *, child: int, children: int) -> "Share":
        """Return the share of a child. `ends` are the last keys of all ranges except the last one, in order.

        Each key belongs to exactly one child, also a key that did not exist when the ends were found.
        """
        limits = [None, *ends, None]
        groups = max(1, min(children, (len(ends) + 1) // RANGES_PER_CHILD))
        group = child % groups
        return cls(
            ranges=[KeyRange(limits[number], limits[number + 1]) for number in range(group, len(ends) + 1, groups)],
            member=child // groups,
            members=len(range(group, children, groups)),
        )

    def contains(self, key: str) -> bool:
        """Whether a key of the share's ranges belongs to this child, and not to another child of the group."""
        return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) % self.members == self.member


def range_ends(keys: Iterable[str]) -> list[str]:
    """Return every 1,000th key, if another key follows. The keys must be in the order in which S3 lists them."""
    ends: list[str] = []
    previous, size = "", KEYS_PER_RANGE
    for number, key in enumerate(keys):
        if number and number % size == 0:
            ends.append(previous)
            if len(ends) == MAX_RANGES:
                ends, size = ends[1::2], 2 * size
        previous = key
    return ends


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
