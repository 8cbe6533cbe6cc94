"""``python -m labelbench`` is the ``labelbench`` command."""

from labelbench.cli import main

if __name__ == "__main__":
    main()
