"""Any server with OpenAI's completions and `suffix`: DeepSeek, Ollama, Together, and others."""

from __future__ import annotations

from typing import ClassVar

from model_runtime.engines.remote.completions import CompletionsEngine


class OpenAIFimEngine(CompletionsEngine):
    """Fills by `POST /v1/completions` with a suffix."""

    name: ClassVar[str] = "openai_fim"
    title: ClassVar[str] = "The completion server"
    key_variable: ClassVar[str] = "OPENAI_API_KEY"
    default_style: ClassVar[str] = "suffix"
