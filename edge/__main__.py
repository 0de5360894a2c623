"""`python -m edge`: the same as the command `citynerve-edge`."""

from __future__ import annotations

from edge.cli import main

if __name__ == "__main__":
    main()
