"""Pass the settings of the local AWS to the CDK CLI in every shell that has read `.local/env`."""

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "LOCAL_AWS_CONTEXT"
"""The environment variable with the settings, as JSON text."""


def export_context(env_file: Path, context: Mapping[str, str]) -> None:
    """Add the settings to `env_file`, a file that shells read."""
    # CDK_APP is the CLI's option --app. The CLI has no variable for several options -c, so local/app.py reads ours.
    lines = (
        "# The CDK CLI uses the settings of `make local`.\n"
        "export CDK_APP='python3 -m local.app'\n"
        f"export {VARIABLE}={shlex.quote(json.dumps(context))}\n"
    )
    text = env_file.read_text(encoding="utf-8")
    if not text.endswith(lines):  # the last lines count
        env_file.write_text(text + lines, encoding="utf-8")


def exported_context() -> Mapping[str, str]:
    """Return the settings in this process's environment."""
    return dict(json.loads(os.environ.get(VARIABLE, "{}")))
