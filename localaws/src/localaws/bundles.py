"""The rule for compiled packages in a function's bundle, the zip file with its code."""

from collections.abc import Iterable


def compiled_packages(names: Iterable[str]) -> set[str]:
    """Return the packages that contain compiled code, from the names of all files in a bundle.

    The engine removes these packages, because they are compiled for Lambda's processor.
    """
    return {name.split("/")[0] for name in names if "/" in name and ".so" in name.rsplit("/", 1)[-1]}
