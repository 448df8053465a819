"""Print the costs of the stacks. `make cost` runs this program. It needs no credentials and no network."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from config import PROFILES
from settings_checks import ConfigError
from tools.costs import report
from tools.costs.prices import UnpricedError
from tools.templates import Template, synthesize, templates_in


def main(arguments: Sequence[str] | None = None) -> None:
    """Synthesize both profiles, and print their costs. Exit with one line if a setting or a price is wrong."""
    parser = argparse.ArgumentParser(prog="make cost", description="Print the costs of the stacks.")
    parser.add_argument("stack", nargs="?", help="print the parts of this stack, such as compute-fargate")
    parser.add_argument("--all", action="store_true", help="print all stacks (the default)")
    parser.add_argument(
        "-c",
        dest="context",
        action="append",
        default=[],
        metavar="SETTING=VALUE",
        help="a setting of the app, as for cdk deploy",
    )
    options = parser.parse_args(arguments)
    context = {name: value for name, _, value in (setting.partition("=") for setting in options.context)}
    try:
        profiles = {profile: _templates({**context, "profile": profile}) for profile in PROFILES}
        if options.stack is None:
            lines = report.table(profiles)
        else:
            lines = report.details(_stem(options.stack, next(iter(profiles.values()))), profiles)
        print("\n".join(lines))
    except (ConfigError, UnpricedError) as error:
        sys.exit(f"error: {error}")


def _templates(settings: dict[str, str]) -> dict[str, Template]:
    with tempfile.TemporaryDirectory() as folder:
        synthesize(Path(folder), **settings)
        return templates_in(Path(folder))


def _stem(stack: str, stacks: dict[str, Template]) -> str:
    found = [stem for stem in stacks if stack == stem or stack.endswith(f"-{stem.replace('_', '-')}")]
    if not found:
        sys.exit(f"error: {stack!r} is not a stack. The stacks are: {', '.join(stacks)}")
    return found[0]


if __name__ == "__main__":
    main()
