"""vLLM. It takes no `suffix` (vllm-project/vllm#9976), so the FIM tokens are written here.

For the diffusion model it serves (DiffusionGemma, `--diffusion-config`), which knows no FIM
tokens, set `remote_prompt = "chat"`.
"""

from __future__ import annotations

from typing import ClassVar

from model_runtime.engines.remote.completions import CompletionsEngine


class VllmEngine(CompletionsEngine):
    """Fills by `POST /v1/completions` with a model's own FIM tokens."""

    name: ClassVar[str] = "vllm"
    title: ClassVar[str] = "vLLM"
    default_url: ClassVar[str] = "http://127.0.0.1:8000"
    key_variable: ClassVar[str] = "VLLM_API_KEY"
    default_style: ClassVar[str] = "qwen"
