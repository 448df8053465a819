"""A function that reads locked versions, and the expected content of the bundle of each Lambda function.

A lock is a requirements.txt with exact versions and hashes. CDK uploads a bundle as the code of a function.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


def locked_versions(requirements: Path) -> dict[str, str]:
    """Return the version of each requirement in a lock, by name."""
    pins = re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==([^ \n\\]+)", requirements.read_text(), flags=re.MULTILINE)
    return dict(pins)


PYTHON_OF_LAMBDA = "cpython-314-aarch64-linux-gnu"
"""Part of the file name of a compiled module: Python's version and the processor."""
PLAIN_POWERTOOLS = frozenset({"aws_lambda_powertools", "typing_extensions.py"})
POWERTOOLS = PLAIN_POWERTOOLS | {"aws_xray_sdk", "wrapt"}


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """The content of a function's bundle without the function's own package."""

    from_wheels: frozenset[str] = POWERTOOLS
    compiled: tuple[str, ...] = ("wrapt",)
    """Packages and modules with compiled code for Lambda's processor. This machine cannot import them."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that the import of the handler needs."""


BUNDLES: Mapping[str, Bundle] = {
    "api": Bundle(
        from_wheels=POWERTOOLS | {"fastjsonschema", "simplejson"},
        compiled=("simplejson", "wrapt"),
        environment={"NOTES_TABLE": "x", "ALLOWED_ORIGIN": "*"},
    ),
    "cron": Bundle(
        from_wheels=POWERTOOLS | {f"can_ada.{PYTHON_OF_LAMBDA}.so"},
        compiled=(f"can_ada.{PYTHON_OF_LAMBDA}.so", "wrapt"),
        environment=dict.fromkeys(("RESULTS_TABLE", "KEEP_DAYS", "TIMEOUT_SECONDS", "ALLOW_PRIVATE", "METRICS"), "1"),
    ),
    "ecr": Bundle(
        from_wheels=PLAIN_POWERTOOLS,
        compiled=(),
        environment={"SOURCE_REPOSITORY": "x", "TARGET_REPOSITORY": "x", "IMAGE_TAG": "x"},
    ),
    "thumbnail": Bundle(
        from_wheels=POWERTOOLS
        | {"PIL", "pillow.libs"}
        | {"pillow_heif", "pillow_heif.libs", f"_pillow_heif.{PYTHON_OF_LAMBDA}.so"},
        compiled=("PIL", "pillow.libs", "wrapt"),  # the handler imports pillow_heif later, only for a HEIC
        environment=dict.fromkeys(
            ("THUMBNAILS_BUCKET", "METADATA_TABLE", "MAX_EDGE", "MAX_BYTES", "MAX_PIXELS", "MAX_DECODING_BYTES"), "1"
        ),
    ),
    "websocket": Bundle(
        from_wheels=PLAIN_POWERTOOLS,
        compiled=(),
        environment={"CONNECTIONS_TABLE": "x", "MESSAGES_TABLE": "x"},
    ),
}
"""The bundles by the name of the function's package."""


def bundle_of(package: str) -> Bundle:
    """Return the expected bundle of a function. A function that is not in BUNDLES has only Powertools without X-Ray."""
    return BUNDLES.get(package, Bundle(from_wheels=PLAIN_POWERTOOLS, compiled=()))
