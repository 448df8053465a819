"""Give the functions in the local AWS the code in lambda_src/, without a deployment.

`cdk deploy --hotswap` does the same in an AWS account. Here no program starts, so the new code is live sooner.
"""

import io
import urllib.request
import zipfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from localaws.bundles import compiled_packages

SOURCE = Path(__file__).resolve().parent.parent / "lambda_src"
SUFFIXES = (".py", ".json")
"""The files that stacks/_bundling.py copies into a bundle, the zip file with the code of a function."""


class FunctionCode:
    """The code of one deployed function."""

    def __init__(self, client: Any, name: str, package: str, source: Path = SOURCE) -> None:
        """`client` is a Lambda client. `package` is the folder in `source` with the function's handler."""
        self.name = name
        self._client = client
        self._package = package
        self._source = source

    @property
    def _package_files(self) -> Mapping[str, bytes]:
        """The files in lambda_src/, by the names that they have in the bundle."""
        files = (path for path in (self._source / self._package).rglob("*") if path.suffix in SUFFIXES)
        return {path.relative_to(self._source).as_posix(): path.read_bytes() for path in sorted(files)}

    @cached_property
    def _deployed(self) -> Mapping[str, bytes]:
        """The deployed files, by name. Compiled packages are left out, because the engine does not use them."""
        url = self._client.get_function(FunctionName=self.name)["Code"]["Location"]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=30) as answer:
            bundle = zipfile.ZipFile(io.BytesIO(answer.read()))
        names = [name for name in bundle.namelist() if not name.endswith("/")]
        compiled = compiled_packages(names)
        return {name: bundle.read(name) for name in names if name.split("/")[0] not in compiled}

    @cached_property
    def _requirements(self) -> bytes:
        """A zip file with the deployed packages that the function imports."""
        names = [name for name in self._deployed if not name.startswith(f"{self._package}/")]
        return _with_files(b"", {name: self._deployed[name] for name in names})

    def is_current(self) -> bool:
        """Whether the deployed code of the package is equal to the files in lambda_src/."""
        deployed = {name: data for name, data in self._deployed.items() if name.startswith(f"{self._package}/")}
        return deployed == self._package_files

    def update(self) -> None:
        """Deploy the files in lambda_src/. The next invocation runs them."""
        self._client.update_function_code(
            FunctionName=self.name, ZipFile=_with_files(self._requirements, self._package_files)
        )


def deployed_functions(client: Any) -> Mapping[str, list[FunctionCode]]:
    """Return the deployed functions of each package in lambda_src/. `client` is a Lambda client."""
    found: dict[str, list[FunctionCode]] = {lock.parent.name: [] for lock in sorted(SOURCE.glob("*/requirements.txt"))}
    for page in client.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            package = function.get("Handler", "").split(".")[0]
            if package in found:
                found[package].append(FunctionCode(client, function["FunctionName"], package))
    return found


def _with_files(bundle: bytes, files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    buffer.write(bundle)
    # The client and the engine need less time to transfer and to read a compressed bundle.
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for name, data in files.items():
            target.writestr(name, data)
    return buffer.getvalue()
