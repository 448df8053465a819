"""The process that is the local AWS: ministack, extended. Started by local.aws, which sets its environment."""

import sys

import ministack.app

from local.extension import extend


def main() -> None:
    """Serve until SIGTERM; with `--stock`, as ministack comes (for the tests of the extension)."""
    if "--stock" not in sys.argv:
        extend()
    sys.argv = ["ministack"]  # its main() reads options of its own
    ministack.app.main()


if __name__ == "__main__":
    main()
