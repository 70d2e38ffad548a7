"""Names that are file names: an engine, sampler, family or cache is found by its module's name.

Listing reads the folder and imports nothing, so a package whose other modules need torch can be
listed, and its light ones loaded, without it. Loading imports that one module; an error in it is
the caller's to see.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Generic, TypeVar

from model_runtime.errors import UnknownName

T = TypeVar("T")


class Registry(Generic[T]):
    """The implementations in one package.

    The rule: a registered module defines exactly one class whose `name` is the module's own name.

    Args:
        package: dotted name of the package, e.g. "model_runtime.samplers".
        kind: what the members are called in messages, e.g. "sampler".
        besides: modules of the package that are no members.
    """

    def __init__(self, package: str, kind: str, besides: frozenset[str] = frozenset()) -> None:
        self._package = package
        self._kind = kind
        self._besides = besides | {"base"}

    def names(self) -> tuple[str, ...]:
        """Return the registered names, sorted, by listing the folder."""
        folder = import_module(self._package).__path__
        modules = (found.name for found in pkgutil.iter_modules(folder) if not found.ispkg)
        return tuple(sorted(name for name in modules if name not in self._besides))

    def check(self, name: str) -> None:
        """Refuse a name that is not registered, without importing anything.

        Raises:
            UnknownName: the message lists the registered names.
        """
        if name not in self.names():
            raise UnknownName(self._kind, name, self.names())

    def load(self, name: str) -> type[T]:
        """Import a module and return its class.

        Raises:
            UnknownName: no such module; the message lists the registered names.
            TypeError: the module breaks the rule of one class that bears its name.
        """
        self.check(name)
        module = import_module(f"{self._package}.{name}")
        own = [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and value.__module__ == module.__name__
            and vars(value).get("name") == name
        ]
        if len(own) != 1:
            raise TypeError(
                f"{module.__name__} must define one class with name = {name!r}, not {len(own)}"
            )
        return own[0]
