"""Write the computed parts of README.md and docs/*.md with cog: `python -m tools.documents`, as `make docs`.

Such a part stands between the markers `[[[cog ...]]]` and `[[[end]]]`: a cost table, or a lesson's diagram.
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
PROLOGUE = "from tools.documents import blocks; cost, diagram = blocks(sandbox, production)"
"""Code before that of each block. `sandbox` and `production` are the folders of the cloud assemblies."""


@cache
def blocks(sandbox: str, production: str) -> tuple[Costs, Callable[[str], None]]:
    """Return what a block can call: the cost tables, and a function that prints the diagram of an example."""
    drawn = diagrams(Path(sandbox))
    return Costs(templates_in(Path(sandbox)), templates_in(Path(production))), lambda stem: print(drawn[stem])


def run_cog(sandbox: Path, production: Path, *options: str) -> int:
    """Run cog on every document: `-r` writes them, `--check` compares them. Return its exit code."""
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
