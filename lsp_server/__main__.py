"""The command `remask`, and `python -m lsp_server`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    # Editors start `remask lsp` and a person waits; reading the command line costs 0.1 s of it.
    if sys.argv[1:] == ["lsp"]:
        from lsp_server.stdio import serve  # noqa: PLC0415

        serve()
    else:
        from lsp_server.command_line.cli import main as run  # noqa: PLC0415

        run()


if __name__ == "__main__":
    main()
