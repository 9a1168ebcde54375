"""`python -m engine` is the `adapt-motion` command."""

from engine.cli import main

if __name__ == "__main__":
    main()
