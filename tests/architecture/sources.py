"""The product's own modules and what each imports, read from the source text: a lazy import counts too."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "layers" / "core"
FUNCTIONS = sorted(folder.name for folder in (ROOT / "functions").iterdir() if (folder / "app.py").exists())


@cache
def core_modules() -> dict[str, Path]:
    """Every module of `dealdesk` by its dotted name."""
    files = (CORE / "dealdesk").rglob("*.py")
    return {".".join(file.relative_to(CORE).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def function_modules(name: str) -> dict[str, Path]:
    """The modules of a function's folder, as its `app.py` names them."""
    return {file.stem: file for file in (ROOT / "functions" / name).glob("*.py")}


@cache
def imports(file: Path) -> frozenset[str]:
    """Dotted names that `file` imports anywhere; `from a import b` is `a.b` when that is a module of ours."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{file}: relative imports are not used"
            found.update(_named(node.module, alias.name) for alias in node.names)
    return frozenset(found)


def _named(module: str, name: str) -> str:
    return f"{module}.{name}" if f"{module}.{name}" in core_modules() else module


def third_party(names: frozenset[str], own: frozenset[str] = frozenset()) -> set[str]:
    tops = {name.partition(".")[0] for name in names}
    return {top for top in tops if top not in sys.stdlib_module_names and top != "dealdesk" and top not in own}


def reach(name: str) -> Iterator[Path]:
    """Every source file that a function can come to import."""
    known = core_modules() | function_modules(name)
    waiting, seen = ["app"], set()
    while waiting:
        module = waiting.pop()
        if module in seen or module not in known:
            continue
        seen.add(module)
        yield known[module]
        waiting.extend(imports(known[module]))
