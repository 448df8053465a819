"""Tests of the shares of keys, the names of thumbnails, and the comparison of pictures with existing thumbnails."""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.keys import Picture, encoded_key, is_in_share, prefix_of, thumbnail_name, with_existing_thumbnails
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


@given(KEYS, st.integers(1, 50))
def test_every_key_is_in_exactly_one_share(key: str, children: int) -> None:
    assert sum(is_in_share(key, child=child, children=children) for child in range(children)) == 1


def test_shares_have_similar_sizes_and_are_the_same_on_every_machine() -> None:
    keys = [f"photos/{number}.jpg" for number in range(10_000)]
    sizes = Counter(child for key in keys for child in range(8) if is_in_share(key, child=child, children=8))
    assert max(sizes.values()) < 1.1 * min(sizes.values())
    shares = [next(child for child in range(8) if is_in_share(key, child=child, children=8)) for key in ODD_KEYS]
    assert shares == [6, 5, 0, 5, 1, 1, 0, 1]


@pytest.mark.parametrize(("keys", "prefix"), [("*", ""), ("holiday/*", "holiday/"), ("a b*", "a b")])
def test_the_prefix_is_the_part_before_the_star(keys: str, prefix: str) -> None:
    assert prefix_of(keys) == prefix


@pytest.mark.parametrize("keys", ["", "holiday/", "*.jpg", "a*b*", "**"])
def test_a_pattern_that_is_no_prefix_and_one_star_is_refused(keys: str) -> None:
    with pytest.raises(ValueError, match="is not like holiday"):
        prefix_of(keys)
