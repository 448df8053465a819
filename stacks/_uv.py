"""Runs uv with the user's settings of the network: `python -m stacks._uv pip install …`.

uv installs the packages of this project several times faster than pip. It does not read pip's settings, so this module
translates the settings of the network for uv: the index of a company, its proxy and its certificates. It ignores uv's
configuration files, and all other variables UV_…, because they change what uv installs, or where.
This module needs only Python's standard library and uv.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from stacks._pip import kept_settings, list_settings, run_module

KEPT_VARIABLES = (
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INSECURE_HOST", "UV_KEYRING_PROVIDER"),
    *("UV_SYSTEM_CERTS", "UV_NATIVE_TLS", "UV_HTTP_", "UV_REQUEST_TIMEOUT", "UV_CREDENTIALS_DIR"),
    *("UV_CACHE_DIR", "UV_NO_CACHE", "UV_LINK_MODE", "UV_CONCURRENT_", "UV_LOCK_TIMEOUT"),
)
"""How the names of uv's variables for the network and for the cache begin. They win over pip's settings.
UV_INDEX includes UV_INDEX_URL, and the user and the password of an index (UV_INDEX_…_PASSWORD).
https://docs.astral.sh/uv/reference/environment/"""
SAME_VALUE = {
    "index-url": "UV_DEFAULT_INDEX",
    "keyring-provider": "UV_KEYRING_PROVIDER",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
}
"""The variable of uv for each setting of pip."""
LISTS = {
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
}
"""The variable of uv for each list of pip, and the text between two values. pip separates the values by spaces."""


def run_uv(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run uv with these arguments and return the result, with the output of uv. Does not raise an error.

    uv runs without the network first. If its cache has all packages, this is faster, and works offline.
    """
    listed = list_settings()
    if listed.returncode:  # pip cannot read the user's settings
        return listed
    settings = kept_settings(listed.stdout.splitlines())
    environment = uv_environment(os.environ, settings)
    options = [*arguments, *(["--no-index"] if settings.get("no-index", "0").lower() in _YES else [])]
    offline = _uv([*options, "--offline"], environment)
    return offline if offline.returncode == 0 else _uv(options, environment)


def uv_environment(environment: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for uv. `settings` are pip's settings of the network by name, such as `index-url`."""
    translated = {variable: settings[name] for name, variable in SAME_VALUE.items() if name in settings}
    for name, (variable, separator) in LISTS.items():
        if name in settings:
            translated[variable] = separator.join(settings[name].split())
    if translated.get("UV_KEYRING_PROVIDER") in ("auto", "import"):
        translated["UV_KEYRING_PROVIDER"] = "subprocess"  # the only provider of uv
    if "proxy" in settings:
        proxies = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        translated |= dict.fromkeys(proxies, settings["proxy"])
    return {
        # pip looks for a package in all indexes, and so does uv with this strategy. Its name contains "unsafe", because
        # an index can offer another package with the same name. Here every package has a hash, so uv rejects it.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_SYSTEM_CERTS": "true",  # as pip does; a company adds its certificate to those of the system
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_CONFIG": "1",
        **_certificates_of_pip(environment),
        **{name: value for name, value in environment.items() if not name.startswith("UV_")},
        **translated,
        **{name: value for name, value in environment.items() if name.startswith(KEPT_VARIABLES)},
    }


def last_error(run: subprocess.CompletedProcess[str]) -> str:
    """Return the reason of a failure in uv's output, as one line."""
    lines = [line.strip().removeprefix("error: ").removeprefix("cause: ") for line in run.stdout.splitlines()]
    return " ".join(line for line in lines if line) or "uv printed no reason"


_YES = frozenset({"1", "true", "yes", "on", "y", "t"})
"""The texts that pip reads as true."""


def _certificates_of_pip(environment: Mapping[str, str]) -> dict[str, str]:
    # pip also reads the variables of the library requests.
    values = (environment.get(name, "") for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    return next(({"SSL_CERT_FILE": value} for value in values if Path(value).is_file()), {})


def _uv(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return run_module("uv", ["--quiet", *arguments], environment)


if __name__ == "__main__":
    finished = run_uv(sys.argv[1:])
    if finished.returncode:
        sys.exit(f"uv failed: {finished.stdout.strip() or 'uv printed no reason'}")
