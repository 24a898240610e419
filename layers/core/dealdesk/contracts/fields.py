"""The fields that REST's models share."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from dealdesk.domain.money import parse_decimal

Number = Annotated[
    Decimal,
    BeforeValidator(parse_decimal),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$"}, {"type": "integer"}],
            "examples": ["85.00"],
        }
    ),
]
Text = Annotated[str, Field(min_length=1, max_length=255)]
# People write several lines, and paste what they like; only a NUL helps nobody.
Note = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:@-]+$")]
Small = Annotated[int, Field(strict=True, ge=0, le=100_000)]
Periods = Annotated[int, Field(strict=True, ge=1, le=10_000)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
