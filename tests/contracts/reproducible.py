"""A template is the same on every machine and day.

It contains no id of an account or a network, no date, and no path of a machine.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.folders import ROOT
from tools.templates import Template

ACCOUNT = re.compile(r"(?<![0-9A-Za-z])\d{12}(?![0-9A-Za-z])")
NETWORK_ID = re.compile(r"\b(?:vpc|subnet)-(?:[0-9a-f]{17}|[0-9a-f]{8})\b")
"""The id of a VPC or a subnet, which exists in one account only."""
DATE = re.compile(r"(?<!\d)(19|20)\d\d-(0[1-9]|1[0-2])-([0-2]\d|3[01])(?!\d)")
API_VERSIONS = {
    "2012-10-17",  # version of the policy language
    "2015-03-31",  # version of Lambda's API, in the ARN by which API Gateway invokes a function
}
"""Dates that are names of versions."""
HOME_FOLDER = re.compile(r"/(home|Users|root)/|\b[A-Z]:\\")
PATHS_OF_THIS_MACHINE = tuple(
    sorted({str(ROOT), str(Path.home()), f"{tempfile.gettempdir()}/", "/private/var/", "/var/folders/"})
)


def faults(template: Template) -> list[str]:
    """Return the values that would differ on another machine or day, or in another account."""
    return [
        f"{name}: {fault}"
        for section in template
        if isinstance(template[section], dict)
        for name, value in template[section].items()
        for fault in _text_faults(json.dumps(value, ensure_ascii=False))
    ]


def _text_faults(text: str) -> Iterator[str]:
    for account in sorted(set(ACCOUNT.findall(text))):
        yield f"the account {account}"
    for network_id in sorted(set(NETWORK_ID.findall(text))):
        yield f"the network {network_id}"
    for date in sorted({match[0] for match in DATE.finditer(text)} - API_VERSIONS):
        yield f"the date {date}"
    if HOME_FOLDER.search(text) or any(path in text for path in PATHS_OF_THIS_MACHINE):
        yield "a path of this machine"
