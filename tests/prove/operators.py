"""Operators in the run: they send dead letters back with the commands that they have."""

from __future__ import annotations

import argparse
import contextlib
import io

from operate import commands
from operate.dead_letters import queues
from operate.installation import Installation
from tests.prove.fate import Fate
from tests.prove.queues import DEAD, WORK
from tests.prove.world import World
from tests.table import TABLE


def redrive(world: World, fate: Fate) -> None:
    """`python -m operate redrive` for each queue: all by SQS, or one by one, or those of a deal first."""
    at = _installation(world)
    for name in queues(at):
        picky = {"deal": fate.pick("redriven", (None, None, *_deals(world))), "most": fate.pick("most", (None, 2))}
        for given in (picky, {"deal": None, "most": None}):
            with contextlib.redirect_stdout(io.StringIO()):
                commands.redrive(at, argparse.Namespace(queue=name, **given))


def _installation(world: World) -> Installation:
    """What CloudFormation would say of the stack; its queues are called as in template.yaml."""
    names = [name.removesuffix(WORK) for name in world.work.by_name]
    resources = {name + suffix: name + suffix for name in names for suffix in (WORK, DEAD)}
    return Installation(TABLE, "bus", 1200, resources)


def _deals(world: World) -> list[str]:
    return sorted(key.removeprefix("DEAL#") for key in world.table.partitions() if key.startswith("DEAL#"))
