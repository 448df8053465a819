"""The headers If-Match and If-None-Match. RFC 9110, section 13.1."""

import re

from api.problems import Problem
from api.request import Request

MAX_TAGS = 20
"""The most entity tags in a header. Clients send one or two; DynamoDB compares with 100 at most."""
Versions = frozenset[int] | None
"""The versions that a request may change; None for any version."""
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
# A recipient must also accept empty elements: RFC 9110, section 5.6.1.
_LIST = re.compile(rf"[\s,]*{_TAG}(?:\s*,[\s,]*{_TAG})*[\s,]*")


def refuse_if_none_match(request: Request) -> None:
    """Raise Problem 400 if a change has the header If-None-Match."""
    if request.list_header("If-None-Match") is not None:
        raise Problem(400, "If-None-Match is for reading; a change takes If-Match.")


def versions_to_change(request: Request) -> Versions:
    """Return the versions that If-Match names. Raises Problem 428 without If-Match, and 400 if it is malformed."""
    refuse_if_none_match(request)
    value = request.list_header("If-Match")
    if value is None:
        raise Problem(428, "Send the ETag of the version that you change as If-Match, or `*` for whichever there is.")
    return parse_if_match(value)


def versions_to_delete(request: Request) -> Versions:
    """Return the versions that If-Match names; any version without the header. Raises Problem 400."""
    value = request.list_header("If-Match")
    return None if value is None else parse_if_match(value)


def client_has(request: Request, etag: str) -> bool:
    """Whether If-None-Match names this version, so that the note need not be sent. Raises Problem 400."""
    value = request.list_header("If-None-Match")
    return value is not None and matches_weakly(value, etag)


def parse_if_match(value: str) -> Versions:
    """Return the versions in an If-Match header; None for `*`.

    A weak tag, or a tag that this API never sent, matches no version. Raises Problem 400 if the value is malformed.
    """
    if value.strip() == "*":
        return None
    # At most 18 digits: no note ever has so many versions, and DynamoDB accepts no more than 38 digits.
    tags = _parse_tags("If-Match", value)
    return frozenset(int(tag[1:-1]) for tag in tags if re.fullmatch(r'"[1-9][0-9]{0,17}"', tag))


def matches_weakly(value: str, etag: str) -> bool:
    """Whether an If-None-Match header names the entity tag, as a strong or a weak tag. Raises Problem 400."""
    if value.strip() == "*":
        return True
    return etag in [tag.removeprefix("W/") for tag in _parse_tags("If-None-Match", value)]


def _parse_tags(name: str, value: str) -> list[str]:
    if not _LIST.fullmatch(value):
        raise Problem(400, f'{name} must be `*` or entity tags, as ETag had them: "3", the quotes included.')
    tags: list[str] = re.findall(_TAG, value)
    if len(tags) > MAX_TAGS:
        raise Problem(400, f"{name} has {len(tags)} entity tags; the limit is {MAX_TAGS}.")
    return tags
