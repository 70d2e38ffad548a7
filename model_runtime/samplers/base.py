"""The contract of a sampler: the rule that decides what changes at a denoising step.

A sampler knows tensors, never text; it never calls a model and writes no canvas. The loop asks it
what to predict (`query`), hands it the prediction, and applies what it decides (`step`). Its state
lives outside the object, so one sampler serves many requests.

One published rule is one file, and the file name is the registry key.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Generic, TypeVar

import msgspec

from model_runtime.errors import BadRequest

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from model_runtime.decoding.canvas import Block, Prediction, PredictionKind, Query, Update

#: Kinds of parameters: what is outside is refused with the bound in the message.
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
NonNegative = Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]

StateT = TypeVar("StateT")
ParamsT = TypeVar("ParamsT", bound="Params")


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a user may set of a sampler; each rule has its own, with its paper's defaults."""


class Sampler(ABC, Generic[StateT, ParamsT]):
    """One decoding rule.

    Args:
        params: the rule's parameters.
    """

    #: File name and registry key.
    name: ClassVar[str]
    #: The kinds of prediction the rule can use.
    accepts: ClassVar[frozenset[PredictionKind]]
    #: Whether the rule asks with `Query.visible`, which only order-based families answer.
    ordered: ClassVar[bool] = False
    #: Whether the rule also denoises families of uniform noise, which have no mask.
    uniform_noise: ClassVar[bool] = False
    #: Whether a block may begin with a text, which the rule checks before it drafts its own; its
    #: parameter `lenience` says how readily that stays.
    takes_text: ClassVar[bool] = False
    #: Whether the rule makes its block longer and shorter, up to its parameter `max_tokens`.
    grows: ClassVar[bool] = False
    #: Whether the rule commits the surest tokens first, as many as the steps it is given make it,
    #: and with its parameter `threshold` all that are surer than that.
    surest_first: ClassVar[bool] = False
    #: The struct of the rule's parameters.
    params_type: ClassVar[type[Params]]

    def __init__(self, params: ParamsT) -> None:
        self.params = params

    @classmethod
    def from_mapping(cls, values: dict[str, object]) -> Sampler[StateT, ParamsT]:
        """Make a sampler from what a user wrote.

        Raises:
            BadRequest: an unknown key (the message lists the allowed ones) or a bad value.
        """
        try:
            params = msgspec.convert(values, cls.params_type)
        except msgspec.ValidationError as error:
            allowed = ", ".join(cls.params_type.__struct_fields__) or "none"
            raise BadRequest(
                f"sampler {cls.name!r}: {error}; allowed parameters: {allowed}"
            ) from error
        return cls(params)  # type: ignore[arg-type]  # params_type is ParamsT, which mypy can't see

    @abstractmethod
    def begin(self, block: Block, n_steps: int, rng: torch.Generator) -> StateT:
        """Start a block that has to be finished within `n_steps` denoising steps."""

    @abstractmethod
    def query(self, state: StateT) -> Query:
        """Say what to predict next."""

    @abstractmethod
    def step(self, token_ids: Tensor, prediction: Prediction, state: StateT) -> Update:
        """Decide, from the rows asked for, what the canvas [length] becomes."""
