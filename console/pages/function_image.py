"""The page of the function_image example: upload pictures, and compare the image with the zip file of thumbnail."""

from collections.abc import Mapping
from typing import ClassVar

from console.examples import Example
from console.live import Fragments
from console.packages import Package, read_package
from console.picture_page import PicturePage


class Page(PicturePage):
    """The page of the function_image example."""

    template: ClassVar[str] = "function_image.html"
    _packages: Mapping[str, Package | None] = {}

    def live(self, example: Example) -> Fragments:
        """Return the pictures, and the packages of both thumbnail functions."""
        examples = [one for one in (example, self.console.examples().get("thumbnail")) if one]
        packages = [package for one in examples if (package := self._package(one))]
        return {**super().live(example), "packages": self.render("_function_image_packages.html", packages=packages)}

    def _package(self, example: Example) -> Package | None:
        # A deployment is the only event that changes a package, so each one is read once for each deployment.
        key = f"{example.stack} {example.changed_at} {example.status}"
        if key not in self._packages:
            self._packages = {**self._packages, key: read_package(self.account, example)}
        return self._packages[key]
