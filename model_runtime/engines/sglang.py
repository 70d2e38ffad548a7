"""SGLang, started with `--dllm-algorithm` for the diffusion models that it serves.

Those (LLaDA2, SDAR, DiffusionGemma) are chat models without FIM tokens, so they are asked in
words. For a FIM model, set `remote_prompt` to its template, or to "suffix" where SGLang itself was
started with `--completion-template`.
"""

from __future__ import annotations

from typing import ClassVar

from model_runtime.engines.remote.completions import CompletionsEngine


class SglangEngine(CompletionsEngine):
    """Fills by `POST /v1/chat/completions`."""

    name: ClassVar[str] = "sglang"
    title: ClassVar[str] = "SGLang"
    default_url: ClassVar[str] = "http://127.0.0.1:30000"
    key_variable: ClassVar[str] = "SGLANG_API_KEY"
    default_style: ClassVar[str] = "chat"
