"""Runs pip without most of the user's settings: `python -m stacks._pip install …`.

A user may have settings for pip, in environment variables (`PIP_USER=yes`) or in a file (`user = true` in pip.conf).
This module keeps the settings of the network, such as the index of a company, its proxy and its certificates. It
ignores all others, because they change what pip installs, or where. For example, `user` and `prefix` install into
another folder than .venv.
This module needs only Python's standard library, because the set-up starts with it. pip installs uv, and uv installs
all other packages (stacks/_uv.py).
"""

import ast
import functools
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

KEPT_SETTINGS = frozenset(
    {
        *("index-url", "extra-index-url", "no-index", "find-links", "trusted-host", "keyring-provider"),
        *("proxy", "cert", "client-cert", "use-feature", "use-deprecated", "timeout", "default-timeout", "retries"),
        *("resume-retries", "cache-dir", "no-cache-dir"),
    }
)
"""The settings of the network and of the cache. `use-feature` and `use-deprecated` choose the source of certificates.
https://pip.pypa.io/en/stable/cli/pip/#general-options and https://pip.pypa.io/en/stable/cli/pip_install/#options"""
_LIST_ALL_SETTINGS = dict.fromkeys(("PIP_USER", "PIP_SITE", "PIP_GLOBAL", "PIP_QUIET", "PIP_VERBOSE"), "0")
"""With `user = true` in a file, `pip config list` would list only one file. With `quiet = 1` it would list nothing."""
SECTIONS = ("global", "install", ":env:")
"""The sections of the settings that `pip install` reads. A later section wins, and `:env:` is the environment."""


def run_pip(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run pip with these arguments and return the result, with the output of pip. Does not raise an error."""
    listed = list_settings()
    if listed.returncode:  # pip cannot read the user's settings
        return listed
    return _pip(["--quiet", *arguments], pip_environment(os.environ, listed.stdout.splitlines()))


@functools.cache
def list_settings() -> subprocess.CompletedProcess[str]:
    """Return the result of `pip config list`, which prints the user's settings. Does not raise an error."""
    return _pip(["config", "list"], {**os.environ, **_LIST_ALL_SETTINGS})


def pip_environment(environment: Mapping[str, str], listed_settings: Iterable[str]) -> dict[str, str]:
    """Return the environment for pip: without the user's settings, but with the settings of the network.

    `listed_settings` are the lines of `pip config list`, such as `global.index-url='https://pypi.example/simple'`.
    """
    kept = kept_settings(listed_settings)
    return {
        **{name: value for name, value in environment.items() if not name.upper().startswith("PIP_")},
        **{f"PIP_{key.upper().replace('-', '_')}": value for key, value in kept.items()},
        "PIP_CONFIG_FILE": os.devnull,  # then pip reads no file
    }


def kept_settings(listed_settings: Iterable[str]) -> dict[str, str]:
    """Return the settings of the network by name, such as `index-url`. `listed_settings` are as in pip_environment."""
    values: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listed_settings:
        name, _, value = line.partition("=")
        section, _, key = name.partition(".")
        if section in SECTIONS and key in KEPT_SETTINGS:
            values[section][key] = str(ast.literal_eval(value))
    # pip ignores an empty value.
    return {key: value for section in SECTIONS for key, value in values[section].items() if value}


def last_line(run: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of pip's output, which is usually the reason of a failure."""
    return next((line for line in reversed(run.stdout.splitlines()) if line.strip()), "pip printed no reason")


def run_module(
    module: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a module of this Python and return the result, with its output and errors. Does not raise an error."""
    # PYTHONHOME and PYTHONPATH would add packages of another Python, and -I ignores them.
    return subprocess.run(
        [sys.executable, "-I", "-m", module, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _pip(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return run_module("pip", ["--disable-pip-version-check", *arguments], environment)


if __name__ == "__main__":
    finished = run_pip(sys.argv[1:])
    if finished.returncode:
        print(finished.stdout, end="", file=sys.stderr)
        sys.exit(f"pip failed: {last_line(finished)}")
