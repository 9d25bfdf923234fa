"""Prometheus metrics, on a registry of each app's own, so that two apps in one process do not mix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luthier.schema import Answer
from luthier.serving.batcher import BatchRun

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Histogram bounds: from an idle two-core machine's few milliseconds to the default time limit."""

ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The metrics of one app."""

    registry: CollectorRegistry
    requests: Counter
    request_seconds: Histogram
    queue_seconds: Histogram
    inference_seconds: Histogram
    batch_size: Histogram
    queue_size: Gauge
    truncated: Counter
    predictions: Counter

    @classmethod
    def create(cls) -> Telemetry:
        """Return fresh metrics on a fresh registry, with those of the process beside them."""
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        model = ["model"]
        return cls(
            registry,
            Counter("luthier_requests", "Requests answered", ["model", "route", "status"], registry=registry),
            Histogram("luthier_request_duration_seconds", "Time from a request's first byte to its answer's last",
                      ["model", "route"], buckets=SECONDS, registry=registry),
            Histogram("luthier_queue_duration_seconds", "Time a request waited for the model", model, buckets=SECONDS,
                      registry=registry),
            Histogram("luthier_inference_duration_seconds", "Time of one batch in the model", model, buckets=SECONDS,
                      registry=registry),
            Histogram("luthier_batch_size", "Texts of one batch", model, buckets=ROWS, registry=registry),
            Gauge("luthier_queue_size", "Texts that wait for the model", model, registry=registry),
            Counter("luthier_truncated", "Texts that were not looked at as a whole", model, registry=registry),
            Counter("luthier_predictions", "Labels given", ["model", "label"], registry=registry),
        )

    def batch_observer(self, model: str) -> Callable[[BatchRun], None]:
        """Return the function that counts one model's batches."""
        waits = self.queue_seconds.labels(model)
        seconds = self.inference_seconds.labels(model)
        rows = self.batch_size.labels(model)

        def observe(run: BatchRun) -> None:
            rows.observe(run.rows)
            seconds.observe(run.seconds)
            for wait in run.waits:
                waits.observe(wait)

        return observe

    def count_predictions(self, model: str, predictions: Sequence[Answer]) -> None:
        """Count the labels of answers, of each span where spans are labelled; none counts under the empty label.

        Numbers count under their grade, of which there are few, or under the empty label, never one by one.
        """
        for prediction in predictions:
            for label in prediction.labels or ("",):
                self.predictions.labels(model, label).inc()
        self.truncated.labels(model).inc(sum(prediction.truncated for prediction in predictions))

    def count_request(self, model: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests.labels(model, route, str(status)).inc()
        self.request_seconds.labels(model, route).observe(seconds)
