"""What the desk promises, checked against what stands in the table and at the vendors, never by the desk's own word."""

from __future__ import annotations

from datetime import timedelta

from tests.prove import at_the_end
from tests.prove.at_vendors import AtVendors
from tests.prove.broken import Broken
from tests.prove.chronicle import Chronicle
from tests.prove.letters import Letters
from tests.prove.world import World

# Where its age is signed, a letter that is days late is refused; its vendor gives up, and the desk asks instead.
OLD_LETTERS = (("docusign", "too far from now"), ("dropbox_sign", "too far from now"), ("paypal", "too old"))
# So it is with HubSpot's when the desk's clock is further behind than its signatures may lie in the future.
BEHIND = timedelta(seconds=-60)
FROM_THE_FUTURE = ("hubspot", "is not of the last")


class Promises:
    """Each check raises `Broken`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chronicle = Chronicle(world.table)
        self._vendors = AtVendors(world.town, self.chronicle)
        self._defects = 0
        world.webhooks.hooks.append(Letters(world.town, self.chronicle, world.work).acknowledged)

    def check(self) -> None:
        self.chronicle.follow()
        self._vendors.check()
        reasons = (*OLD_LETTERS, FROM_THE_FUTURE) if self.world.skew < BEHIND else OLD_LETTERS
        for refused in self.world.webhooks.refused:
            if not any(refused.startswith(vendor) and why in refused for vendor, why in reasons):
                raise Broken(f"a genuine letter was refused: {refused}")
        if len(self.world.defects) > self._defects:
            self._defects = len(self.world.defects)
            raise Broken(f"a function failed with a defect:\n{self.world.defects[-1]}")

    def check_the_end(self) -> None:
        at_the_end.check_the_end(self.world, self.chronicle)

    def check_after_redrive(self) -> None:
        self.check_the_end()
        if left := self.world.work.dead_letters():
            raise Broken(f"{left} dead letters came back after they were redriven in good weather")
