"""When the world is quiet: the figures are those of the events, each deal's own and the sums of all."""

from __future__ import annotations

from collections import Counter

from dealdesk.adapters import codec
from dealdesk.adapters.dynamo_figures import counted, numbers_in, sums_of
from dealdesk.domain.figures import count
from tests.prove.broken import Broken
from tests.prove.chronicle import Chronicle
from tests.prove.world import World


def figures_agree(world: World, chronicle: Chronicle) -> None:
    """Raises `Broken`."""
    wanted: dict[tuple[str, str], Counter[str]] = {}
    for deal_id, history in chronicle.histories.items():
        story = [(record.occurred_at, codec.parse_event(record.type, record.data)) for record in history]
        rows = world.table.items(f"DEAL#{deal_id}", "FIGURES")
        added = dict(counted(rows[0]).counts) if rows else {}
        if added != count(deal_id, story) and not world.work.hold(deal_id):
            raise Broken(f"deal {deal_id} has added other figures than its events are")
        for key, numbers in sums_of(deal_id, added).items():
            wanted.setdefault(key, Counter()).update(numbers)
    for pk in world.table.partitions():
        for row in world.table.items(pk) if pk.startswith("FIGURES#") else ():
            has = numbers_in(row)
            should_have = dict(wanted.pop((pk, row["sk"]["S"]), {}))
            if has != should_have:
                raise Broken(f"the sum {pk} {row['sk']['S']} is {has}, its deals have added {should_have}")
    if lacking := [key for key, numbers in wanted.items() if numbers]:
        raise Broken(f"there is no sum {lacking[0]}")
