"""Who keeps the ledger: whether it adds tax to what it is sent, and when its periods are closed."""

from __future__ import annotations

from datetime import date, timedelta

from tests.prove.fate import Fate
from tests.prove.world import World

# In percent; in most companies of the proof nothing is taxed.
TAXES = ("0", "0", "0", "8.25", "20")
NEVER, MONTHLY, DAILY = "never", "each month", "each day"
CLOSING = (NEVER, NEVER, MONTHLY, DAILY)
EARLY = 0.4


class Accountants:
    """`tax_percent` is the ledger's own; `close_periods` is called whenever anything happens.

    Some close the day before it is over, until finance complains.
    """

    def __init__(self, world: World, fate: Fate) -> None:
        self._world = world
        self.tax_percent = fate.dice("tax").choice(TAXES)
        self.closing = fate.dice("closing").choice(CLOSING)
        self._too_early = fate.dice("closing too early").random() < EARLY
        self._closed_through = date.min
        if self.tax_percent != "0":
            world.town.booking.charge_tax(self.tax_percent)

    def close_periods(self) -> None:
        """All days before today, or before this month, by the ledger's clock."""
        if self.closing == NEVER:
            return
        today = self._world.true_time().date()
        first_open = today.replace(day=1) if self.closing == MONTHLY else today
        self._close(first_open if self.closing == DAILY and self._too_early else first_open - timedelta(days=1))

    def hear_complaint(self) -> None:
        """Today is opened again."""
        self._too_early, self._closed_through = False, date.min
        self.close_periods()

    def _close(self, through: date) -> None:
        if through > self._closed_through:
            self._closed_through = through
            self._world.town.booking.close_books(through)
