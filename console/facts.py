"""What the console tells about every example: its costs, what runs locally, its files, and its links."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from console.examples import Example
from localaws.behaviour import running_and_stored
from localaws.container_tool import architecture
from tools.costs import idle, work
from tools.costs.prices import UnpricedError, total

ROOT = Path(__file__).resolve().parent.parent
CONTAINERS = {
    "batch": ("containers/batch/batch/__main__.py",),
    "function_image": ("containers/function_image/Dockerfile", "lambda_src/thumbnail/handler.py"),
    **dict.fromkeys(("ecr", "ecs_ec2", "fargate"), ("containers/web/web/page.py", "containers/web/Dockerfile")),
}
"""The main source files of the container images that an example runs."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts about a deployed example."""

    running: Sequence[str]
    """What works in the local AWS."""
    stored: Sequence[str]
    """What exists in the local AWS, but does nothing."""
    month: str
    """The price of a month without use, such as `$0.10`. It is empty if a price is unknown."""
    work: Sequence[tuple[str, str]]
    """The prices of some work: name and price."""
    files: Sequence[str]
    """The main source files, as paths in the project."""
    machine: str
    """The processor architecture of this machine, such as `x86_64`."""
    other_processors: Sequence[str]
    """The architectures of the functions in the template, without that of this machine."""
    has_images: bool
    """Whether the template has container images. `make local` chooses images for this machine."""


def facts(example: Example) -> Facts:
    """Return the facts about a deployed example, computed from its template."""
    template = dict(example.template)
    running, stored = running_and_stored(resource["Type"] for resource in template["Resources"].values())
    try:
        month = f"${total(idle.parts(template)):,.2f}"
        units = [(unit.name, dollars(total(unit.parts))) for unit in work.units(example.stem, template)]
    except (UnpricedError, KeyError, ValueError, IndexError, TypeError):  # a fork may have changed the stack
        month, units = "", []
    return Facts(
        running=running,
        stored=stored,
        month=month,
        work=units,
        files=_files(example.stem),
        machine=architecture(),
        other_processors=sorted(_processors(example) - {architecture()}),
        has_images=bool(example.resources("AWS::ECS::TaskDefinition", "AWS::Batch::JobDefinition"))
        or any("ImageUri" in properties.get("Code", {}) for properties in _functions(example)),
    )


def dollars(amount: float) -> str:
    """Return an amount in dollars. Amounts below one cent have four decimals."""
    return f"${amount:,.2f}" if amount >= 0.01 else f"${amount:.4f}"  # noqa: PLR2004 - one cent


def utc(time: datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Return a time in UTC as text. All pages show UTC, as the logs do, and the label next to a time says so."""
    return time.astimezone(UTC).strftime(form)


def _functions(example: Example) -> Collection[Mapping[str, Any]]:
    """Return the properties of each function. The template of a fork may have a function without properties."""
    return [function.get("Properties", {}) for function in example.resources("AWS::Lambda::Function").values()]


def _processors(example: Example) -> set[str]:
    """Return the architectures that the functions name. CDK's own functions name none."""
    return {name for properties in _functions(example) for name in properties.get("Architectures", ())}


def _files(stem: str) -> list[str]:
    stacks = [
        f"stacks/{stem}.py",
        *(f"stacks/{found.name}" for found in sorted((ROOT / "stacks").glob(f"{stem}_*.py"))),
    ]
    code = [f"lambda_src/{stem}/handler.py", *CONTAINERS.get(stem, ())]
    return [file for file in (*stacks, *code, f"local/{stem}.py") if (ROOT / file).is_file()]
