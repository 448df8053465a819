"""If-Match and If-None-Match. RFC 9110, section 13.1."""

import re

from api.problems import Problem

MAX_TAGS = 20
"""More are no list that a client keeps; DynamoDB compares with 100 at most."""
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
# A recipient takes empty elements, too: RFC 9110, section 5.6.1.
_LIST = re.compile(rf"[\s,]*{_TAG}(?:\s*,[\s,]*{_TAG})*[\s,]*")


def if_match(value: str | None) -> frozenset[int] | None:
    """The versions that a change may be made from; None for whichever there is (`*`, or no header).

    A tag that is none of ours, or weak, matches no version. Raises Problem 400 for what is no list of tags.
    """
    if value is None or value.strip() == "*":
        return None
    # Of 18 digits at most, as no version will ever have more, and DynamoDB takes no more than 38.
    return frozenset(int(tag[1:-1]) for tag in _tags("If-Match", value) if re.fullmatch(r'"[1-9][0-9]{0,17}"', tag))


def none_match(value: str | None, etag: str) -> bool:
    """Whether If-None-Match asks for anything but the version with this tag, so that it must be sent.

    Raises Problem 400 for what is no list of tags.
    """
    if value is None:
        return True
    if value.strip() == "*":
        return False
    return etag not in [tag.removeprefix("W/") for tag in _tags("If-None-Match", value)]


def _tags(name: str, value: str) -> list[str]:
    if not _LIST.fullmatch(value):
        raise Problem(400, f'{name} must be `*` or entity tags, as ETag had them: "3", the quotes included.')
    tags: list[str] = re.findall(_TAG, value)
    if len(tags) > MAX_TAGS:
        raise Problem(400, f"{name} has {len(tags)} entity tags; the limit is {MAX_TAGS}.")
    return tags
