"""Find the folder in containers/ of each image in the synthesized stacks."""

import filecmp
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local import project
from local.templates import deployed_stacks, template_files

REFERENCE = re.compile(r"(?::|@sha256:)[0-9a-f]{64}")
"""The tag or the digest of an image in a template. The tag of an image of the CDK CLI is a hash of its files."""
_STAND_IN = re.compile(r"[/\"]stand-in(?:\.invalid)?/([\w-]+)@")
"""The name of an image on a machine without a container tool: see STAND_IN_IMAGE in local/project.py."""


class ImageFolders:
    """The images of one synthesized stack."""

    def __init__(self, assembly: Path, template: Path) -> None:
        """`assembly` is the folder of the synthesized stacks, and `template` is a file in it."""
        self._assembly = assembly
        self.template: Mapping[str, Any] = json.loads(template.read_text(encoding="utf-8"))
        file = template.with_name(template.name.replace(".template.json", ".assets.json"))
        assets = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        self._assets: Mapping[str, Any] = assets.get("dockerImages", {})

    def folder_of(self, image: object) -> str | None:
        """Return the name of the folder in containers/ of this image. `image` is a value in the template.

        The result is None if the image comes from a registry, or if several folders are equally similar to its files.
        """
        text = json.dumps(image)
        if stand_in := _STAND_IN.search(text):
            return stand_in[1].replace("-", "_")
        reference = REFERENCE.search(text)
        asset = self._assets.get(reference[0].rpartition(":")[2]) if reference else None
        if asset is None:
            return None
        dockerfile = Path(asset["source"].get("dockerFile", ""))
        if dockerfile.parent.parent == Path("containers"):
            return dockerfile.parent.name
        copy = asset["source"].get("directory")  # an image in a tar file has none
        return _most_similar_folder(self._assembly / copy) if copy else None


def _most_similar_folder(copy: Path) -> str | None:
    # If an image has its own folder as the build context, the assembly has a copy of the folder, but not its name. A
    # person may have changed some files since the synthesis, so half of the files must be equal.
    files = [file for file in copy.rglob("*") if file.is_file()]

    def same_files(folder: Path) -> int:
        originals = ((file, folder / file.relative_to(copy)) for file in files)
        return sum(other.is_file() and filecmp.cmp(file, other, shallow=False) for file, other in originals)

    counts = {file.parent.name: same_files(file.parent) for file in project.ROOT.glob("containers/*/Dockerfile")}
    most = max(counts.values(), default=0)
    best = [name for name, count in counts.items() if count == most]
    return best[0] if len(best) == 1 and 2 * most >= len(files) else None


def deployed_images(cloudformation: Any, assembly: Path) -> Iterator[tuple[str, ImageFolders]]:
    """Yield the name and the images of each stack in the folder `assembly` that is deployed."""
    deployed = deployed_stacks(cloudformation)
    for stack, template in template_files(assembly).items():
        if stack in deployed:
            yield stack, ImageFolders(assembly, template)
