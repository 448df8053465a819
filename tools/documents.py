"""Write the computed parts of README.md and docs/*.md: `python -m tools.documents`, as `make docs`.

Cog computes the cost tables and the diagrams. They are between the markers `[[[cog ...]]]` and `[[[end]]]`. The names
of stacks are everywhere in the documents. If the setting `prefix` has changed, this program replaces their first part.
"""

import re
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path

from cogapp import Cog  # type: ignore[import-untyped]

from config import PROFILES, from_context
from tools.costs.documents import Costs
from tools.costs.sums import Sums
from tools.diagrams.mermaid import diagrams
from tools.templates import Template, stacks_in, synthesize, templates_in

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LESSON = ROOT / "docs" / "thumbnail.md"
PROLOGUE = "from tools.documents import printers; cost, diagram = printers(sandbox, production)"
"""cog runs this line before the code of each marker. `sandbox` and `production` are folders of cloud assemblies."""


COMPARED: Mapping[str, Mapping[str, str]] = {
    "sandbox": {"watch_closely": "false", "container_insights": "false", "vpc": ""},
    "production": {"watch_closely": "true", "container_insights": "true", "vpc": ""},
}
"""Settings of each profile in the comparisons. They are fixed, because a comparison shows the cost of a setting."""


@cache
def printers(sandbox: str, production: str) -> tuple[Costs, Callable[[str], None]]:
    """Return the object that prints the cost tables, and the function that prints the diagram of an example."""
    by_stem = diagrams(Path(sandbox))
    folders = {"sandbox": Path(sandbox), "production": Path(production)}
    compared = {profile: _compared_templates(profile, folder) for profile, folder in folders.items()}
    costs = Costs(**{profile: templates_in(folder) for profile, folder in folders.items()}, compared=Sums(**compared))
    return costs, lambda stem: print(by_stem[stem])


def _compared_templates(profile: str, assembly: Path) -> Mapping[str, Template]:
    """Return the templates for the comparisons.

    If the profile has the values in COMPARED, these templates are already in the folder `assembly`.
    """
    if from_context({"profile": profile, **COMPARED[profile]}) == from_context({"profile": profile}):
        return templates_in(assembly)
    with tempfile.TemporaryDirectory() as folder:
        synthesize(Path(folder), profile=profile, **COMPARED[profile])
        return templates_in(Path(folder))


def run_cog(sandbox: Path, production: Path, *options: str) -> int:
    """Run cog on every document, and return the exit code. `-r` writes the documents, and `--check` compares them."""
    folders = ("-D", f"sandbox={sandbox}", "-D", f"production={production}")
    exit_code: int = Cog().main(
        ["cog", "-P", "-p", PROLOGUE, "--verbosity=1", *folders, *options, *map(str, DOCUMENTS)]
    )
    return exit_code


def rename_stacks(text: str, lesson: str, names: Collection[str], prefix: str) -> str:
    """Return the text with this prefix in the names of the stacks.

    `lesson` is a lesson's text, whose commands contain the old prefix. `names` are the names of the stacks without
    their prefix.
    """
    parts = "|".join(map(re.escape, names))
    found = re.search(rf"--stack-name ([a-z0-9-]+)-(?:{parts})\s", lesson)
    if found is None:
        raise ValueError("no command of the lesson has the option --stack-name with the name of a stack")
    return re.sub(rf"(?<![\w-]){found[1]}-(?=(?:{parts})(?![a-z0-9]))", f"{prefix}-", text)


def write_documents(sandbox: Path, production: Path) -> int:
    """Write the documents from the cloud assemblies of both profiles. Return the exit code of cog."""
    prefix = from_context({}).prefix
    names = [name.removeprefix(f"{prefix}-") for name, _, _ in stacks_in(sandbox)]
    lesson = LESSON.read_text(encoding="utf-8")
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        document.write_text(rename_stacks(text, lesson, names, prefix), encoding="utf-8")
    return run_cog(sandbox, production, "-r")


def main() -> None:
    """Synthesize both profiles and write the documents."""
    with tempfile.TemporaryDirectory() as folder:
        for profile in PROFILES:
            synthesize(Path(folder, profile), profile=profile)
        sys.exit(write_documents(Path(folder, "sandbox"), Path(folder, "production")))


if __name__ == "__main__":
    main()
