"""Write the computed parts of README.md and docs/*.md with cog: `python -m tools.documents`, as `make docs`.

A computed part is a cost table or the diagram of a lesson. It is between the markers `[[[cog ...]]]` and `[[[end]]]`.
"""

import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cogapp import Cog  # type: ignore[import-untyped]

from config import PROFILES
from tools.costs.documents import Costs
from tools.diagrams.mermaid import diagrams
from tools.templates import synthesize, templates_in

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROLOGUE = "from tools.documents import printers; cost, diagram = printers(sandbox, production)"
"""cog runs this line before the code of each marker. `sandbox` and `production` are folders of cloud assemblies."""


@cache
def printers(sandbox: str, production: str) -> tuple[Costs, Callable[[str], None]]:
    """Return the object that prints the cost tables, and the function that prints the diagram of an example."""
    by_stem = diagrams(Path(sandbox))
    return Costs(templates_in(Path(sandbox)), templates_in(Path(production))), lambda stem: print(by_stem[stem])


def run_cog(sandbox: Path, production: Path, *options: str) -> int:
    """Run cog on every document, and return the exit code. `-r` writes the documents, and `--check` compares them."""
    folders = ("-D", f"sandbox={sandbox}", "-D", f"production={production}")
    exit_code: int = Cog().main(
        ["cog", "-P", "-p", PROLOGUE, "--verbosity=1", *folders, *options, *map(str, DOCUMENTS)]
    )
    return exit_code


def main() -> None:
    """Synthesize both profiles and write the documents."""
    with tempfile.TemporaryDirectory() as folder:
        for profile in PROFILES:
            synthesize(Path(folder, profile), profile=profile)
        sys.exit(run_cog(Path(folder, "sandbox"), Path(folder, "production"), "-r"))


if __name__ == "__main__":
    main()
