"""A figure of the benchmark, and what it has to stay below."""

from __future__ import annotations

from dataclasses import dataclass

WEBHOOKS = ("receive_salesforce", "receive_stripe", "receive_docusign", "receive_dropbox_sign")


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` in `unit`; `ratio` is to `baseline`, and `limit` is for the ratio where there is one."""

    name: str
    value: float
    unit: str
    baseline: str | None = None
    ratio: float | None = None
    limit: float | None = None

    @property
    def measured(self) -> float:
        return self.value if self.ratio is None else self.ratio

    @property
    def over(self) -> bool:
        return self.limit is not None and self.measured > self.limit

    def as_json(self) -> dict[str, object]:
        more = {"baseline": self.baseline, "ratio": self.ratio, "limit": self.limit}
        return {"name": self.name, "value": self.value, "unit": self.unit} | {
            key: value for key, value in more.items() if value is not None
        }
