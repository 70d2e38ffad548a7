"""One VS Code for these tests; a module says its model's REPLIES, or its ENGINE."""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import editors

from lsp_server.runtime.client import RuntimeClient
from lsp_server.runtime.process import RuntimeProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.vscode import Workbench


async def _stop(directory: Path) -> None:
    client = RuntimeClient(RuntimeProcess(directory))
    await client.stop()
    await client.close()


@pytest.fixture(scope="package")
def _workbench() -> Iterator[Workbench]:
    """What takes long to start, and goes for every module."""
    browser_path = editors.chromium()
    editors.code_server()
    # Only where a VS Code is at hand.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415
    from support.vscode import Workbench  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="rm-", ignore_cleanup_errors=True) as name:
        with sync_playwright() as playwright:
            flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
            browser = playwright.chromium.launch(executable_path=browser_path, args=flags)
            workbench = Workbench(Path(name), browser)
            try:
                workbench.answers("scripted")
                workbench.start()
                yield workbench
            finally:
                workbench.close()
                browser.close()
        asyncio.run(_stop(workbench.runtime))


@pytest.fixture(scope="module")
def _answering(_workbench: Workbench, request: pytest.FixtureRequest) -> Workbench:
    """Let a new runtime answer as the module says."""
    replies = getattr(request.module, "REPLIES", ())
    _workbench.answers(getattr(request.module, "ENGINE", "scripted"), *replies)
    # The browser's driver has this thread's event loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _stop(_workbench.runtime)).result()
    return _workbench


@pytest.fixture
def code(_answering: Workbench, request: pytest.FixtureRequest) -> Iterator[Workbench]:
    """A VS Code without what earlier tests opened or set; a failed test leaves a screenshot."""
    n_failed = request.session.testsfailed
    yield _answering
    if request.session.testsfailed > n_failed:
        _answering.shoot(request.node.name)
    _answering.reset()
