"""Who keeps the ledger: whether it adds tax to what it is sent, and when its periods are closed."""

from __future__ import annotations

from datetime import date, timedelta

from tests.prove.fate import Fate
from tests.prove.world import World

# In percent; in most companies of the proof nothing is taxed.
TAXES = ("0", "0", "0", "8.25", "20")
NEVER, MONTHLY, DAILY = "never", "each month", "each day"
CLOSING = (NEVER, NEVER, MONTHLY, DAILY)


class Accountants:
    """`tax_percent` is the ledger's own; `close_periods` is called whenever anything happens."""

    def __init__(self, world: World, fate: Fate) -> None:
        self._world = world
        self.tax_percent = fate.dice("tax").choice(TAXES)
        self.closing = fate.dice("closing").choice(CLOSING)
        self._closed_through = date.min
        if self.tax_percent != "0":
            world.town.booking.charge_tax(self.tax_percent)

    def close_periods(self) -> None:
        """All days before today, or before this month, by the ledger's clock."""
        if self.closing == NEVER:
            return
        today = self._world.true_time().date()
        through = (today.replace(day=1) if self.closing == MONTHLY else today) - timedelta(days=1)
        if through > self._closed_through:
            self._closed_through = through
            self._world.town.booking.close_books(through)
