"""`python -m nemorun_cli` is `nemorun`."""

from nemorun_cli.cli import main

if __name__ == "__main__":
    main()
