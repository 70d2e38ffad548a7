"""`python -m lsp_server.project`: the index, as the language server starts it."""

from __future__ import annotations

from lsp_server.project.room import main

if __name__ == "__main__":
    main()
