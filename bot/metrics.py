"""Prometheus figures. Labels come from route templates, platforms and named outcomes only, never from a request."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The figures of one process, in a registry of their own so that several apps live in one test."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "nuanyang_http_requests", "Requests by route and status", ["route", "status"], registry=self.registry
        )
        self.rejected = Counter(
            "nuanyang_webhook_rejected", "Webhook calls refused", ["platform", "reason"], registry=self.registry
        )
        self.turns = Histogram(
            "nuanyang_turn_seconds",
            "From arrival to the reply",
            ["outcome"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8),
            registry=self.registry,
        )
        self.sent = Counter("nuanyang_sent", "Outgoing calls", ["platform", "outcome"], registry=self.registry)
        self.jobs = Counter("nuanyang_jobs", "Runs of jobs", ["job", "outcome"], registry=self.registry)
        self.spooled = Gauge("nuanyang_spool_files", "Updates waiting in the spool", registry=self.registry)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
