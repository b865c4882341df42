"""``python -m fimi_nlp`` is the command line."""

from __future__ import annotations

from fimi_nlp.cli import main

if __name__ == "__main__":
    main()
