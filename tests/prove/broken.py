"""What a run ends with when it finds something."""

from __future__ import annotations


class Broken(Exception):
    """A promise does not hold; the message says which and how."""
