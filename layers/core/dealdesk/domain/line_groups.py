"""The lines of a quote by what they have in common, and the figures of such a group taken together."""

from __future__ import annotations

from collections.abc import Sequence

from dealdesk.domain import facts as slot
from dealdesk.domain.facts import Fact, Facts
from dealdesk.domain.measures import Priced, discount, margin


def groups_of(lines: Sequence[Priced], by: Fact) -> list[tuple[int, ...]]:
    """The places of the lines, those with the same value together; the group of the first line comes first."""
    found: dict[str, list[int]] = {}
    for index, line in enumerate(lines):
        found.setdefault(group_value(line, by), []).append(index)
    return [tuple(group) for group in found.values()]


def group_facts(deal: Facts, lines: Sequence[Priced], by: Fact) -> Facts:
    """The deal's figures as one group sees them: discount and margin are those of its lines together."""
    found = deal.copy()
    found[slot.DISCOUNT], found[slot.DISCOUNT + 1] = discount(lines) or (None, None)
    found[slot.MARGIN], found[slot.MARGIN + 1] = margin(lines) or (None, None)
    found[by.slot] = group_value(lines[0], by)
    return found


def group_value(line: Priced, by: Fact) -> str:
    """What all lines of the group have in common."""
    return line.sku if by.slot == slot.SKU else line.charge_type.value
