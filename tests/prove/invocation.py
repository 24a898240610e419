"""One run of a function: it can be held up at every call to the outside, go on later beside others, or die."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any


class Died(BaseException):
    """The function stops here: nothing after this line runs, and no handler catches it."""


class Worker(threading.Thread):
    """The thread of one invocation."""


class Invocation:
    """Runs `work` in a thread of its own, but only ever while the world waits for it: one at a time."""

    def __init__(self, name: str, work: Callable[[], Any], then: Callable[[Invocation], None], ends: datetime) -> None:
        self.name, self.then, self.ends = name, then, ends
        self.answer: Any = None
        self.died = self.is_over = False
        self.resumes_at = ends
        self.environment: dict[str, str] = {}
        self._work = work
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = Worker(target=self._run, daemon=True)
        self._thread.start()

    def resume(self) -> None:
        """Returns when the function is held up again or is over."""
        self._go.release()
        self._back.acquire()
        if self.is_over:
            self._thread.join()

    def hold(self) -> None:
        """Called by the function itself: the others go on."""
        self._back.release()
        self._go.acquire()
        if self.died:
            raise Died(self.name)

    def die(self) -> None:
        """Called by the function itself."""
        self.died = True
        raise Died(self.name)

    def _run(self) -> None:
        self._go.acquire()
        try:
            self.answer = self._work()
        except Died:
            self.died = True
        except BaseException as error:
            self.answer = error
        self.is_over = True
        self._back.release()
