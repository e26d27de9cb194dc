"""The entry point. It imports the rest inside `main`, so that importing it costs nothing."""

from __future__ import annotations


def main() -> None:
    import sys
    import warnings

    from intentscore.cli.commands import app

    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # third parties' notes to programmers
    app(prog_name="intentscore")
