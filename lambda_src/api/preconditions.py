"""The headers If-Match and If-None-Match, which list versions of a note. RFC 9110, section 13.1.

A change is refused if If-Match does not list the note's version. A read gets 304 if If-None-Match lists this version.
A version is written as an entity tag: a text in double quotes. `W/` before the quotes marks a weak tag, which this API
never sends.
"""

import re

from api.problems import Problem
from api.request import Request

MAX_ENTITY_TAGS = 20
"""Maximum number of entity tags in a header. Clients send one or two. A condition of DynamoDB can list at most 100."""
Versions = frozenset[int] | None
"""The versions that a request is allowed to change; None means any version."""
_ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
# A list may have empty elements, such as `"1",,"2"`. A server must accept them: RFC 9110, section 5.6.1.
_TAG_LIST = re.compile(rf"[\s,]*{_ENTITY_TAG}(?:\s*,[\s,]*{_ENTITY_TAG})*[\s,]*")


def refuse_if_none_match(request: Request) -> None:
    """Raise Problem 400 if the request has the header If-None-Match, which is only for reading."""
    if request.list_header("If-None-Match") is not None:
        raise Problem(400, "If-None-Match is only for reading. Send If-Match with a change.")


def required_versions(request: Request) -> Versions:
    """Return the versions in If-Match. Raises Problem 428 if the header is missing, and 400 if it is malformed.

    Also raises Problem 400 if the request has If-None-Match.
    """
    refuse_if_none_match(request)
    value = request.list_header("If-Match")
    if value is None:
        raise Problem(428, "Send If-Match with the ETag of the version that you change, or with `*` for any version.")
    return parse_if_match(value)


def versions_in_if_match(request: Request) -> Versions:
    """Return the versions in If-Match, or None if it is missing. Raises Problem 400 if the header is malformed."""
    value = request.list_header("If-Match")
    return None if value is None else parse_if_match(value)


def client_has_version(request: Request, etag: str) -> bool:
    """Whether If-None-Match lists this tag, so the client already has the version with this tag.

    Raises Problem 400 if the header is malformed.
    """
    value = request.list_header("If-None-Match")
    return value is not None and matches_weakly(value, etag)


def parse_if_match(value: str) -> Versions:
    """Return the versions in an If-Match header; None for `*`.

    Weak tags are ignored, and so are tags that are never the ETag of a note, such as "x". Raises Problem 400 if the
    value is malformed.
    """
    if value.strip() == "*":
        return None
    # A tag of more than 18 digits is ignored: no note has so many versions, and DynamoDB accepts at most 38 digits.
    tags = _parse_tags("If-Match", value)
    return frozenset(int(tag[1:-1]) for tag in tags if re.fullmatch(r'"[1-9][0-9]{0,17}"', tag))


def matches_weakly(value: str, etag: str) -> bool:
    """Whether an If-None-Match header lists the entity tag, as a strong or a weak tag.

    Raises Problem 400 if the header is malformed.
    """
    if value.strip() == "*":
        return True
    return etag in [tag.removeprefix("W/") for tag in _parse_tags("If-None-Match", value)]


def _parse_tags(header_name: str, value: str) -> list[str]:
    if not _TAG_LIST.fullmatch(value):
        raise Problem(400, f'{header_name} must be `*` or entity tags with their quotes, as in the header ETag: "3".')
    tags: list[str] = re.findall(_ENTITY_TAG, value)
    if len(tags) > MAX_ENTITY_TAGS:
        raise Problem(400, f"{header_name} has {len(tags)} entity tags; the limit is {MAX_ENTITY_TAGS}.")
    return tags
