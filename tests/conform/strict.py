"""A vendor's OpenAPI file, read strictly: OpenAPI lets unknown fields pass where a file does not forbid them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def strict_copy(spec: Path, to: Path) -> Path:
    """The file with every object closed, except parts of an `allOf`, which only together say what is known."""
    document = json.loads(spec.read_text())
    parts = {str(part.get("$ref")) for schema in _objects(document) for part in schema.get("allOf") or ()}
    open_ones = [document["components"]["schemas"].get(name.rpartition("/")[2]) for name in parts]
    inline = [part for schema in _objects(document) for part in schema.get("allOf") or ()]
    for schema in _objects(document):
        is_part = any(schema is other for other in (*open_ones, *inline))
        if isinstance(schema.get("properties"), dict) and "allOf" not in schema and not is_part:
            schema.setdefault("additionalProperties", False)
    to.write_text(json.dumps(document))
    return to


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object of the document that may be a schema: `type` or `allOf` can also be a field's name."""
    if isinstance(node, dict):
        if node.get("type") == "object" or isinstance(node.get("allOf"), list):
            yield node
        for child in node.values():
            yield from _objects(child)
    elif isinstance(node, list):
        for child in node:
            yield from _objects(child)
