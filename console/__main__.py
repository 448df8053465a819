"""Show the deployed examples in a browser: `python -m console --prefix compute` for the stacks in your AWS account.

The console only reads there, so permissions to read are sufficient. `make local` starts it for the local AWS.
"""

import argparse
import json
import os
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import uvicorn
from botocore.exceptions import BotoCoreError

from console.account import Account, LocalAccount, RealAccount
from console.app import create_app
from local.project import local_aws
from localaws.aws import LocalAws
from scripts.aws_errors import explain


def main() -> None:
    """Parse the command line and answer requests until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m console", description=__doc__)
    parser.add_argument("--prefix", help="the first part of the names of the stacks; without it, that in config.py")
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        choices=range(65536),
        metavar="PORT",
        help="port; if it is in use or 0, the console takes a free port",
    )
    parser.add_argument("--local", type=Path, metavar="FOLDER", help="show the local AWS with this folder")
    parser.add_argument("--state", type=Path, metavar="FILE", help="write the process id and the port into this file")
    arguments = parser.parse_args()
    with _listening_socket(arguments.port) as listener, tempfile.TemporaryDirectory() as temporary_folder:
        port = listener.getsockname()[1]
        folder, account = Path(temporary_folder), _account(arguments)
        if arguments.local:
            folder = arguments.local.resolve() / "console"
        app = create_app(account, folder, port)
        if arguments.state:
            arguments.state.write_text(json.dumps({"pid": os.getpid(), "port": port}), encoding="utf-8")
        else:
            print(f"open http://127.0.0.1:{port}/ in a browser. Ctrl-C ends the console", flush=True)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        if isinstance(account, LocalAccount):
            threading.Thread(target=_end_with_local_aws, args=(server, account.aws), daemon=True).start()
        server.run(sockets=[listener])


def _end_with_local_aws(server: uvicorn.Server, aws: LocalAws) -> None:
    # `make local-down` ends the console. This thread ends it, too, if something else has stopped the local AWS. If the
    # engine has only crashed, its files still exist. Then the console continues, and its pages say what has happened.
    while aws.was_started:
        time.sleep(1)
    server.should_exit = True


def _account(arguments: argparse.Namespace) -> Account:
    if arguments.local:
        return LocalAccount(local_aws(arguments.local.resolve()))
    try:
        return RealAccount(arguments.prefix or _prefix_in_config())
    except BotoCoreError as error:
        sys.exit(f"error: {explain(error)}")


def _prefix_in_config() -> str:
    import stacks._node  # noqa: F401, PLC0415 - first, because the next import starts Node
    from config import from_context  # noqa: PLC0415 - the local AWS does not need it

    return from_context({}).prefix


def _listening_socket(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.bind(("127.0.0.1", 0))
    listener.listen()  # a browser may open the address as soon as it is printed
    return listener


if __name__ == "__main__":
    main()
