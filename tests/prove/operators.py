"""Operators in the run: they send dead letters back, and compare, with the commands that they have."""

from __future__ import annotations

import argparse
import contextlib
import io

from operate import commands
from operate.compare import compare
from operate.dead_letters import queues
from operate.installation import Installation
from operate.vendors import Vendors
from tests.prove.broken import Broken
from tests.prove.chronicle import Chronicle
from tests.prove.fate import Fate
from tests.prove.money_at_the_end import unheard
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


def find_unheard(world: World, chronicle: Chronicle, told: set[str]) -> bool:
    """`python -m operate compare` names each dispute that no message told of; the vendor is asked to tell it again,
    once: `told` are those. Whether there was any new one. Raises `Broken` for one that the command does not name.
    """
    found = [(deal, dispute) for deal, dispute in unheard(world, chronicle) if dispute.id not in told]
    for deal, dispute in found:
        history = chronicle.histories[deal.id]
        what = f"disputes of {dispute.reference}"
        compared = [one for one in compare(deal, history, _vendors(world)) if one.what == what]
        if not any(one.agrees is False and dispute.id in one.vendor for one in compared):
            raise Broken(f"dispute {dispute.id} is told by nobody, and compare says {compared}")
        world.town.banks.tell_again(dispute.id)
        told.add(dispute.id)
    world.webhooks.collect()
    return bool(found)


def _vendors(world: World) -> Vendors:
    """By the clients of the functions, with their settings."""
    signs, pays, posts = (world.loaded(name) for name in ("request_signature", "request_payment", "post_invoice"))
    return Vendors(signs.signatures, pays.payments, posts.ledgers)


def _installation(world: World) -> Installation:
    """What CloudFormation would say of the stack; its queues are called as in template.yaml."""
    names = [name.removesuffix(WORK) for name in world.work.by_name]
    resources = {name + suffix: name + suffix for name in names for suffix in (WORK, DEAD)}
    return Installation(TABLE, "bus", 1200, resources)


def _deals(world: World) -> list[str]:
    return sorted(key.removeprefix("DEAL#") for key in world.table.partitions() if key.startswith("DEAL#"))
