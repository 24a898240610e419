"""`make footprint`: what the project's commands need: each is run on two cores, and fails where it takes over 4 GB."""

from __future__ import annotations

import argparse
import sys

from tests.footprint.measure import measure


def main() -> int:
    asked = argparse.ArgumentParser(prog="make footprint", description=__doc__)
    asked.add_argument("commands", nargs="+", help="each is run by itself")
    footprints = [measure(command) for command in asked.parse_args().commands]
    print()
    for footprint in footprints:
        print(footprint)
    complaints = [complaint for footprint in footprints for complaint in footprint.complaints()]
    for complaint in complaints:
        print(f"error: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
