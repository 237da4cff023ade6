"""``python -m stacker``: the command line without its console script."""

from stacker.cli.main import entry

entry()
