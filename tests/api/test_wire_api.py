"""What comes over the wire: bodies of other kinds, too large, cut up, compressed; odd headers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from foundation.models import IdempotencyKey
from settlement.models import Withdrawal
from tests.api.caller import Caller, wish
from tests.factories import payout as make
from tests.factories.merchants import MerchantFactory

JSON = "application/json"


def send(caller: Caller, raw: bytes, content_type: str = JSON, **head: str) -> Any:
    headers = caller.head | {"Idempotency-Key": "k"} | head
    return caller.client.post(
        "/api/v1/withdrawals", raw, content_type=content_type, headers=headers
    )


@pytest.mark.django_db
class TestABody:
    @pytest.mark.parametrize(
        ("content_type", "head", "status", "code"),
        [
            (JSON, {"Transfer-Encoding": "chunked"}, 411, "length_required"),
            (JSON, {"Content-Encoding": "gzip"}, 415, "unsupported_media_type"),
            ("application/json; charset=gbk", {}, 415, "unsupported_media_type"),
            ('application/json; Charset="UTF-16"', {}, 415, "unsupported_media_type"),
            ("text/plain", {}, 415, "unsupported_media_type"),
            ("application/xml", {}, 415, "unsupported_media_type"),
            ("multipart/form-data", {}, 415, "unsupported_media_type"),
            ("///;;;=", {}, 415, "unsupported_media_type"),
            ("", {}, 415, "unsupported_media_type"),
            (JSON, {"Accept": "text/html"}, 406, "not_acceptable"),
            (JSON, {"Idempotency-Key": "k" * 256}, 400, "idempotency_key_malformed"),
            (JSON, {"Idempotency-Key": "ключ"}, 400, "idempotency_key_malformed"),
            (JSON, {"Idempotency-Key": "a\tb"}, 400, "idempotency_key_malformed"),
        ],
    )
    def test_of_another_kind_is_refused_before_anything_begins(
        self, content_type: str, head: dict[str, str], status: int, code: str
    ) -> None:
        account = make.payee(100_00)

        answer = send(
            Caller(account.merchant), json.dumps(wish(account)).encode(), content_type, **head
        )

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer["Content-Type"] == "application/problem+json"
        assert not IdempotencyKey.objects.exists()
        assert not Withdrawal.objects.exists()

    @pytest.mark.parametrize(
        ("content_type", "head"),
        [
            ("application/json; charset=utf-8", {}),
            ("application/json; charset=UTF8", {}),
            ("APPLICATION/JSON", {}),
            (JSON, {"Content-Encoding": "identity"}),
            (JSON, {"Idempotency-Key": "k" * 255}),
            (JSON, {"X-HTTP-Method-Override": "DELETE"}),
        ],
    )
    def test_of_the_right_kind_is_read(self, content_type: str, head: dict[str, str]) -> None:
        account = make.payee(100_00)

        answer = send(
            Caller(account.merchant), json.dumps(wish(account)).encode(), content_type, **head
        )

        assert answer.status_code == 201, answer.content

    def test_of_ten_megabytes_is_too_large(self) -> None:
        caller = Caller(MerchantFactory())

        text = send(caller, b'{"order_no": "' + b"x" * 10_000_000 + b'"}')
        blanks = send(caller, b" " * 10_000_000)

        assert (text.status_code, blanks.status_code) == (413, 413)
        assert text.json()["code"] == "body_too_large"

    def test_that_says_it_is_too_large_is_refused_before_it_is_read(self) -> None:
        caller = Caller(MerchantFactory())

        answer = caller.client.generic(
            "POST", "/api/v1/withdrawals", b"{}", JSON,
            headers=caller.head | {"Idempotency-Key": "k"}, CONTENT_LENGTH=str(2**63),
        )  # fmt: skip

        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")

    def test_that_is_null_is_refused_in_the_readers_language(self) -> None:
        answer = send(Caller(MerchantFactory()), b"null", **{"Accept-Language": "zh-hans"})

        (wrong,) = answer.json()["errors"]
        assert (answer.status_code, wrong["reason"]) == (400, "invalid")
        assert "期待" in wrong["message"]

    @pytest.mark.parametrize(
        "raw",
        [
            b'{"a": ' * 50_000 + b"1" + b"}" * 50_000,
            b'{"amount_minor": ' + b"9" * 1_000_000 + b"}",
            b"\xef\xbb\xbf{}",
            "{}".encode("utf-16"),
            b'{"order_no": "\xff\xfe"}',
            b'{"order_no": "\\ud800"}',
            b'{"order_no": "a", "order_no": "b"}',
            b'{"a": {"b": 1, "b": 1}}',
            b'{"order_no": Infinity}',
            b"null",
            b"{} {}",
            b"{'order_no': 1}",
            b'{"order_no": "a\nb"}',
        ],
        ids=lambda raw: repr(raw[:24]),
    )
    def test_that_is_not_what_we_read_is_400_and_says_why(self, raw: bytes) -> None:
        answer = send(Caller(MerchantFactory()), raw)

        assert answer.status_code == 400, answer.content
        assert answer.json()["code"] in ("malformed_json", "validation_failed")
        assert answer.json()["detail"]


@pytest.mark.django_db
class TestAnAddress:
    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("withdrawals/", 404),
            ("withdrawals/%00", 404),
            ("withdrawals/%FF%FE", 404),
            ("withdrawals/" + "x" * 300, 404),
            ("withdrawals/a/b/c", 404),
            ("withdrawals?order_no=%00", 400),
            ("withdrawals?cursor=%FF", 400),
            ("withdrawals?limit=0", 400),
            ("withdrawals?limit=201", 400),
            ("withdrawals?limit=" + "9" * 300, 400),
            ("withdrawals?limit=%D9%A1", 400),
            ("withdrawals?limit=1&limit=1", 400),
            ("withdrawals?limit[]=1", 400),
            ("withdrawals?format=xml", 400),
            ("withdrawals?" + "&".join(f"a{n}=1" for n in range(1500)), 400),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_that_is_odd_is_a_problem_and_no_fault(self, path: str, status: int) -> None:
        caller = Caller(MerchantFactory())

        answer = caller.client.get(f"/api/v1/{path}", headers=caller.head)

        assert answer.status_code == status
        assert answer["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"])
    def test_takes_only_the_methods_it_names(self, method: str) -> None:
        caller = Caller(MerchantFactory())

        answer = caller.client.generic(method, "/api/v1/withdrawals", headers=caller.head)

        assert (answer.status_code, answer["Allow"]) == (405, "GET, POST")

    @pytest.mark.parametrize(
        "header", ["", "Bearer", "Bearer \xff", "Basic abc", "Bearer a b", "Bearer ck1_x.y"]
    )
    def test_is_401_without_a_good_key(self, header: str) -> None:
        caller = Caller(MerchantFactory())

        answer = caller.client.get("/api/v1/me", headers={"Authorization": header})

        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
