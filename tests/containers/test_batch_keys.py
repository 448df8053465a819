"""Tests of the shares of keys, the names of thumbnails, and the comparison of pictures with existing thumbnails."""

from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import batch.keys
from batch.keys import (
    Picture,
    Share,
    encoded_key,
    prefix_of,
    range_ends,
    thumbnail_name,
    with_existing_thumbnails,
)
from tests.support.keys import ODD_KEYS

# Most of these characters sort near the apostrophe or near the first letters, because a wrong order is likely there.
KEYS = st.text(st.sampled_from("a!\"'(-./ \x01~é日😀"), min_size=1, max_size=5) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1
)


@given(st.lists(KEYS, unique=True, max_size=30), st.data())
def test_exactly_the_existing_thumbnails_are_found(keys: list[str], data: st.DataObject) -> None:
    pictures = [Picture(key, "etag", 1) for key in sorted(keys)]
    some_keys = st.sets(st.sampled_from(keys)) if keys else st.just(set())
    current_keys = data.draw(some_keys, label="keys with a thumbnail of the current version")
    older_keys = data.draw(some_keys, label="keys with a thumbnail of an older version")
    removed_keys = data.draw(st.sets(KEYS, max_size=5), label="keys of removed pictures") - set(keys)
    names = [thumbnail_name(key, "etag") for key in current_keys | removed_keys]
    names += [thumbnail_name(key, "older") for key in older_keys]
    thumbnail_exists = {picture.key: exists for picture, exists in with_existing_thumbnails(pictures, sorted(names))}
    assert thumbnail_exists == {key: key in current_keys for key in keys}


@given(KEYS, KEYS)
def test_encoded_keys_have_the_same_order_and_prefixes_as_the_keys(one: str, other: str) -> None:
    assert (one < other) == (f"{encoded_key(one)}!" < f"{encoded_key(other)}!")
    assert (one == other) == (encoded_key(one) == encoded_key(other))
    assert other.startswith(one) == encoded_key(other).startswith(encoded_key(one))


def test_the_name_of_a_thumbnail_is_readable() -> None:
    assert thumbnail_name("holiday/day 1.jpg", "d41d8cd9") == "holiday/day'201.jpg!d41d8cd9.webp"


def test_the_comparison_reads_pictures_only_when_they_are_needed() -> None:
    def pictures() -> Iterator[Picture]:
        for number in range(1_000):
            read_numbers.append(number)
            yield Picture(f"{number:06}", "etag", 1)

    read_numbers: list[int] = []
    results = with_existing_thumbnails(pictures(), (thumbnail_name(f"{number:06}", "etag") for number in range(10**9)))
    assert next(results)[1]
    assert read_numbers == [0]


@given(
    st.sets(KEYS, min_size=1, max_size=30),
    st.sets(KEYS, max_size=5),
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_every_key_is_in_exactly_one_share(
    keys: set[str], added_keys: set[str], children: int, keys_per_range: int, ranges_per_child: int
) -> None:
    """Also the keys that are added after the division are in one share."""
    with (
        mock.patch.object(batch.keys, "KEYS_PER_RANGE", keys_per_range),
        mock.patch.object(batch.keys, "RANGES_PER_CHILD", ranges_per_child),
    ):
        ends = range_ends(sorted(keys))
        shares = [Share.of_child(ends, child=child, children=children) for child in range(children)]
    for key in keys | added_keys:
        assert sum(_is_in(share, key) for share in shares) == 1


def _is_in(share: Share, key: str) -> bool:
    in_ranges = [keys for keys in share.ranges if (keys.after or "") < key and (keys.end is None or key <= keys.end)]
    return bool(in_ranges) and share.contains(key)


@pytest.mark.parametrize("count", [1, 999, 1_000, 1_001, 2_000, 2_001, 5_500])
def test_each_range_has_1000_keys_and_the_last_one_has_the_others(count: int) -> None:
    ends = range_ends(f"{number:05}" for number in range(count))
    assert ends == [f"{number:05}" for number in range(999, count - 1, 1_000)]


def test_many_ranges_are_joined_so_that_their_list_fits_into_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch.keys, "KEYS_PER_RANGE", 10)
    monkeypatch.setattr(batch.keys, "MAX_RANGES", 8)
    ends = range_ends(f"{number:03}" for number in range(1_000))
    assert ends == [f"{number:03}" for number in range(159, 1_000, 160)]


@pytest.mark.parametrize(("keys", "children", "most"), [(900, 2, 1.1), (100_000, 3, 1.1), (100_000, 40, 1.2)])
def test_shares_have_similar_sizes(keys: int, children: int, most: float) -> None:
    names = [f"photos/{number:06}.jpg" for number in range(keys)]
    ends, ranges = range_ends(names), [names[start : start + 1_000] for start in range(0, keys, 1_000)]
    first_keys = dict(zip([None, *ends], ranges, strict=True))
    largest = 0
    for child in range(children):
        share = Share.of_child(ends, child=child, children=children)
        largest = max(largest, sum(share.contains(key) for each in share.ranges for key in first_keys[each.after]))
    assert largest < most * keys / children


@pytest.mark.parametrize(("children", "most"), [(1, 1_000), (2, 500), (32, 32), (1_000, 8), (10_000, 8)])
def test_a_child_lists_its_part_of_the_ranges_but_at_least_eight(children: int, most: int) -> None:
    ends = [f"{number:03}" for number in range(999)]
    assert max(len(Share.of_child(ends, child=child, children=children).ranges) for child in range(children)) == most


def test_shares_are_the_same_on_every_machine() -> None:
    shares = [Share.of_child([], child=child, children=8) for child in range(8)]
    assert [next(share.member for share in shares if share.contains(key)) for key in ODD_KEYS] == [
        6,
        5,
        0,
        5,
        1,
        1,
        0,
        1,
    ]


@pytest.mark.parametrize(("keys", "prefix"), [("*", ""), ("holiday/*", "holiday/"), ("a b*", "a b")])
def test_the_prefix_is_the_part_before_the_star(keys: str, prefix: str) -> None:
    assert prefix_of(keys) == prefix


@pytest.mark.parametrize("keys", ["", "holiday/", "*.jpg", "a*b*", "**"])
def test_a_pattern_that_is_no_prefix_and_one_star_is_refused(keys: str) -> None:
    with pytest.raises(ValueError, match="is not like holiday"):
        prefix_of(keys)
