"""What Prometheus may scrape. No label holds anything of a user's text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from model_runtime.protocol import Status, Usage

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)


class Metrics:
    """The figures of one front."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "remask_requests",
            "Requests by endpoint and outcome.",
            ("endpoint", "outcome"),
            registry=registry,
        )
        self.seconds = Histogram(
            "remask_request_seconds",
            "From the request's arrival to the end of its reply.",
            ("endpoint",),
            buckets=SECONDS,
            registry=registry,
        )
        self.first_text_seconds = Histogram(
            "remask_first_text_seconds",
            "From the request's arrival to the first text of a stream.",
            ("endpoint",),
            buckets=SECONDS,
            registry=registry,
        )
        self._queue_seconds = Histogram(
            "remask_queue_seconds",
            "Waiting in the runtime's queue.",
            buckets=SECONDS,
            registry=registry,
        )
        self._tokens_per_forward = Histogram(
            "remask_tokens_per_forward",
            "Tokens of a fill for each evaluation of the model: what drafting and accepting won.",
            buckets=(0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16),
            registry=registry,
        )
        self._forwards = Counter("remask_forwards", "Evaluations of the model.", registry=registry)
        self._tokens = Counter("remask_tokens", "Tokens filled.", registry=registry)
        self._drafts = Counter(
            "remask_drafts",
            "Drafts that were decided on, by whether they stayed.",
            ("accepted",),
            registry=registry,
        )
        self._context = Counter(
            "remask_context_tokens",
            "Tokens of context, by whether a cache had them.",
            ("cached",),
            registry=registry,
        )
        self._open = Gauge("remask_open_requests", "Fills under way.", registry=registry)
        self._waiting = Gauge(
            "remask_runtime_waiting", "Requests in the runtime's queue.", registry=registry
        )
        self._memory = Gauge(
            "remask_runtime_peak_memory_bytes", "The runtime's memory.", registry=registry
        )

    def spent(self, usage: Usage) -> None:
        """Note what a fill cost."""
        self._queue_seconds.observe(usage.queue_s)
        self._forwards.inc(usage.n_forwards)
        self._tokens.inc(usage.n_tokens)
        self._drafts.labels("yes").inc(usage.n_accepted)
        self._drafts.labels("no").inc(usage.n_drafted - usage.n_accepted)
        self._context.labels("yes").inc(usage.n_cached_tokens)
        self._context.labels("no").inc(usage.n_context_tokens - usage.n_cached_tokens)
        if usage.n_forwards:
            self._tokens_per_forward.observe(usage.n_tokens / usage.n_forwards)

    def exposition(self, n_open: int, status: Status | None) -> bytes:
        """Return all figures in Prometheus's text format."""
        self._open.set(n_open)
        if status is not None:
            self._waiting.set(status.n_waiting)
            self._memory.set(status.peak_memory_bytes)
        return generate_latest(self._registry)
