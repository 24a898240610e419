"""Secrets, by name from Secrets Manager, kept for five minutes so that a rotation needs no deployment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from dealdesk.edge import aws

T = TypeVar("T")
Made = TypeVar("Made")
KEEP_SECONDS = 300

_kept: dict[tuple[str, type[Any]], tuple[float, Any]] = {}
_made: dict[tuple[str, type[Any]], tuple[Any, Any]] = {}


class SecretUnusable(Exception):
    """The secret cannot be read or has another shape. Its value is never part of the message."""


def secret(name: str, shape: type[T]) -> T:
    """The secret `name` as a `shape` (a msgspec struct). Raises `SecretUnusable`."""
    kept = _kept.get((name, shape))
    if kept and time.monotonic() - kept[0] < KEEP_SECONDS:
        value: T = kept[1]
        return value
    try:
        answer = aws.client("secretsmanager").get_secret_value(SecretId=name)
        value = msgspec.json.decode(answer["SecretString"], type=shape)
    except msgspec.ValidationError as error:
        raise SecretUnusable(f"secret {name} has another shape: {error}") from None
    except Exception as error:
        raise SecretUnusable(f"secret {name} cannot be read: {type(error).__name__}") from error
    _kept[(name, shape)] = (time.monotonic(), value)
    return value


def connected(name: str, shape: type[T], make: Callable[[T], Made]) -> Made:
    """What `make` makes of the secret `name`, kept until the secret has been rotated. Raises `SecretUnusable`."""
    value = secret(name, shape)
    before = _made.get((name, shape))
    if before is None or before[0] != value:
        before = _made[(name, shape)] = (value, make(value))
    made: Made = before[1]
    return made


def forget() -> None:
    """Forgets all kept secrets, and what was made of them."""
    _kept.clear()
    _made.clear()
