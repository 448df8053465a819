"""Version 1 of the API is deprecated. Its answers say when it ends, and which version follows."""

from datetime import UTC, datetime
from email.utils import format_datetime

DEPRECATED_SINCE = datetime(2026, 12, 1, tzinfo=UTC)
"""New clients use version 2 from this day on."""
SUNSET = datetime(2027, 12, 1, tzinfo=UTC)
"""Version 1 may stop working on this day. The owners of old clients have a year to change them."""
_DEPRECATED, _SUCCESSOR = "/v1/notes", "v2/notes"


def deprecation_headers(path: str) -> dict[str, str]:
    """Return the headers for an answer to a request with this path. Only the notes of version 1 have such headers.

    Deprecation: RFC 9745. Sunset: RFC 8594. The relation successor-version: RFC 5829, in the Link header of RFC 8288.
    """
    if not path.startswith(_DEPRECATED):
        return {}
    to_root = "../" * (path.count("/") - 1)  # relative to the URL of the request, so it is right for every domain
    return {
        "Deprecation": f"@{DEPRECATED_SINCE.timestamp():.0f}",
        "Sunset": format_datetime(SUNSET, usegmt=True),
        "Link": f'<{to_root}{_SUCCESSOR}>; rel="successor-version"',
    }
