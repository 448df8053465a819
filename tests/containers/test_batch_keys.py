"""Shares of keys, names of thumbnails, and the comparison of pictures with existing thumbnails."""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.keys import Picture, is_in_share, prefix_of, stem, thumbnail_name, with_done
from tests.support.keys import ODD_KEYS

# Mostly characters around the apostrophe and the first letters, where the order could go wrong.
KEYS = st.text(st.sampled_from("a!\"'(-./ \x01~é日😀"), min_size=1, max_size=5) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1
)


@given(st.lists(KEYS, unique=True, max_size=30), st.data())
def test_exactly_the_existing_thumbnails_are_found(keys: list[str], data: st.DataObject) -> None:
    pictures = [Picture(key, "etag", 1) for key in sorted(keys)]
    made = data.draw(st.sets(st.sampled_from(keys)) if keys else st.just(set()), label="made")
    older = data.draw(st.sets(st.sampled_from(keys)) if keys else st.just(set()), label="made of an older version")
    removed = data.draw(st.sets(KEYS, max_size=5), label="made of removed pictures") - set(keys)
    names = [thumbnail_name(key, "etag") for key in made | removed] + [thumbnail_name(key, "older") for key in older]
    found = {picture.key: done for picture, done in with_done(pictures, sorted(names))}
    assert found == {key: key in made for key in keys}


@given(KEYS, KEYS)
def test_stems_sort_and_begin_as_their_keys_do(one: str, other: str) -> None:
    assert (one < other) == (f"{stem(one)}!" < f"{stem(other)}!")
    assert (one == other) == (stem(one) == stem(other))
    assert other.startswith(one) == stem(other).startswith(stem(one))


def test_names_are_readable() -> None:
    assert thumbnail_name("holiday/day 1.jpg", "d41d8cd9") == "holiday/day'201.jpg!d41d8cd9.webp"


def test_the_comparison_reads_one_picture_at_a_time() -> None:
    def pictures() -> Iterator[Picture]:
        for number in range(1_000):
            taken.append(number)
            yield Picture(f"{number:06}", "etag", 1)

    taken: list[int] = []
    found = with_done(pictures(), (thumbnail_name(f"{number:06}", "etag") for number in range(10**9)))
    assert next(found)[1]
    assert taken == [0]


@given(KEYS, st.integers(1, 50))
def test_every_key_is_in_exactly_one_share(key: str, children: int) -> None:
    assert sum(is_in_share(key, child=child, children=children) for child in range(children)) == 1


def test_shares_are_even_and_the_same_on_every_machine() -> None:
    keys = [f"photos/{number}.jpg" for number in range(10_000)]
    sizes = Counter(child for key in keys for child in range(8) if is_in_share(key, child=child, children=8))
    assert max(sizes.values()) < 1.1 * min(sizes.values())
    odd = [next(child for child in range(8) if is_in_share(key, child=child, children=8)) for key in ODD_KEYS]
    assert odd == [6, 5, 0, 5, 1, 1, 0, 1]


@pytest.mark.parametrize(("keys", "prefix"), [("*", ""), ("holiday/*", "holiday/"), ("a b*", "a b")])
def test_a_star_at_the_end_makes_a_prefix(keys: str, prefix: str) -> None:
    assert prefix_of(keys) == prefix


@pytest.mark.parametrize("keys", ["", "holiday/", "*.jpg", "a*b*", "**"])
def test_a_pattern_that_s3_cannot_list_is_refused(keys: str) -> None:
    with pytest.raises(ValueError, match="is not like holiday"):
        prefix_of(keys)
