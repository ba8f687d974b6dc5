from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from foundation import canonical
from foundation.models import IdempotencyKey
from foundation.services import idempotency
from foundation.services.idempotency import Began, Conflict, InFlight, Replay

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
BODY = {"amount": 50_00, "currency": "CNY"}


@pytest.fixture
def begin(merchant_id):
    def call(*, at=NOON, body=BODY, **changes):
        scope = {"merchant_id": merchant_id, "method": "POST", "path": "/api/v1/withdrawals",
                 "key": "key-1"}  # fmt: skip
        return idempotency.begin(
            **(scope | changes), fingerprint=idempotency.fingerprint(body), at=at
        )

    return call


class TestBegin:
    def test_takes_a_new_key(self, begin):
        began = begin()

        assert isinstance(began, Began)
        assert (began.recovery_point, began.taken_over) == ("STARTED", False)

    def test_says_in_flight_until_it_is_answered(self, begin):
        begin()

        assert begin(at=NOON + timedelta(seconds=57)) == InFlight(retry_after_seconds=3)

    def test_gives_the_stored_answer_again_byte_for_byte(self, begin):
        body = b'{"number":"W1",  "state" : "ACCEPTED"}\n\xff'
        idempotency.complete(begin(), status=201, body=body, at=NOON, content_type="text/x")

        assert begin() == Replay(201, "text/x", body)
        assert begin(body={"currency": "CNY", "amount": 50_00}) == Replay(201, "text/x", body)

    def test_refuses_the_key_for_another_body_answered_or_not(self, begin):
        began = begin()
        assert begin(body=BODY | {"amount": 1}) == Conflict()
        idempotency.complete(began, status=201, body=b"{}", at=NOON)

        assert begin(body=BODY | {"amount": 1}) == Conflict()

    @pytest.mark.parametrize(
        "other", [{"path": "/api/v1/payments"}, {"method": "PUT"}, {"key": "key-2"}]
    )
    def test_is_scoped_by_method_path_and_key(self, begin, other):
        begin()

        assert isinstance(begin(**other), Began)

    def test_is_scoped_by_merchant(self, begin, merchant_id):
        from merchants.models import Merchant

        other = Merchant.objects.create(merchant_no="M-2", name="二号", created_at=NOON)
        begin()

        assert isinstance(begin(merchant_id=other.id), Began)

    def test_has_one_winner_among_sixteen_at_once(self, cloned_db, begin, together):
        outcomes = together(16, lambda _number: begin())

        assert sum(isinstance(outcome, Began) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, InFlight) for outcome in outcomes) == 15
        assert IdempotencyKey.objects.count() == 1


class TestTakeOver:
    def test_goes_on_from_the_last_recovery_point(self, begin):
        dead = begin()
        until = NOON + timedelta(seconds=90)
        idempotency.reached(dead, point="HELD", data={"withdrawal_id": 7}, until=until)
        assert isinstance(begin(at=NOON + timedelta(seconds=89)), InFlight)

        taken = begin(at=NOON + timedelta(seconds=90))

        assert isinstance(taken, Began)
        assert taken.taken_over
        assert (taken.recovery_point, taken.recovery_data) == ("HELD", {"withdrawal_id": 7})

    def test_shuts_the_former_process_out(self, begin):
        dead = begin()
        taken = begin(at=NOON + timedelta(minutes=5))

        for late in (
            lambda: idempotency.complete(dead, status=201, body=b"late", at=NOON),
            lambda: idempotency.reached(dead, point="HELD", data={}, until=NOON),
            lambda: idempotency.abandon(dead),
            lambda: idempotency.lock(dead),
        ):
            with pytest.raises(idempotency.ClaimLost):
                late()

        idempotency.complete(taken, status=201, body=b"mine", at=NOON)
        assert begin() == Replay(201, "application/json", b"mine")

    def test_has_one_winner_among_eight_at_once(self, cloned_db, begin, together):
        begin()

        outcomes = together(8, lambda _number: begin(at=NOON + timedelta(minutes=5)))

        assert sum(isinstance(outcome, Began) for outcome in outcomes) == 1


class TestCompleteAndAbandon:
    def test_the_answer_falls_with_the_effect_that_rolls_back(self, begin):
        began = begin()
        with transaction.atomic():
            idempotency.complete(began, status=201, body=b"{}", at=NOON)
            transaction.set_rollback(True)

        assert isinstance(begin(), InFlight)

    def test_a_refusal_before_any_effect_gives_the_key_back(self, begin):
        idempotency.abandon(begin())

        assert isinstance(begin(body={"amount": 1}), Began)

    def test_what_had_an_effect_cannot_be_given_back(self, begin):
        began = begin()
        idempotency.reached(began, point="HELD", data={}, until=NOON)

        with pytest.raises(idempotency.ClaimLost):
            idempotency.abandon(began)


class TestRequireKey:
    @pytest.mark.parametrize("text", ["a", "a" * 255, "!~"])
    def test_takes_visible_ascii(self, text):
        assert idempotency.require_key(text) == text

    @pytest.mark.parametrize("text", ["a" * 256, "键", "a b", "a\n"])
    def test_refuses_anything_else(self, text):
        with pytest.raises(idempotency.KeyMalformed):
            idempotency.require_key(text)

    @pytest.mark.parametrize("text", [None, ""])
    def test_refuses_none_at_all(self, text):
        with pytest.raises(idempotency.KeyMissing):
            idempotency.require_key(text)


class TestFingerprint:
    def test_means_the_content_and_nothing_else(self):
        one = idempotency.fingerprint({"a": 1, "b": [1, {"c": "ü"}]})

        assert one == idempotency.fingerprint({"b": [1, {"c": "ü"}], "a": 1})
        assert one != idempotency.fingerprint({"a": "1", "b": [1, {"c": "ü"}]})
        assert one != idempotency.fingerprint({"a": 1, "b": [{"c": "ü"}, 1]})

    @pytest.mark.parametrize("body", [{"a": 1.5}, [[0.1]], {"a": {"b": float("nan")}}])
    def test_refuses_binary_fractions(self, body):
        with pytest.raises(canonical.NotCanonical):
            idempotency.fingerprint(body)


class TestPurge:
    def test_keeps_what_is_younger_than_promised(self, begin):
        idempotency.complete(begin(), status=201, body=b"{}", at=NOON)

        assert idempotency.purge(at=NOON + timedelta(hours=48)) == 0
        assert idempotency.purge(at=NOON + timedelta(hours=48, seconds=1)) == 1
        with pytest.raises(ValueError, match="24 hours"):
            idempotency.purge(at=NOON, keep_hours=23)

    def test_keeps_what_somebody_still_works_on(self, begin):
        began = begin()
        later = NOON + timedelta(days=3)
        idempotency.reached(began, point="HELD", data={}, until=later)

        assert idempotency.purge(at=later) == 0
