"""Text and token ids: tokenizers, prompt templates, the layout of a canvas."""
