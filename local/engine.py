"""The process that is the local AWS: ministack, extended. Started by local.aws, which sets its environment."""

import argparse
import sys
from pathlib import Path

import ministack.app

from local import site
from local.extension import extend


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stock", action="store_true", help="as ministack comes, for the tests of the extension")
    parser.add_argument("--site-port", type=int, required=True, help="where the site for the cron example is")
    parser.add_argument("--site-down", type=Path, required=True, help="the file that takes the site down")
    arguments = parser.parse_args()
    if not arguments.stock:
        extend()
    site.serve(arguments.site_port, arguments.site_down)
    sys.argv = ["ministack"]  # its main() reads options of its own
    ministack.app.main()


if __name__ == "__main__":
    main()
