"""The server on standard input and output, started as fast as its imports allow."""

from __future__ import annotations

import gc
import logging
import sys


def serve(log_level: str = "warning") -> None:
    """Speak LSP until the client hangs up; the log goes to standard error.

    Args:
        log_level: debug, info, warning or error.
    """
    # lsprotocol defines some 550 classes. Looking for garbage in between costs a tenth of a second
    # at the start and as much again at the end, and finds none.
    gc.disable()
    from lsp_server.runtime.client import RuntimeClient  # noqa: PLC0415
    from lsp_server.runtime.process import RuntimeProcess  # noqa: PLC0415
    from lsp_server.wiring import create_server  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    logging.basicConfig(level=log_level.upper(), stream=sys.stderr)
    if log_level == "warning":
        # pygls warns of what editors do every day, e.g. cancelling what is done already.
        logging.getLogger("pygls").setLevel("ERROR")
    create_server(RuntimeClient(RuntimeProcess.default())).start_io()
