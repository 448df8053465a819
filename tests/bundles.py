"""What the locks say."""

import re
from pathlib import Path


def locked(requirements: Path) -> dict[str, str]:
    """Name and version of every pinned requirement."""
    pins = re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==([^ \n\\]+)", requirements.read_text(), flags=re.MULTILINE)
    return dict(pins)
