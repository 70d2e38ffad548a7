"""One VS Code for a module's tests; the module says its REPLIES, or its ENGINE."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import editors
from support.neovim import write_script

from lsp_server.runtime.client import RuntimeClient
from lsp_server.runtime.process import RuntimeProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.vscode import Workbench


async def _stop(directory: Path) -> None:
    client = RuntimeClient(RuntimeProcess(directory))
    await client.stop()
    await client.close()


@pytest.fixture(scope="module")
def _workbench(request: pytest.FixtureRequest) -> Iterator[Workbench]:
    browser_path = editors.chromium()
    editors.code_server()
    # Only where a VS Code is at hand.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415
    from support.vscode import Workbench  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="rm-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_script(folder, *getattr(request.module, "REPLIES", ()))
        engine = getattr(request.module, "ENGINE", "scripted")
        with sync_playwright() as playwright:
            flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            browser = playwright.chromium.launch(executable_path=browser_path, args=flags)
            workbench = Workbench(folder, browser, engine)
            try:
                workbench.start()
                yield workbench
            finally:
                workbench.close()
                browser.close()
        asyncio.run(_stop(folder / "run"))


@pytest.fixture
def code(_workbench: Workbench, request: pytest.FixtureRequest) -> Iterator[Workbench]:
    """A VS Code without what earlier tests opened or set; a failed test leaves a screenshot."""
    n_failed = request.session.testsfailed
    yield _workbench
    if request.session.testsfailed > n_failed:
        _workbench.shoot(request.node.name)
    _workbench.reset()
