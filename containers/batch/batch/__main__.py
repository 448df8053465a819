"""Run one child of the job: `python -m batch`."""

import sys

if __name__ == "__main__":
    from batch.command import main

    sys.exit(main())
