"""`python -m local`: start and stop the whole system on this machine, and look into it."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from local import show, stack
from local.demo import Demo
from local.people import PATHS
from local.stack import Stack, StackFailed


def main() -> int:
    """Run one command; a failure is one line on the error stream and exit code 1."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a killed `up` stops what it started
    try:
        run: Callable[[argparse.Namespace], None] = arguments.run
        run(arguments)
    except StackFailed as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    up = commands.add_parser("up", help="start the system and leave it running")
    up.add_argument("--enforce-iam", action="store_true", help="functions may do only what their roles allow")
    up.set_defaults(run=_up)
    commands.add_parser("down", help="stop it").set_defaults(run=_down)
    demo = commands.add_parser("demo", help="watch three quotes go through the running system")
    demo.add_argument("--path", choices=sorted(PATHS), default="standard", help="the vendors it goes through")
    demo.set_defaults(run=_demo)
    token = commands.add_parser("token", help="print a JWT that the API accepts")
    token.add_argument("--user", required=True)
    token.add_argument("--role", required=True)
    token.add_argument("--minutes", type=int, default=60)
    token.set_defaults(run=lambda given: print(_found().token(given.user, given.role, given.minutes)))
    deals = commands.add_parser("deals", help="list the deals")
    deals.set_defaults(run=lambda given: show.show_deals(_found(), as_json=given.json))
    timeline = commands.add_parser("timeline", help="what happened to a deal")
    timeline.add_argument("deal_id")
    timeline.set_defaults(run=lambda given: show.show_timeline(_found(), given.deal_id, as_json=given.json))
    twin = commands.add_parser("twin", help="what a vendor's twin saw, sent or holds")
    twin.add_argument("name")
    twin.add_argument("what", choices=["requests", "deliveries", "state"])
    twin.set_defaults(run=lambda given: show.show_twin(_found(), given.name, given.what, as_json=given.json))
    for command in (deals, timeline, twin):
        command.add_argument("--json", action="store_true", help="plain JSON instead of a table")
    return parser


def _found() -> Stack:
    found = stack.find()
    if found is None:
        raise StackFailed("nothing is running; start it with `make up`")
    return found


def _up(given: argparse.Namespace) -> None:
    if (found := stack.find()) is not None:
        print(f"already up: {found.api_url}")
        return
    _started(Console(stderr=True), enforce_iam=given.enforce_iam)


def _started(console: Console, *, enforce_iam: bool = False) -> Stack:
    """Starts the system behind one progress line."""
    begun = time.monotonic()
    columns = SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}")
    with Progress(*columns, console=console, transient=True) as line:
        task = line.add_task("starting", total=None)

        def progress(step: str) -> None:
            line.update(task, description=step)
            if not console.is_terminal:
                console.print(f"{time.monotonic() - begun:5.1f} s  {step}")

        started = stack.start(progress, enforce_iam=enforce_iam)
    console.print(f"up in {time.monotonic() - begun:.1f} s: {started.api_url}", highlight=False, soft_wrap=True)
    return started


def _demo(given: argparse.Namespace) -> None:
    """On a system of its own: one that is up already may have seen these quotes."""
    stack.stop()
    console = Console(width=None if sys.stdout.isatty() else 140, emoji=False)
    try:
        if not Demo(_started(console), console, PATHS[given.path]).run():
            raise StackFailed("the demo did not end as it should")
    finally:
        if not os.environ.get("KEEP"):
            stack.stop()


def _down(_: argparse.Namespace) -> None:
    stack.stop()
    print("down")


if __name__ == "__main__":
    sys.exit(main())
