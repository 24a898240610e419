"""The approval steps of a policy: whom each asks, how many of them, who stands in, which yes answers for another."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from dealdesk.domain.decision import RouteStage
from dealdesk.domain.policy_json import InvalidPolicy, Node

MOST_NEEDED = 50
MOST_BACKUPS = 10
Covers = Mapping[str, frozenset[str]]


class Step(NamedTuple):
    """An approval that rules may ask for: who is asked, and within how many business hours they answer.

    `needs` is how many of the group say yes, None for all of them. `backups` are the groups that are asked, in this
    order, when nobody of the group can answer; the last is the duty pool. A yes also answers the steps in `covers`.
    """

    id: str
    label: str
    group: str
    sla_hours: int
    needs: int | None = 1
    backups: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()


def read_steps(node: Node) -> Mapping[str, Step]:
    """The steps by their ids. Raises `InvalidPolicy`, also for steps that cover each other in a circle."""
    names = tuple(node.object())
    steps = MappingProxyType({name: _read_step(name, node.member(name), names) for name in names})
    for step in steps.values():
        if step.id in _reached(step.id, steps):
            raise InvalidPolicy(f"{node.pointer}/{step.id}/covers", f"{step.id} covers itself by way of what it covers")
    return steps


def covers_of(steps: Mapping[str, Step]) -> Covers:
    """All that each step covers, by itself or by way of what it covers; empty where no step covers another."""
    return {step.id: frozenset(_reached(step.id, steps)) for step in steps.values() if step.covers}


def covered_in(required: frozenset[str], order: tuple[str, ...], covers: Covers) -> dict[str, str]:
    """Which of the required steps another required one answers, and which one that is.

    A step covers only while it is asked itself: authority that nobody uses answers nothing. Of several the one that
    the route asks first is named.
    """
    uppers = {
        step: [upper for upper in order if upper in required and step in covers.get(upper, ())]
        for step in order
        if step in required
    }
    return {step: next(upper for upper in above if not uppers[upper]) for step, above in uppers.items() if above}


def read_route(node: Node, steps: frozenset[str]) -> tuple[RouteStage, ...]:
    """In which order the steps are asked; each of them once."""
    stages: list[RouteStage] = []
    seen: set[str] = set()
    for stage in node.items(0, 50):
        stage.only("mode", "steps")
        asked = stage.member("steps").items(1, 50)
        for step in asked:
            if step.choice(*sorted(steps)) in seen:
                raise InvalidPolicy(step.pointer, f"{step.value} is in the route already")
            seen.add(str(step.value))
        mode = stage.member("mode").choice("parallel", "sequential")
        stages.append(RouteStage(mode, tuple(str(step.value) for step in asked)))
    return tuple(stages)


def _read_step(name: str, node: Node, names: tuple[str, ...]) -> Step:
    node.only("label", "group", "sla_hours", "needs", "backups", "covers")
    needs, backups, covers = node.optional("needs"), node.optional("backups"), node.optional("covers")
    return Step(
        id=Node(name, node.pointer).identifier(),
        label=node.member("label").text(100),
        group=node.member("group").text(128),
        sla_hours=node.member("sla_hours").whole(1, 2_000),
        needs=1 if needs is None else _read_needs(needs),
        backups=() if backups is None else _once_each([group.text(128) for group in _listed(backups)], backups),
        covers=() if covers is None else _once_each([step.choice(*names) for step in _listed(covers)], covers),
    )


def _read_needs(node: Node) -> int | None:
    if node.value == "any":
        return 1
    if node.value == "all":
        return None
    if isinstance(node.value, str):
        raise InvalidPolicy(node.pointer, f'must be "any", "all" or a whole number from 1 to {MOST_NEEDED}')
    return node.whole(1, MOST_NEEDED)


def _listed(node: Node) -> list[Node]:
    return node.items(0, MOST_BACKUPS)


def _once_each(found: list[str], node: Node) -> tuple[str, ...]:
    for index, item in enumerate(found):
        if item in found[:index]:
            raise InvalidPolicy(f"{node.pointer}/{index}", f"{item} is named already")
    return tuple(found)


def _reached(step: str, steps: Mapping[str, Step]) -> set[str]:
    found: set[str] = set()
    waiting = list(steps[step].covers)
    while waiting:
        if (covered := waiting.pop()) not in found:
            found.add(covered)
            waiting.extend(steps[covered].covers)
    return found
