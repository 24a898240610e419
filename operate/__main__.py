"""`python -m operate`: what an operator does when something went wrong. `--local` means the system of `make up`.

Exit codes: 0 all is well or done, 1 something is wrong or differs, 2 it could not be done, and one line says why.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

# The Lambda layer puts our code on the path; a module that is run by name has to do it itself.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "layers" / "core"))
os.environ.setdefault("POWERTOOLS_TRACE_DISABLED", "true")

from dealdesk.edge import clock
from dealdesk.edge.secrets import SecretUnusable
from dealdesk.errors import DealUnknown, Refusal
from operate import commands
from operate.installation import Installation, NotPossible, of_stack, on_this_machine

DEFAULT_STACK = "dealdesk-dev"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; whatever fails is one line on the error stream."""
    given = _parser().parse_args(arguments)
    try:
        at = on_this_machine() if given.local else of_stack(given.stack)
        run: Callable[[Installation, argparse.Namespace], int] = given.run
        return run(at, given)
    except DealUnknown as unknown:
        return _failed(f"{unknown}; deal ids look like sf-0067F00000deal1QAA, and `verify --all` reads every one")
    except (NotPossible, Refusal, SecretUnusable) as reason:
        return _failed(str(reason))
    except ClientError as error:
        return _failed(f"AWS refused {error.operation_name}: {error.response['Error'].get('Message', error)}")
    except BotoCoreError as error:
        return _failed(f"AWS cannot be asked: {error}; set AWS_PROFILE and AWS_REGION, or say --local")
    except KeyboardInterrupt:
        return 130


def _failed(why: str) -> int:
    print(f"error: {' '.join(why.split())}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m operate", description=__doc__)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--stack", default=DEFAULT_STACK, help=f"the CloudFormation stack ({DEFAULT_STACK})")
    where.add_argument("--local", action="store_true", help="the system of `make up` instead")
    add = parser.add_subparsers(required=True, metavar="command").add_parser
    letters = add("dead-letters", help="how many lie in each dead-letter queue, and the newest of them")
    letters.set_defaults(run=commands.dead_letters)
    redrive = add("redrive", help="move dead letters back to their work queue")
    redrive.add_argument("queue", help="a name that dead-letters shows, like post_invoice")
    redrive.add_argument("--deal", metavar="ID", help="only those of this deal")
    redrive.add_argument("--most", type=_positive, metavar="N", help="at most so many")
    redrive.set_defaults(run=commands.redrive)
    verify = add("verify", help="are the events whole, and is the snapshot what they say")
    verify.set_defaults(run=commands.verify)
    rebuild = add("rebuild", help="say which snapshots and list rows the events would write anew")
    rebuild.add_argument("--apply", action="store_true", help="and write them")
    rebuild.set_defaults(run=commands.rebuild)
    for command in (verify, rebuild):
        which = command.add_mutually_exclusive_group(required=True)
        which.add_argument("deal_id", nargs="?")
        which.add_argument("--all", action="store_true", help="every deal; reads the whole table")
    figures = add("figures", help="say where the desk's figures are not what the events say; reads the whole table")
    figures.add_argument("--apply", action="store_true", help="and count them anew")
    figures.set_defaults(run=lambda at, given: commands.figures(at, given, clock.now()))
    replay = add("replay", help="tell the reactions again what happened in a span of time")
    replay.add_argument("--from", required=True, dest="begin", metavar="TIME", help="like 2026-11-22T20:00:00Z")
    replay.add_argument("--to", required=True, dest="end", metavar="TIME")
    replay.add_argument("--to-rule", metavar="REACTION", help="only this one, like mirror_to_crm")
    replay.set_defaults(run=lambda at, given: commands.replay(at, given, clock.now()))
    compare = add("compare", help="where the desk and a deal's vendors say different things")
    compare.add_argument("deal_id")
    compare.set_defaults(run=commands.compare)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of letters; give 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
