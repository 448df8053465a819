"""Shares, names, and the comparison of two lists."""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.keys import Picture, compared, is_mine, name, prefix_of, stem
from tests.support.keys import ODD_KEYS

# Above all the characters around the letters' beginning, where the order is at stake.
KEYS = st.text(st.sampled_from("a!\"'(-./ \x01~é日😀"), min_size=1, max_size=5) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1
)


@given(st.lists(KEYS, unique=True, max_size=30), st.data())
def test_whatever_the_keys_what_is_made_is_found_and_nothing_else(keys: list[str], data: st.DataObject) -> None:
    pictures = [Picture(key, "etag", 1) for key in sorted(keys)]
    made = data.draw(st.sets(st.sampled_from(keys)) if keys else st.just(set()), label="made")
    older = data.draw(st.sets(st.sampled_from(keys)) if keys else st.just(set()), label="made of an older picture")
    removed = data.draw(st.sets(KEYS, max_size=5), label="made of what is gone") - set(keys)
    names = [name(key, "etag") for key in made | removed] + [name(key, "older") for key in older]
    found = {picture.key: done for picture, done in compared(pictures, sorted(names))}
    assert found == {key: key in made for key in keys}


@given(KEYS, KEYS)
def test_names_sort_as_keys_do_and_begin_as_keys_begin(one: str, other: str) -> None:
    assert (one < other) == (f"{stem(one)}!" < f"{stem(other)}!")
    assert (one == other) == (stem(one) == stem(other))
    assert other.startswith(one) == stem(other).startswith(stem(one))


def test_names_can_be_read() -> None:
    assert name("holiday/day 1.jpg", "d41d8cd9") == "holiday/day'201.jpg!d41d8cd9.webp"


def test_nothing_is_kept_of_what_is_compared() -> None:
    def pictures() -> Iterator[Picture]:
        for number in range(1_000):
            taken.append(number)
            yield Picture(f"{number:06}", "etag", 1)

    taken: list[int] = []
    found = compared(pictures(), (name(f"{number:06}", "etag") for number in range(10**9)))
    assert next(found)[1]
    assert taken == [0]


@given(KEYS, st.integers(1, 50))
def test_every_key_is_in_one_share(key: str, children: int) -> None:
    assert sum(is_mine(key, child=child, children=children) for child in range(children)) == 1


def test_shares_are_even_and_the_same_everywhere() -> None:
    keys = [f"photos/{number}.jpg" for number in range(10_000)]
    shares = Counter(child for key in keys for child in range(8) if is_mine(key, child=child, children=8))
    assert max(shares.values()) < 1.1 * min(shares.values())
    of_odd_keys = [next(child for child in range(8) if is_mine(key, child=child, children=8)) for key in ODD_KEYS]
    assert of_odd_keys == [6, 5, 0, 5, 1, 1, 0, 1]


@pytest.mark.parametrize(("keys", "prefix"), [("*", ""), ("holiday/*", "holiday/"), ("a b*", "a b")])
def test_keys_are_told_by_how_they_begin(keys: str, prefix: str) -> None:
    assert prefix_of(keys) == prefix


@pytest.mark.parametrize("keys", ["", "holiday/", "*.jpg", "a*b*", "**"])
def test_what_s3_cannot_list_is_refused(keys: str) -> None:
    with pytest.raises(ValueError, match="is not like holiday"):
        prefix_of(keys)
