"""Settings: initializationOptions first, then workspace/configuration or didChangeConfiguration."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server.capabilities import ClientSupport
from lsp_server.settings import SECTION, Settings, read_settings

if TYPE_CHECKING:
    from lsp_server.contract import Server


class Configuration:
    """Keeps `server.settings` at what the client says."""

    def __init__(self, server: Server) -> None:
        self._server = server
        #: What `initializationOptions` made of the defaults; later settings are laid over it.
        self._base = Settings()

    def start(self, params: types.InitializeParams) -> None:
        """Read what comes with `initialize`."""
        self._server.support = ClientSupport.read(params.capabilities)
        self.take(params.initialization_options)
        self._base = self._server.settings

    def take(self, raw: Any) -> None:
        """Use settings as they came; what does not fit is told once."""
        self._server.settings, problems = read_settings(raw, self._base)
        for problem in problems:
            self._server.tell_once(problem)

    async def pull(self) -> None:
        """Ask the client for them."""
        items = [types.ConfigurationItem(section=SECTION)]
        try:
            answers = await self._server.workspace_configuration_async(
                types.ConfigurationParams(items)
            )
        except JsonRpcException as refusal:
            self._server.tell_once(f"The editor did not answer for its settings: {refusal}")
            return
        self.take(answers[0] if answers else None)

    async def watch(self) -> None:
        """Ask to be told of changes, where the client wants to be asked."""
        method = types.WORKSPACE_DID_CHANGE_CONFIGURATION
        options = types.DidChangeConfigurationRegistrationOptions(section=SECTION)
        registration = types.Registration(id=method, method=method, register_options=options)
        try:
            await self._server.client_register_capability_async(
                types.RegistrationParams([registration])
            )
        except JsonRpcException as refusal:
            self._server.tell_once(f"Changed settings need a restart: {refusal}")


def register(server: Server) -> None:
    """Read the client's capabilities and settings, and follow the latter."""
    configuration = Configuration(server)

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        configuration.start(params)

    @server.feature(types.INITIALIZED)
    async def initialized(_params: types.InitializedParams) -> None:
        await asyncio.gather(_ask(), _watch())

    async def _ask() -> None:
        if server.support.configuration:
            await configuration.pull()
        await server.configured()

    async def _watch() -> None:
        # Also where the first question is never answered: a change brings the next one.
        if server.support.register_configuration:
            await configuration.watch()

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change(params: types.DidChangeConfigurationParams) -> None:
        if server.support.configuration:
            await configuration.pull()
        elif isinstance(params.settings, dict):
            # Some clients send the section alone, others all settings with the section in them.
            configuration.take(params.settings.get(SECTION, params.settings))
