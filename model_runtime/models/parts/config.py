"""Reading a published `config.json`, strictly.

Every key is either a field of the family's struct, or on its list of keys that do not change the
numbers, or one that this code supports with a single value only. Any other key is an error that
names it: a checkpoint with a feature unknown here would otherwise load and answer wrongly.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec

from model_runtime.errors import ModelLoadFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ConfigT = TypeVar("ConfigT", bound="Config")

CONFIG_FILE = "config.json"

#: Keys that describe packaging, training or generation, in any family.
PACKAGING = frozenset(
    {
        "_attn_implementation", "_attn_implementation_autoset", "_name_or_path", "architectures",
        "attention_dropout", "attn_implementation", "auto_map", "bos_token_id", "dtype",
        "embedding_dropout", "initializer_range", "max_window_layers", "model_type",
        "output_dropout", "output_router_logits", "return_dict",
        "router_aux_loss_coef", "sliding_window", "torch_dtype", "transformers_version",
        "use_cache",
    }
)  # fmt: skip


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What a family reads from a configuration. Field names are the published key names."""

    #: Known keys without effect on the numbers.
    inert: ClassVar[frozenset[str]] = PACKAGING
    #: Known keys that are supported with this value only. They need not be there.
    only: ClassVar[dict[str, object]] = {}


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ModelLoadFailed: the file is missing, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelLoadFailed(f"{path} can't be read: {error}") from error
    if not isinstance(value, dict):
        raise ModelLoadFailed(f"{path} holds no JSON object")
    return value


def parse_config(values: Mapping[str, Any], kind: type[ConfigT]) -> ConfigT:
    """Make a family's struct of what a configuration says.

    Raises:
        ModelLoadFailed: an unknown key, an unsupported or missing value; the message names it.
    """
    known = _known(values, kind, "")
    try:
        return msgspec.convert(known, kind)
    except msgspec.ValidationError as error:
        hint = ""
        if "mask_token_id" in str(error):
            hint = "; a checkpoint without a mask token is no masked diffusion model"
        raise ModelLoadFailed(f"{CONFIG_FILE}: {error}{hint}") from error


def check_shared(count: int, n_parts: int, what: str) -> None:
    """Refuse sizes that do not divide: the tensors' shapes alone may not tell.

    Args:
        count: what is divided.
        n_parts: into so many equal parts.
        what: both, for the message.

    Raises:
        ModelLoadFailed: there would be a rest.
    """
    if n_parts < 1 or count % n_parts:
        raise ModelLoadFailed(f"{CONFIG_FILE}: {what}: {count} do not divide by {n_parts}")


def _known(values: Mapping[str, Any], kind: type[Config], path: str) -> dict[str, Any]:
    """Check the keys of one level, and return those that the struct has fields for."""
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    unknown = sorted(values.keys() - set(kind.__struct_fields__) - kind.inert - kind.only.keys())
    if unknown:
        raise ModelLoadFailed(
            f"{CONFIG_FILE} has keys this family does not know: "
            f"{', '.join(path + key for key in unknown)}. They may change what the model computes; "
            f"known are: {', '.join(sorted({*kind.__struct_fields__, *kind.only}))}"
        )
    for key, supported in kind.only.items():
        if key in values and values[key] != supported:
            raise ModelLoadFailed(
                f"{CONFIG_FILE}: {path}{key} = {values[key]!r} is not supported, "
                f"only {supported!r} is"
            )
    known = {}
    for key in kind.__struct_fields__:
        if key not in values:
            continue
        value = values[key]
        nested = fields[key]
        if isinstance(nested, type) and issubclass(nested, Config) and isinstance(value, dict):
            value = _known(value, nested, f"{path}{key}.")
        known[key] = value
    return known
