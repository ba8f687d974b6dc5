"""The API as programs use it: pages, one effect per key, and refusals that name what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from channels.models import Payment
from foundation.models import IdempotencyKey
from ledger.models import JournalEntry
from merchants.models import Scope
from merchants.services import partner_grant as partner_grants
from settlement.models import Withdrawal
from tests.api.caller import PAYMENT, Caller, wish
from tests.factories import payout as make
from tests.factories.merchants import MerchantFactory
from tests.factories.payout import NOON


@pytest.mark.django_db
class TestWithdrawals:
    def test_are_asked_for_once_and_answered_with_the_same_bytes(self) -> None:
        account = make.payee(100_00)
        caller = Caller(account.merchant)

        first = caller.post("withdrawals", wish(account))
        again = caller.post("withdrawals", dict(reversed(wish(account).items())))

        assert first.status_code == 201, first.content
        assert first.json()["outcome"] == "ACCEPTED"
        assert "Idempotency-Replayed" not in first
        assert again["Idempotency-Replayed"] == "true"
        assert (again.status_code, again.content) == (201, first.content)
        assert make.balances(account.merchant_id)["merchant_available"] == (100_00, 10_00)

    def test_refuse_a_used_key_with_another_body_and_a_missing_one(self) -> None:
        account = make.payee(100_00)
        caller = Caller(account.merchant)
        caller.post("withdrawals", wish(account))

        other = caller.post("withdrawals", wish(account, amount_minor=10_01))
        missing = caller.post("withdrawals", wish(account), key=None)

        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key_missing")
        assert Withdrawal.objects.filter(merchant_id=account.merchant_id).count() == 1

    def test_keep_a_refusal_by_state_and_forget_one_by_shape(self) -> None:
        account = make.payee(5_00)
        caller = Caller(account.merchant)

        shape = caller.post("withdrawals", wish(account, amount_minor=0))
        poor = caller.post("withdrawals", wish(account))
        make.fund(account.merchant, 100_00)
        again = caller.post("withdrawals", wish(account))

        assert shape.status_code == 400
        assert (poor.status_code, poor.json()["code"]) == (409, "insufficient_available_balance")
        assert (again.status_code, again.content) == (409, poor.content)
        assert again["Content-Type"] == "application/problem+json"

    def test_say_in_flight_while_the_first_is_at_work(self) -> None:
        account = make.payee(100_00)
        caller = Caller(account.merchant)
        caller.post("withdrawals", wish(account))
        IdempotencyKey.objects.update(
            state="IN_FLIGHT", answer_status=None, answer_body=None, answered_at=None
        )

        answer = caller.post("withdrawals", wish(account))

        assert (answer.status_code, answer.json()["code"]) == (409, "request_in_flight")
        assert int(answer["Retry-After"]) >= 1

    def test_are_found_by_order_number_after_a_process_died_before_its_answer(self) -> None:
        account = make.payee(100_00)
        caller = Caller(account.merchant)
        made = caller.post("withdrawals", wish(account)).json()["number"]
        IdempotencyKey.objects.update(
            state="IN_FLIGHT",
            answer_status=None,
            answer_body=None,
            answered_at=None,
            lease_expires_at=NOON,
        )

        taken_over = caller.post("withdrawals", wish(account))

        assert (taken_over.status_code, taken_over.json()["number"]) == (201, made)
        assert make.balances(account.merchant_id)["merchant_available"] == (100_00, 10_00)

    def test_are_cancelled_once_and_listed_page_by_page(self) -> None:
        account = make.payee(100_00)
        caller = Caller(account.merchant)
        numbers = [
            caller.post("withdrawals", wish(account, order_no=f"A-{n}"), key=f"k{n}").json()[
                "number"
            ]
            for n in range(3)
        ]

        cancelled = caller.post(f"withdrawals/{numbers[0]}/cancel", {}, key="c")
        again = caller.post(f"withdrawals/{numbers[0]}/cancel", {}, key="c")
        page = caller.get("withdrawals", limit=2).json()
        rest = caller.get("withdrawals", limit=2, cursor=page["next_cursor"]).json()

        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "CANCELLED")
        assert again.content == cancelled.content
        seen = [each["number"] for each in page["items"] + rest["items"]]
        assert seen == numbers[::-1]
        assert rest["next_cursor"] is None
        only = caller.get("withdrawals", order_no="A-1").json()["items"]
        assert [each["number"] for each in only] == [numbers[1]]
        other = Caller(MerchantFactory())
        assert other.get("withdrawals", cursor=page["next_cursor"]).status_code == 400


@pytest.mark.django_db
class TestPayments:
    def test_of_a_merchants_key_are_403_and_no_entry(self) -> None:
        merchant = MerchantFactory()

        answer = Caller(merchant).post("payments", PAYMENT | {"merchant_no": merchant.merchant_no})

        assert answer.status_code == 403
        assert not Payment.objects.filter(merchant=merchant).exists()
        assert not JournalEntry.objects.filter(merchant=merchant).exists()

    @pytest.mark.parametrize("kind", ["INSTITUTION", "PARTNER"])
    def test_are_recorded_all_or_none_with_errors_by_index(self, kind: str) -> None:
        merchant = MerchantFactory()
        good = PAYMENT | {"merchant_no": merchant.merchant_no}
        caller = Caller(None, kind=kind)
        if kind == "PARTNER":
            partner_grants.grant(key=caller.key, merchant=merchant, at=NOON)
        many = [good, good | {"payment_no": "P-2", "captured_at": "yesterday"}]

        bad = caller.post("payments", {"payments": many})

        assert bad.status_code == 400
        assert [(each["index"], each["field"]) for each in bad.json()["errors"]] == [
            (1, "captured_at")
        ]
        assert not Payment.objects.filter(merchant=merchant).exists()
        recorded = caller.post("payments", good)
        assert recorded.status_code == 201, recorded.content
        assert caller.post("payments", good).content == recorded.content
        assert Payment.objects.filter(merchant=merchant).count() == 1
        owner = Caller(merchant)
        assert owner.get("payments/P-1").json()["fee_minor"] is None
        assert [p["payment_no"] for p in owner.get("payments").json()["items"]] == ["P-1"]

    def test_of_a_partner_are_of_the_merchants_it_acts_for(self) -> None:
        own, other = MerchantFactory(), MerchantFactory()
        caller = Caller(None, kind="PARTNER")
        nobody = caller.post("payments", PAYMENT | {"merchant_no": own.merchant_no}, key="k-0")
        permission = partner_grants.grant(key=caller.key, merchant=own, at=NOON)
        Caller(None, kind="PARTNER", name="another partner")
        mixed = [
            PAYMENT | {"merchant_no": number, "payment_no": f"P-{place}"}
            for place, number in enumerate([own.merchant_no, other.merchant_no, "NOBODY", "HOUSE"])
        ]

        refused = caller.post("payments", {"payments": mixed}, key="k-1")
        taken = caller.post("payments", mixed[0], key="k-2")

        assert nobody.status_code == 400
        assert [
            (each["index"], each["field"], each["reason"]) for each in refused.json()["errors"]
        ] == [(place, "merchant_no", "unknown_merchant") for place in (1, 2, 3)]
        said = {each["message"] for each in refused.json()["errors"]}
        assert len(said) == 1  # a merchant of others looks like none
        assert taken.status_code == 201, taken.content
        assert [payment.merchant for payment in Payment.objects.all()] == [own]
        assert caller.get("me", merchant_no=own.merchant_no).json()["merchant"]["name"] == own.name
        assert caller.get("me", merchant_no=other.merchant_no).status_code == 404

        partner_grants.end(merchant_id=permission.merchant_id, grant_id=permission.id)
        late = caller.post("payments", mixed[0] | {"payment_no": "P-9"}, key="k-3")
        assert late.status_code == 400
        assert Payment.objects.count() == 1

    def test_of_two_callers_do_not_share_their_keys(self) -> None:
        merchant = MerchantFactory()
        till, partner = Caller(None), Caller(None, kind="PARTNER")
        partner_grants.grant(key=partner.key, merchant=merchant, at=NOON)
        first = PAYMENT | {"merchant_no": merchant.merchant_no}

        one = till.post("payments", first)
        two = partner.post("payments", first | {"payment_no": "P-2"})

        assert (one.status_code, two.status_code) == (201, 201)
        assert Payment.objects.count() == 2

    def test_can_be_a_thousand_and_no_more(self) -> None:
        merchant = MerchantFactory()
        caller = Caller(None)
        many = [
            PAYMENT | {"merchant_no": merchant.merchant_no, "payment_no": f"P-{number}"}
            for number in range(1001)
        ]
        bad = [dict(each) for each in many[:1000]]
        bad[0]["amount_minor"] = 0
        bad[499]["currency"] = "XXY"
        bad[999]["payment_no"] = "P-998"
        worse = [dict(each) for each in many[:1000]]
        worse[998]["captured_at"] = "2026-02-30T10:00:00+08:00"
        worse[999]["payment_no"] = "P-997"

        shape = caller.post("payments", {"payments": bad})
        rows = caller.post("payments", {"payments": worse})
        too_many = caller.post("payments", {"payments": many})
        none = caller.post("payments", {"payments": []})
        every = caller.post("payments", {"payments": [{} for _each in range(1000)]})
        assert Payment.objects.count() == 0
        taken = caller.post("payments", {"payments": many[:1000]})

        assert [(each["index"], each["field"]) for each in shape.json()["errors"]] == [
            (0, "amount_minor"),
            (499, "currency"),
        ]
        assert [
            (each["index"], each["field"], each["reason"]) for each in rows.json()["errors"]
        ] == [(998, "captured_at", "instant_malformed"), (999, "payment_no", "duplicate_in_file")]
        assert [each["field"] for each in too_many.json()["errors"]] == ["payments"]
        assert [each["field"] for each in none.json()["errors"]] == ["payments"]
        assert every.status_code == 400
        places = [each["index"] for each in every.json()["errors"]]
        assert places == sorted(places)
        assert len(places) == 1000  # the first thousand of what is wrong
        assert taken.status_code == 201
        sent = [each["payment_no"] for each in taken.json()["payments"]]
        assert sent == [each["payment_no"] for each in many[:1000]]
        assert Payment.objects.count() == 1000

    @pytest.mark.parametrize(("minor", "currency"), [(10**15, "KWD"), (10**14 - 1, "JPY")])
    def test_can_be_as_large_as_any_amount_that_is_kept(self, minor: int, currency: str) -> None:
        merchant, caller = MerchantFactory(), Caller(None)
        large = PAYMENT | {"merchant_no": merchant.merchant_no, "currency": currency}

        more = caller.post("payments", large | {"amount_minor": minor + 1}, key="k-2")
        taken = caller.post("payments", large | {"amount_minor": minor})

        assert more.status_code == 400
        (wrong,) = more.json()["errors"]
        assert wrong["field"] == "amount_minor"
        assert wrong["reason"] in ("amount_too_large", "max_value")
        assert taken.json()["payments"][0]["amount_minor"] == minor
        assert Payment.objects.get().amount_minor == minor


@pytest.mark.django_db
class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"", "malformed_json"),
            (b"{", "malformed_json"),
            (b'{"a": 1, "a": 2}', "malformed_json"),
            (b'{"amount_minor": NaN}', "malformed_json"),
            (b'{"a\\u0000": 1}', "malformed_json"),
            (b"\xff", "malformed_json"),
            (b"[" * 100_000, "malformed_json"),
            (b"[]", "validation_failed"),
            (b"1" * 5000, "validation_failed"),
        ],
    )
    def test_of_bodies_that_are_none(self, body: bytes, code: str) -> None:
        answer = Caller(MerchantFactory()).post("withdrawals", body)

        if body == b"":  # no body at all is an empty object: every field is missing
            code = "validation_failed"
        assert (answer.status_code, answer.json()["code"]) == (400, code)

    @pytest.mark.parametrize(
        "amount",
        ["1.5", "1e3", "10.0", '"1000"', "true", "null", "-1", "0", "9" * 30, "9" * 5000, "[1]"],
    )
    def test_of_amounts_name_the_field(self, amount: str) -> None:
        account = make.payee(100_00)
        text = json.dumps(wish(account, amount_minor=0)).replace(": 0,", f": {amount},")

        answer = Caller(account.merchant).post("withdrawals", text.encode())

        assert answer.status_code == 400, answer.content
        assert [each["field"] for each in answer.json()["errors"]] == ["amount_minor"]
        assert not Withdrawal.objects.filter(merchant_id=account.merchant_id).exists()

    def test_of_fields_nobody_knows_nul_and_too_large_bodies(self, settings: Any) -> None:
        account = make.payee(100_00)
        caller = Caller(account.merchant)

        extra = caller.post("withdrawals", wish(account, status="PAID"))
        nul = caller.post("withdrawals", wish(account, order_no="A\0"))
        settings.API_MAX_BODY_BYTES = 10
        large = caller.post("withdrawals", wish(account))

        assert [each["reason"] for each in extra.json()["errors"]] == ["unknown_field"]
        assert (nul.status_code, large.status_code) == (400, 413)

    def test_speak_problem_json_for_every_status(self) -> None:
        caller = Caller(MerchantFactory(), "balances:read")
        plain = caller.client
        answers = {
            401: plain.get("/api/v1/me"),
            403: caller.get("payments"),
            404: caller.get("nothing"),
            405: plain.delete("/api/v1/balances", headers=caller.head),
            400: caller.get("balances", unknown="1"),
        }

        for status, answer in answers.items():
            assert answer.status_code == status
            assert answer["Content-Type"] == "application/problem+json"
            assert set(answer.json()) == {"type", "title", "status", "code", "detail", "errors"}
        media = Caller(make.payee().merchant)
        wrong = media.client.post(
            "/api/v1/withdrawals",
            "a=1",
            content_type="application/x-www-form-urlencoded",
            headers=media.head | {"Idempotency-Key": "k"},
        )
        assert (wrong.status_code, wrong.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.django_db
class TestForeignBooks:
    def test_are_named_by_the_institution(self) -> None:
        account = make.payee(100_00)
        house = Caller(None)

        named = house.get("balances", merchant_no=account.merchant.merchant_no).json()

        assert [(each["currency"], each["available"]) for each in named["items"]] == [
            ("CNY", 100_00)
        ]
        assert house.get("balances").json()["code"] == "merchant_no_missing"
        assert house.get("me").json()["merchant"] is None
        me = Caller(account.merchant).get("me").json()
        assert [each["payee"] for each in me["payees"]] == [str(account.uuid)]
        assert str(Scope.PAYMENTS_RECORD) not in me["key"]["scopes"]

    def test_are_withdrawn_from_by_the_institution_to_their_own_payees(self) -> None:
        account, other = make.payee(100_00), make.payee(100_00)
        house = Caller(None)
        path = f"withdrawals?merchant_no={account.merchant.merchant_no}"

        foreign = house.post(path, wish(other), key="k-1")
        unnamed = house.post("withdrawals", wish(account), key="k-2")
        made = house.post(path, wish(account), key="k-3")

        assert (foreign.status_code, unnamed.json()["code"]) == (404, "merchant_no_missing")
        assert made.status_code == 201
        assert made.json()["merchant_no"] == account.merchant.merchant_no
        assert make.balances(account.merchant_id)["merchant_available"] == (100_00, 10_00)
        assert make.balances(other.merchant_id)["merchant_available"] == (100_00, 0)
