"""Talk in a room of the live board: `python -m scripts.board --user ada --room lobby`.

It prints the messages of the room, and sends each line that you type. Ctrl-C ends it. Your AWS credentials need the
permission to invoke the function that issues tickets.
"""

import argparse
import asyncio
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from config import from_context
from scripts.aws_errors import explain
from scripts.board_client import BoardClient, Message, RefusedError, ticket_url


def show(message: Message) -> None:
    """Print a message. Control characters could change the terminal, so they are escaped."""
    text = f"{message['user']}: {message['text']}"
    print("".join(one if one.isprintable() else repr(one)[1:-1] for one in text), flush=True)


async def talk(client: BoardClient, texts: list[str], *, listen: float) -> None:
    """Send the texts, and then each line of standard input. With `listen`, only listen for so many seconds.

    Raises RefusedError.
    """
    tasks = [asyncio.create_task(client.run()), asyncio.create_task(_send(client, texts, listen))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()  # raises the error of the task
    finally:
        for task in tasks:
            task.cancel()


async def _send(client: BoardClient, texts: list[str], listen: float) -> None:
    for text in texts:
        await client.send(text)
    if texts or listen:
        await asyncio.sleep(listen or 1)  # the messages also come back to their sender
        return
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line.strip():
            await client.send(line.strip())


def main() -> None:
    """Parse the command line, and talk."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--user", default="somebody")
    parser.add_argument("--room", default="lobby")
    parser.add_argument("--prefix", default=from_context({}).prefix, help="the first part of the name of the stack")
    parser.add_argument("--send", action="append", default=[], metavar="TEXT", help="send this text, and end")
    parser.add_argument("--listen", type=float, default=0, metavar="SECONDS", help="print messages, and end")
    options = parser.parse_args()
    try:
        (stack,) = boto3.client("cloudformation").describe_stacks(StackName=f"{options.prefix}-websocket")["Stacks"]
        issuer = next(one["OutputValue"] for one in stack["Outputs"] if one["OutputKey"] == "IssuerName")
        functions = boto3.client("lambda")
        ticket_url(functions, issuer, options.user, options.room)  # a bad name ends the program here
        client = BoardClient(lambda: ticket_url(functions, issuer, options.user, options.room), show)
        asyncio.run(talk(client, options.send, listen=options.listen))
    except KeyboardInterrupt:
        sys.exit(130)
    except (RefusedError, ConnectionError) as error:
        sys.exit(f"error: {error}")
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: {explain(error)}")


if __name__ == "__main__":
    main()
