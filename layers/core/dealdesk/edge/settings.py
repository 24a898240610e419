"""What a function needs from its environment, declared as a frozen dataclass and read on first use."""

from __future__ import annotations

import os
from dataclasses import MISSING, fields
from typing import TypeVar

T = TypeVar("T")


class SettingsMissing(Exception):
    """Names every variable that is missing or malformed, at once."""


def read(kind: type[T]) -> T:
    """An instance of the dataclass `kind`; each field is the variable of its name in capitals, text or int."""
    values: dict[str, object] = {}
    problems: list[str] = []
    for field in fields(kind):  # type: ignore[arg-type]
        name = field.name.upper()
        text = os.environ.get(name)
        if text is None:
            if field.default is MISSING:
                problems.append(f"{name} is missing")
        elif field.type == "int" or field.type is int:
            try:
                values[field.name] = int(text)
            except ValueError:
                problems.append(f"{name} is {text!r}, not a whole number")
        else:
            values[field.name] = text
    if problems:
        raise SettingsMissing("; ".join(problems))
    return kind(**values)
