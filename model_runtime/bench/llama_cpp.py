"""llama.cpp, by its Python binding, as a server that fills in the middle would use it.

The prompt is the base's own fill-in-the-middle prompt; what of it is in the cache from the request
before is not computed again; the text ends at the first line end.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

from model_runtime.errors import ModelLoadFailed
from model_runtime.weights.fetch import cache_dir, ensure

if TYPE_CHECKING:
    from model_runtime.evaluation.base import EvalTask
    from model_runtime.settings import RuntimeSettings
    from model_runtime.text.fim import FimTemplate

#: Tokens of context and fill that it gets room for.
N_CONTEXT = 4608


class LlamaCpp:
    """The very same GGUF file in llama.cpp, by a binding that is imported under a name.

    Raises:
        ModelLoadFailed: it is not installed.
    """

    keeps_context = True
    longest_context = N_CONTEXT

    def __init__(
        self, settings: RuntimeSettings, template: FimTemplate, module_name: str = "llama_cpp"
    ) -> None:
        try:
            llama_cpp: Any = import_module(module_name)
        except ImportError as error:
            raise ModelLoadFailed(f"llama-cpp-python is not installed ({error}).") from error
        self.name = f"llama-cpp-python {llama_cpp.__version__}"
        self._template = template
        n_threads = settings.threads or torch.get_num_threads()
        self._llama: Any = llama_cpp.Llama(
            str(ensure(settings.model, folder=cache_dir(settings.cache_dir))),
            n_ctx=N_CONTEXT,
            n_threads=n_threads,
            n_threads_batch=n_threads,
            verbose=False,
        )

    def forget(self) -> None:
        """See `Peer.forget`."""
        self._llama.reset()

    def fill(self, gap: EvalTask, max_tokens: int) -> str:
        """See `Peer.fill`."""
        encode = self._template.tokenizer.encode
        said = self._llama.create_completion(
            self._template.lay_out(encode(gap.prefix), encode(gap.suffix)),
            max_tokens=max_tokens,
            temperature=0.0,
            repeat_penalty=1.0,
            stop=["\n"],
        )
        text: str = said["choices"][0]["text"]
        return text
