"""How much DocuSign lets an account ask: calls in an hour and in a burst, and looks at one envelope."""

from collections.abc import Callable
from datetime import datetime, timedelta

from local.twins.docusign_envelopes import Envelope
from local.twins.server import Refused

HOURLY_CALLS, BURST_CALLS = 3_000, 500
POLL_GAP = timedelta(minutes=15)


class Limits:
    """`polls_too_often` counts the looks that were refused."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.polls_too_often = 0
        self._clock = clock
        self._calls: list[datetime] = []

    def clear(self) -> None:
        self.polls_too_often = 0
        self._calls.clear()

    def call(self) -> dict[str, str]:
        """Counts a call; the headers that tell what is left."""
        now = self._clock()
        hour = now.replace(minute=0, second=0, microsecond=0)
        self._calls = [call for call in self._calls if call >= hour] + [now]
        burst = sum(call > now - timedelta(seconds=30) for call in self._calls)
        return {
            "X-RateLimit-Limit": str(HOURLY_CALLS),
            "X-RateLimit-Remaining": str(max(0, HOURLY_CALLS - len(self._calls))),
            "X-RateLimit-Reset": str(int((hour + timedelta(hours=1)).timestamp())),
            "X-BurstLimit-Limit": str(BURST_CALLS),
            "X-BurstLimit-Remaining": str(max(0, BURST_CALLS - burst)),
        }

    def look(self, envelope: Envelope) -> None:
        """DocuSign does not publish how many looks it forgives; the twin takes the rule by its word."""
        now = self._clock()
        if envelope.polls and now - envelope.polls[-1] < POLL_GAP:
            self.polls_too_often += 1
            raise Refused(
                400,
                "Hourly_Envelope_Polling_Limit_Exceeded",
                "The maximum number of hourly GET requests for this envelope has been exceeded.",
            )
        envelope.polls.append(now)
