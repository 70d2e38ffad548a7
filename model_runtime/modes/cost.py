"""What a request has cost so far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Cost:
    """Counts and seconds; see `protocol.Usage`."""

    n_context_tokens: int = 0
    n_cached_tokens: int = 0
    n_tokens: int = 0
    n_forwards: int = 0
    n_rows: int = 0
    n_drafted: int = 0
    n_accepted: int = 0
    context_s: float = 0.0
    denoise_s: float = 0.0

    def add_counts(self, other: Cost) -> None:
        """Add what is counted, and no seconds: these may have passed at the same time."""
        self.n_context_tokens += other.n_context_tokens
        self.n_cached_tokens += other.n_cached_tokens
        self.n_tokens += other.n_tokens
        self.n_forwards += other.n_forwards
        self.n_rows += other.n_rows
        self.n_drafted += other.n_drafted
        self.n_accepted += other.n_accepted
