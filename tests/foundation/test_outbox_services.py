import uuid

import pytest
from celery import shared_task
from django.core.management import call_command
from django.db import transaction

from foundation import actor, sql
from foundation.models import OutboxMessage
from foundation.selectors import outbox as messages
from foundation.services import outbox

ran: list[tuple[int, str, str]] = []


@shared_task(name="tests.note")
def note(*, number: int, **_: object) -> None:
    """Remember that it ran, for whom and under which request."""
    ran.append((number, actor.current().name, actor.current().request_id))


@shared_task(name="tests.break")
def break_down(**_: object) -> None:
    """Fail as a handler with a bug does."""
    raise ValueError("no such thing")


@shared_task(name="tests.go_on")
def go_on(*, merchant_id: int, left: int, **_: object) -> None:
    """Promise a next step, as chains of handlers do."""
    if left:
        payload = {"merchant_id": merchant_id, "left": left - 1}
        outbox.add("tests.go_on", merchant_id=merchant_id, payload=payload)


@pytest.fixture(autouse=True)
def _forget():
    ran.clear()


def the_message() -> OutboxMessage:
    return OutboxMessage.objects.get()


class TestAdd:
    def test_is_lost_with_the_transaction_that_rolls_back(self, merchant_id):
        with transaction.atomic():
            outbox.add("tests.note", merchant_id=merchant_id, payload={"number": 1})
            transaction.set_rollback(True)

        assert not OutboxMessage.objects.exists()

    def test_exists_once_per_key(self, merchant_id):
        for _ in range(2):
            outbox.add("tests.note", merchant_id=merchant_id, payload={"number": 1}, key="k")

        assert the_message().payload == {"number": 1}

    def test_refuses_another_payload_under_the_same_key(self, merchant_id):
        outbox.add("tests.note", merchant_id=merchant_id, payload={"number": 1}, key="k")

        with pytest.raises(outbox.OutboxKeyReused):
            outbox.add("tests.note", merchant_id=merchant_id, payload={"number": 2}, key="k")

    @pytest.mark.parametrize("value", [1.5, None, True, ["x"], "x" * 101])
    def test_takes_ids_only(self, merchant_id, value):
        with pytest.raises(TypeError, match="payload 'x'"):
            outbox.add("tests.note", merchant_id=merchant_id, payload={"x": value})

    def test_a_broker_that_is_down_never_fails_the_business(
        self, merchant_id, monkeypatch, django_capture_on_commit_callbacks
    ):
        def refuse(*_args, **_kwargs):
            raise ConnectionError("broker is down")

        monkeypatch.setattr(outbox.current_app, "send_task", refuse)
        monkeypatch.setattr(outbox, "_nudge_again_at", 0.0)

        with django_capture_on_commit_callbacks(execute=True) as callbacks:
            outbox.add("tests.note", merchant_id=merchant_id, payload={"number": 1})
            outbox.add("tests.note", merchant_id=merchant_id, payload={"number": 2})

        assert len(callbacks) == 1
        assert OutboxMessage.objects.filter(state="PENDING").count() == 2


class TestDrainInline:
    def test_runs_the_task_as_the_system_under_the_request_that_caused_it(self, merchant_id):
        with actor.acting("user:1", "request-1"):
            outbox.add("tests.note", merchant_id=merchant_id, payload={"number": 1})

        result = outbox.drain(inline=True)

        assert ran == [(1, "system:tests.note", "request-1")]
        assert (result.done, result.failed) == (1, 0)
        assert the_message().state == "DONE"

    def test_goes_on_until_nothing_is_due(self, merchant_id):
        payload = {"merchant_id": merchant_id, "left": 3}
        outbox.add("tests.go_on", merchant_id=merchant_id, payload=payload)

        assert outbox.drain(inline=True).done == 4
        assert outbox.drain(inline=True).done == 0

    def test_one_bad_message_does_not_stop_the_others(self, merchant_id):
        outbox.add("tests.break", merchant_id=merchant_id, payload={})
        outbox.add("tests.note", merchant_id=merchant_id, payload={"number": 2})

        result = outbox.drain(inline=True)

        assert (result.done, result.failed) == (1, 1)
        failed = OutboxMessage.objects.get(kind="tests.break")
        assert (failed.state, failed.tries) == ("PENDING", 1)
        assert "no such thing" in failed.reason
        assert failed.next_try_at > failed.created_at

    def test_parks_what_fails_for_good_and_gives_it_a_new_life_on_demand(self, merchant_id):
        outbox.add("tests.break", merchant_id=merchant_id, payload={})
        for _ in range(outbox.MAX_TRIES):
            sql.execute("UPDATE foundation_outbox SET next_try_at = now()")
            outbox.drain(inline=True)

        assert the_message().state == "PARKED"
        assert messages.waiting(state="PARKED")[0]["reason"] == "ValueError('no such thing')"
        sql.execute("UPDATE foundation_outbox SET next_try_at = now()")
        assert outbox.drain(inline=True).failed == 0

        assert outbox.requeue(merchant_id=merchant_id, message_id=the_message().id)
        assert (the_message().state, the_message().tries) == ("PENDING", 0)
        assert not outbox.requeue(merchant_id=merchant_id, message_id=the_message().id)

    def test_a_task_nobody_knows_keeps_its_message(self, merchant_id):
        outbox.add("tests.nobody", merchant_id=merchant_id, payload={})

        assert outbox.drain(inline=True).failed == 1
        assert the_message().state == "PENDING"
        assert "tests.nobody" in the_message().reason


class TestDrainToTheBroker:
    def test_sends_ids_and_waits_for_the_confirmation(self, merchant_id, monkeypatch):
        sent = []
        monkeypatch.setattr(outbox.current_app, "send_task", lambda *a, **k: sent.append((a, k)))
        outbox.add("tests.note", merchant_id=merchant_id, payload={"number": 1})

        assert outbox.drain().sent == 1

        (kind,), options = sent[0]
        assert (kind, options["kwargs"]) == ("tests.note", {"number": 1})
        message = the_message()
        assert options["headers"]["outbox"] == [merchant_id, message.id, message.fence]
        assert message.state == "SENT"
        assert outbox.drain().sent == 0
        assert outbox.confirm(merchant_id, message.id) == 1
        assert outbox.confirm(merchant_id, message.id) == 0
        assert the_message().state == "DONE"

    def test_sends_again_what_an_emptied_broker_lost(self, merchant_id, monkeypatch):
        sent = []
        monkeypatch.setattr(outbox.current_app, "send_task", lambda *a, **k: sent.append(a))
        outbox.add("tests.note", merchant_id=merchant_id, payload={"number": 1})
        outbox.drain()
        sql.execute("UPDATE foundation_outbox SET next_try_at = now()")

        outbox.drain()

        assert len(sent) == 2
        assert the_message().tries == 2

    def test_a_broker_that_is_down_costs_no_try(self, merchant_id, monkeypatch):
        def refuse(*_args, **_kwargs):
            raise outbox.OperationalError("down")

        monkeypatch.setattr(outbox.current_app, "send_task", refuse)
        for number in (1, 2, 3):
            outbox.add("tests.note", merchant_id=merchant_id, payload={"number": number})

        result = outbox.drain()

        assert (result.broker_down, result.sent, result.failed) == (True, 0, 0)
        assert set(OutboxMessage.objects.values_list("state", "tries", "owner")) == {
            ("PENDING", 0, "")
        }


class TestClaim:
    def test_gives_each_message_to_one_of_four_relays(self, cloned_db, merchant_id, together):
        for number in range(200):
            outbox.add("tests.note", merchant_id=merchant_id, payload={"number": number})

        def relay(number):
            got = []
            while batch := outbox.claim(owner=f"relay-{number}", limit=10):
                got += [message.id for message in batch]
            return got

        claimed = together(4, relay)

        everything = [message_id for got in claimed for message_id in got]
        assert sorted(everything) == sorted(OutboxMessage.objects.values_list("id", flat=True))
        assert len(everything) == 200

    def test_takes_over_from_a_relay_that_died_and_shuts_it_out(self, merchant_id):
        outbox.add("tests.note", merchant_id=merchant_id, payload={"number": 1})
        (dead,) = outbox.claim(owner="dead", lease_seconds=60)
        assert outbox.claim(owner="next") == []
        sql.execute("UPDATE foundation_outbox SET lease_expires_at = now() - interval '1 second'")

        (taken,) = outbox.claim(owner="next", lease_seconds=60)

        assert taken.id == dead.id
        assert taken.fence == dead.fence + 1
        assert outbox.fail(merchant_id, dead.id, fence=dead.fence, reason="late news") == 0
        assert the_message().owner == "next"


class TestCommand:
    def test_drains_and_lists(self, merchant_id, capsys):
        outbox.add("tests.note", merchant_id=merchant_id, payload={"number": 5})

        call_command("outbox", "list", "--json")
        call_command("outbox", "drain", "--inline", "--json")

        out = capsys.readouterr().out.splitlines()
        assert '"kind": "tests.note"' in out[0]
        assert '"done": 1' in out[1]
        assert [number for number, *_ in ran] == [5]


class TestPurge:
    def test_forgets_only_what_was_done_long_ago(self, merchant_id):
        for key in ("old", "new", "waiting"):
            payload = {"number": 1, "nonce": uuid.uuid4().hex}
            outbox.add("tests.note", merchant_id=merchant_id, payload=payload, key=key)
        sql.execute(
            "UPDATE foundation_outbox SET state = 'DONE',"
            " done_at = now() - CASE key WHEN 'old' THEN interval '31 days' ELSE '0' END"
            " WHERE key <> 'waiting'"
        )

        assert outbox.purge() == 1
        assert set(OutboxMessage.objects.values_list("key", flat=True)) == {"new", "waiting"}
