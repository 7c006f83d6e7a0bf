"""`python -m caffegen` is the program `caffegen`."""

from __future__ import annotations

from caffegen.cli.main import main

if __name__ == "__main__":
    main()
