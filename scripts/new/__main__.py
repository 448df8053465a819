"""Make the skeleton of a new example: `python3 -m scripts.new worker`.

The skeleton is a queue with a function that processes its messages. This script writes its stack, code, tests and
lesson, and registers the example in the other files of the project. Then it updates the documents and the reviewed
templates. At the end, it lists the decisions that only you can make. It needs the packages of the tests, which
`make setup-tests` installs.
"""

import argparse
import os
import subprocess
import sys

from scripts.new.writing import ROOT, SkeletonError, write_skeleton

PYTHON = ROOT / ".venv" / "bin" / "python"
UPDATES = (
    ("-m", "tools.documents"),
    ("-m", "pytest", "-q", "-n0", "tests/stacks/test_snapshots.py", "--snapshot-update"),
)
"""The commands that write the parts of the project that are computed from the templates: `make docs snapshots`."""
DECISIONS = """\
Only you can make these decisions. A test fails for each of them until you have made it:

1. tests/contracts/unused_permissions.py: write why the function's role may read the queue.
2. tools/costs/work.py: write what some work of the example costs, and run `make docs`.
3. docs/{stem}.md: write the section "{heading}".

`make local` shows the example at work on this machine. While `make watch` runs, put your own code into
lambda_src/{stem}/handler.py. Then run `make test`."""
DECISIONS_WITHOUT_LESSON = DECISIONS.replace('3. docs/{stem}.md: write the section "{heading}".\n', "")


def main() -> None:
    """Write the skeleton, update the computed files, and list the decisions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stem", help="the short name of the new example, such as worker")
    stem: str = parser.parse_args().stem
    if not PYTHON.with_name("pytest").exists():
        sys.exit("error: the packages of the tests are not installed. Run `make setup-tests` first.")
    try:
        written = write_skeleton(stem)
    except SkeletonError as error:
        sys.exit(f"error: {error}")
    print(*written.files, sep="\n")
    # jsii runs the `node` of the set-up. The tests check the templates later, so they are not checked here.
    path = os.pathsep.join([str(PYTHON.parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "CDK_VALIDATION": "false"}
    for update in UPDATES:
        run = subprocess.run([PYTHON, *update], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if run.returncode:
            reason = f"the skeleton is written, but this command failed: python {' '.join(update)}"
            sys.exit(f"{run.stdout}{run.stderr}\nerror: {reason}")
    decisions = DECISIONS if written.empty_sections else DECISIONS_WITHOUT_LESSON
    print("\n" + decisions.format(stem=stem, heading='", "'.join(written.empty_sections)))


if __name__ == "__main__":
    main()
