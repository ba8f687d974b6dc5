"""A real broker and a real worker, as the outbox's tests start them."""

from tests.foundation.test_task_signals import broker, worker

__all__ = ["broker", "worker"]
