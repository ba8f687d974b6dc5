"""What import files of payments, refunds and fees may hold: taken, or refused by row and reason."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from django.utils import translation

from channels.models import FeeRule, Payment, Refund
from channels.services import fee_import, payment_import, refund_import
from tests.channels.test_import_commands import run
from tests.factories import channels as make
from tests.factories.merchants import MerchantFactory

pytestmark = pytest.mark.django_db

PAYMENTS = ",".join(payment_import.COLUMNS)
AT = "2026-03-02T12:00:00+08:00"


def line(**changes: str) -> str:
    """Return a good line of a payments file, with changes."""
    good = {
        "payment_no": "P1", "order_no": "O1", "merchant_no": "SHOP", "product": "card",
        "channel": "up", "amount": "10.00", "currency": "CNY", "captured_at": AT,
        "payer_ref": "", "code_kind": "",
    }  # fmt: skip
    return ",".join((good | changes).values())


def both(*lines: str) -> bytes:
    return "".join(f"{each}\n" for each in (PAYMENTS, *lines)).encode()


TAKEN = {
    "a byte order mark": b"\xef\xbb\xbf" + both(line()),
    "CR LF": both(line()).replace(b"\n", b"\r\n"),
    "both line ends": both(line()).replace(b"\n", b"\r\n", 1),
    "no last line end": both(line())[:-1],
    "columns in another order": (
        "currency,payment_no,order_no,merchant_no,product,channel,amount,captured_at,payer_ref,"
        f"code_kind\nCNY,P1,O1,SHOP,card,up,10.00,{AT},,\n"
    ).encode(),
    "quoted values": both(line(order_no='"a ""b"", c"')),
    "zeros in front": both(line(amount="0010.00")),
    "one decimal": both(line(amount="10.0")),
    "three decimals of a currency that has them": both(line(amount="1.234", currency="KWD")),
    "the largest amount": both(line(amount="10000000000000.00")),
    "a formula, as text": both(line(order_no="=1+1", payer_ref="@SUM(A1)")),
    "Chinese, Arabic, symbols": both(line(order_no="订单٣😀")),
    "UTC": both(line(captured_at="2026-03-02T04:00:00Z")),
    "no seconds": both(line(captured_at="2026-03-02T12:00+08:00")),
    "a leap day": both(line(captured_at="2024-02-29T23:59:59.999999-14:00")),
    "an archive": gzip.compress(both(line())),
    "an archive of two": gzip.compress(both()) + gzip.compress(f"{line()}\n".encode()),
}

# content -> (row, column, reason) of every finding
REFUSED: dict[str, tuple[bytes, list[tuple[int, str, str]]]] = {
    "nothing": (b"", [(1, "", "file_empty")]),
    "a mark alone": (b"\xef\xbb\xbf", [(1, "", "file_empty")]),
    "an empty first line": (b"\n" + both(line()), [(1, "", "file_empty")]),
    "CR alone": (both(line()).replace(b"\n", b"\r"), [(1, "", "header_too_long")]),
    "UTF-16": (both(line()).decode().encode("utf-16"), [(1, "", "encoding")]),
    "GBK": (both(line(order_no="账房")).decode().encode("gbk"), [(2, "", "encoding")]),
    "a lone surrogate": (both(line(order_no="?")).replace(b"?", b"\xed\xa0\x80"),
                         [(2, "", "encoding")]),
    "NUL": (both(line(order_no="a\0b")), [(2, "", "control_character")]),
    "an unseen mark": (both(line(payment_no="P\u200b1")), [(2, "payment_no", "control_character")]),
    "text turned around": (both(line(order_no="a\u202eb")), [(2, "order_no", "control_character")]),
    "a tab": (both(line(payment_no="\tP1")), [(2, "payment_no", "control_character")]),
    "a line feed in a number": (both(line(order_no='"a\nb"')),
                                [(2, "order_no", "control_character")]),
    "a space behind": (both(line(payment_no="P1 ")), [(2, "payment_no", "surrounding_space")]),
    "a wide space before": (both(line(order_no="\u3000O")), [(2, "order_no", "surrounding_space")]),
    "ten megabytes in one value": (both(line(order_no="x" * 10_000_000), line()),
                                   [(2, "", "row_too_long")]),
    "65 characters": (both(line(payment_no="x" * 65)), [(2, "payment_no", "too_long")]),
    "a quotation mark never closed": (both(line(order_no='"abc'), line(payment_no="P2")),
                                      [(2, "", "unclosed_quote")]),
    "text behind a quotation mark": (both(line(order_no='"a"b')), [(2, "", "misplaced_quote")]),
    "an empty row": (both(line(), "", line(payment_no="P2")), [(3, "", "blank_row")]),
    "the end of data of older servers": (both("\\.", line()), [(2, "order_no", "missing_values")]),
    "a value too many": (both(line() + ",x"), [(2, "", "extra_values")]),
    "a row cut in the middle": (both(line(), line(payment_no="P2"))[:-9],
                                [(3, "payer_ref", "missing_values")]),
    "an archive cut in the middle": (gzip.compress(both(line()))[:-9], [(0, "", "file_truncated")]),
    "an archive with a wrong checksum": (gzip.compress(both(line()))[:-8] + b"12345678",
                                         [(0, "", "file_damaged")]),
    "a column less": (both().replace(b",code_kind", b"") + b"\n",
                      [(1, "code_kind", "missing_column")]),
    "a column more": (both().replace(b"code_kind", b"code_kind,note"),
                      [(1, "", "unknown_column")]),
    "a column twice": (both().replace(b"code_kind", b"code_kind,amount"),
                       [(1, "amount", "duplicate_column")]),
    "a column renamed": (both().replace(b"amount", b"Amount"),
                         [(1, "amount", "missing_column"), (1, "", "unknown_column")]),
    "a number twice": (both(line(), line()), [(3, "payment_no", "duplicate_in_file")]),
    "a merchant nobody knows": (both(line(merchant_no="NOBODY")),
                                [(2, "merchant_no", "unknown_merchant")]),
    "the house itself": (both(line(merchant_no="HOUSE")),
                         [(2, "merchant_no", "unknown_merchant")]),
    "any product": (both(line(product="*")), [(2, "product", "not_allowed")]),
    "no channel": (both(line(channel="")), [(2, "channel", "empty")]),
    "an unknown kind of code": (both(line(code_kind="STATIC")), [(2, "code_kind", "not_allowed")]),
    "a currency that is none": (both(line(currency="ZZZ")), [(2, "currency", "currency_unknown")]),
    "a currency in small letters": (both(line(currency="cny")),
                                    [(2, "currency", "currency_unknown")]),
    "decimals of yen": (both(line(amount="100.0", currency="JPY")),
                        [(2, "amount", "too_many_decimals")]),
    "four decimals of dinars": (both(line(amount="1.2345", currency="KWD")),
                                [(2, "amount", "too_many_decimals")]),
    "an amount above the largest": (both(line(amount="10000000000000.01")),
                                    [(2, "amount", "amount_too_large")]),
    "several things at once": (
        both(line(amount="x", currency="ZZZ"), line(payment_no="", captured_at="now")),
        [(2, "amount", "amount_malformed"), (2, "currency", "currency_unknown"),
         (3, "captured_at", "instant_malformed"), (3, "payment_no", "empty")],
    ),
    **{
        f"the amount {amount!r}": (both(line(amount=amount)), [(2, "amount", reason)])
        for amount, reason in {
            "": "empty", "0": "amount_zero", "0.00": "amount_zero", "-1": "amount_malformed",
            "+1": "amount_malformed", "1e3": "amount_malformed", ".5": "amount_malformed",
            "5.": "amount_malformed", "NaN": "amount_malformed", "0x10": "amount_malformed",
            "Infinity": "amount_malformed", "1_000": "amount_malformed", " 1": "amount_malformed",
            '"1,000.00"': "amount_malformed", "¥1": "amount_malformed", "１２": "amount_malformed",
            "١": "amount_malformed", "1.2.3": "amount_malformed", "1 ": "amount_malformed",
            "100000000000000": "amount_too_large", "1.234": "too_many_decimals",
        }.items()
    },
    **{
        f"the time {moment!r}": (both(line(captured_at=moment)),
                                 [(2, "captured_at", "instant_malformed")])
        for moment in (
            "2026-02-30T00:00:00+08:00", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z", "2026-03-02T24:00:00+08:00", "2026-03-02T12:60:00+08:00",
            "2016-12-31T23:59:60Z", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z", "2026-03-02T12:00:00", "2026-03-02", "2026-03-02 12:00:00Z",
            "2026-03-02T12:00:00+15:00", "2026-03-02T12:00:00+08:60", "2026-03-02t12:00:00z",
            "2026-03-02T12:00:00.1234567Z", "2026-03-02T12:00:00 Asia/Shanghai", "now", "infinity",
            "1772424000", "2026/03/02T12:00:00Z", "２026-03-02T12:00:00Z",
        )
    },
}  # fmt: skip


@pytest.fixture
def shop() -> str:
    """A merchant, and a price for everything."""
    make.fees("*,*,*,1,,,,,kept,1970-01-01")
    return MerchantFactory.create(merchant_no="SHOP").merchant_no


def write(folder: Path, content: bytes) -> Path:
    path = folder / "file.csv"
    path.write_bytes(content)
    return path


@pytest.mark.usefixtures("shop")
class TestAPaymentsFileWith:
    @pytest.mark.parametrize("content", TAKEN.values(), ids=TAKEN.keys())
    def test_is_taken_and_known_again(self, content: bytes, tmp_path: Path) -> None:
        path = write(tmp_path, content)

        first, again = run("import_payments", path), run("import_payments", path)

        assert (first[0], first[1]["new"], first[1]["payments"]) == (0, 1, 1)
        assert (again[0], again[1]["new"], again[1]["known"]) == (0, 0, 1)
        assert Payment.objects.count() == 1

    def test_a_header_alone_stores_nothing(self, tmp_path: Path) -> None:
        code, told, _ = run("import_payments", write(tmp_path, both()))

        assert (code, told["new"], told["known"]) == (0, 0, 0)

    @pytest.mark.parametrize("wrong", REFUSED.values(), ids=REFUSED.keys())
    def test_is_refused_by_row_column_and_reason(
        self, wrong: tuple[bytes, list[tuple[int, str, str]]], tmp_path: Path
    ) -> None:
        content, findings = wrong
        path = write(tmp_path, content)

        code, told, _ = run("import_payments", path)
        with translation.override("zh-hans"):
            chinese = run("import_payments", path)[1]["bad"]

        assert code == 1
        assert [(bad["row"], bad["column"], bad["reason"]) for bad in told["bad"]] == findings
        assert set(told) == {"file", "new", "known", "bad", "bad_rows", "bad_not_listed"}
        assert all(set(bad) == {"row", "column", "value", "reason", "message"} for bad in chinese)
        assert all(bad["message"] for bad in told["bad"])
        assert not Payment.objects.exists()

    def test_a_conflict_names_both_values(self, tmp_path: Path) -> None:
        run("import_payments", write(tmp_path, both(line())))
        changed = line(amount="10.01", channel="other", captured_at="2026-03-02T12:00:01+08:00")

        code, told, _ = run("import_payments", write(tmp_path, both(line(payment_no="N"), changed)))

        assert code == 1
        found = {bad["column"]: (bad["row"], bad["reason"], bad["value"]) for bad in told["bad"]}
        assert found.keys() == {"amount", "channel", "captured_at"}
        assert found["amount"] == (3, "conflict", "10.01")
        (amount,) = [bad for bad in told["bad"] if bad["column"] == "amount"]
        assert "10.00" in amount["message"]
        assert Payment.objects.count() == 1

    def test_the_same_written_otherwise_is_known(self, tmp_path: Path) -> None:
        run("import_payments", write(tmp_path, both(line())))
        same = line(amount="010.0", captured_at="2026-03-02T04:00:00.000000Z")

        assert run("import_payments", write(tmp_path, both(same)))[1]["known"] == 1


REFUNDS = ",".join([*refund_import.COLUMNS, *refund_import.OPTIONAL])
LATER = "2026-03-03T12:00:00+08:00"


def refunds(*rows: str) -> bytes:
    return "".join(f"{each}\n" for each in (REFUNDS, *rows)).encode()


REFUNDS_REFUSED: dict[str, tuple[list[str], list[tuple[int, str, str]]]] = {
    "of a payment nobody knows": ([f"R1,NONE,1.00,CNY,{LATER},"],
                                  [(2, "payment_no", "unknown_payment")]),
    "of another merchant's payment": ([f"R1,P1,1.00,CNY,{LATER},OTHER"],
                                      [(2, "payment_no", "unknown_payment")]),
    "of a merchant nobody knows": ([f"R1,P1,1.00,CNY,{LATER},NOBODY"],
                                   [(2, "merchant_no", "unknown_merchant")]),
    "before its payment": (["R1,P1,1.00,CNY,2026-03-02T11:59:59+08:00,"],
                           [(2, "refunded_at", "before_payment")]),
    "in another currency": ([f"R1,P1,1.00,USD,{LATER},"], [(2, "currency", "other_currency")]),
    "of nothing": ([f"R1,P1,0.00,CNY,{LATER},"], [(2, "amount", "amount_zero")]),
    "of more than was paid": ([f"R1,P1,10.01,CNY,{LATER},"], [(2, "amount", "over_refunded")]),
    "of more than was paid, together": (
        [f"R1,P1,6.00,CNY,{LATER},", f"R2,P1,4.01,CNY,{LATER},"],
        [(3, "amount", "over_refunded")],
    ),
    "twice": ([f"R1,P1,1.00,CNY,{LATER},", f"R1,P1,1.00,CNY,{LATER},"],
              [(3, "refund_no", "duplicate_in_file")]),
}  # fmt: skip


class TestARefundsFile:
    @pytest.fixture
    def paid(self, shop: str, tmp_path: Path) -> None:
        MerchantFactory.create(merchant_no="OTHER")
        run("import_payments", write(tmp_path, both(line())))

    @pytest.mark.usefixtures("paid")
    @pytest.mark.parametrize("wrong", REFUNDS_REFUSED.values(), ids=REFUNDS_REFUSED.keys())
    def test_is_refused_by_row_column_and_reason(
        self, wrong: tuple[list[str], list[tuple[int, str, str]]], tmp_path: Path
    ) -> None:
        rows, findings = wrong

        code, told, _ = run("import_refunds", write(tmp_path, refunds(*rows)))

        assert code == 1
        assert [(bad["row"], bad["column"], bad["reason"]) for bad in told["bad"]] == findings
        assert not Refund.objects.exists()

    @pytest.mark.usefixtures("paid")
    def test_over_several_files_never_returns_more_than_was_paid(self, tmp_path: Path) -> None:
        first = write(tmp_path, refunds(f"R1,P1,6.00,CNY,{LATER},SHOP"))
        assert run("import_refunds", first)[0] == 0
        assert run("import_refunds", first)[1]["known"] == 1

        earlier = "2026-03-02T13:00:00+08:00"  # older than the one that is there
        late = write(tmp_path, refunds(f"R0,P1,4.01,CNY,{earlier},"))
        code, told, _ = run("import_refunds", late)
        assert (code, told["bad"][0]["reason"]) == (1, "over_refunded")
        assert "4.00" in told["bad"][0]["message"]

        rest = write(tmp_path, refunds(f"R1,P1,6.00,CNY,{LATER},", f"R0,P1,4.00,CNY,{earlier},"))
        code, told, _ = run("import_refunds", rest)
        assert (code, told["new"], told["known"], told["refunds"]) == (0, 1, 1, 1)

    @pytest.mark.usefixtures("paid")
    @pytest.mark.parametrize(
        ("changed", "column"),
        [
            (f"R1,P1,6.01,CNY,{LATER},", "amount"),
            ("R1,P1,6.00,CNY,2026-03-03T12:00:01+08:00,", "refunded_at"),
            (f"R1,P2,6.00,CNY,{LATER},", "payment_no"),
        ],
    )
    def test_a_number_again_with_other_content_is_a_conflict(
        self, changed: str, column: str, tmp_path: Path
    ) -> None:
        run("import_payments", write(tmp_path, both(line(payment_no="P2"))))
        run("import_refunds", write(tmp_path, refunds(f"R1,P1,6.00,CNY,{LATER},")))

        code, told, _ = run("import_refunds", write(tmp_path, refunds(changed)))

        assert code == 1
        assert [(bad["column"], bad["reason"]) for bad in told["bad"]] == [(column, "conflict")]


FEES = ",".join(fee_import.COLUMNS)
FEES_REFUSED = {
    "*,*,*,100.000001,,,,,kept,2016-01-01": ("rate_percent", "rate_malformed"),
    "*,*,*,-1,,,,,kept,2016-01-01": ("rate_percent", "rate_malformed"),
    "*,*,*,0.1234567,,,,,kept,2016-01-01": ("rate_percent", "rate_malformed"),
    "*,*,*,0.6%,,,,,kept,2016-01-01": ("rate_percent", "rate_malformed"),
    "*,*,*,,,,,,kept,2016-01-01": ("rate_percent", "empty"),
    "*,*,*,1,-1,,,,kept,2016-01-01": ("fixed", "amount_malformed"),
    "*,*,*,1,1e2,,,,kept,2016-01-01": ("fixed", "amount_malformed"),
    "*,*,*,1,0.001,,,CNY,kept,2016-01-01": ("fixed", "too_many_decimals"),
    "*,*,*,1,,0.5,,JPY,kept,2016-01-01": ("minimum", "too_many_decimals"),
    "*,*,*,1,,5,4.99,,kept,2016-01-01": ("cap", "cap_below_minimum"),
    "*,*,*,1,,,1.2345,KWD,kept,2016-01-01": ("cap", "too_many_decimals"),
    "*,*,*,1,,,,ZZZ,kept,2016-01-01": ("currency", "currency_unknown"),
    "*,*,*,1,,,,,sometimes,2016-01-01": ("fee_on_refund", "not_allowed"),
    "*,*,*,1,,,,,,2016-01-01": ("fee_on_refund", "empty"),
    "*,*,*,1,,,,,kept,2016-02-30": ("effective_from", "date_malformed"),
    "*,*,*,1,,,,,kept,01/02/2016": ("effective_from", "date_malformed"),
    "NOBODY,*,*,1,,,,,kept,2016-01-01": ("merchant_no", "unknown_merchant"),
    ",*,*,1,,,,,kept,2016-01-01": ("merchant_no", "empty"),
    "*,,*,1,,,,,kept,2016-01-01": ("product", "empty"),
}


class TestAFeesFile:
    @pytest.mark.parametrize(("row", "finding"), FEES_REFUSED.items(), ids=FEES_REFUSED.keys())
    def test_is_refused_by_row_column_and_reason(
        self, row: str, finding: tuple[str, str], tmp_path: Path
    ) -> None:
        good = "*,card,*,1,,,,,kept,2016-01-01"
        content = "".join(f"{each}\n" for each in (FEES, good, row)).encode()

        code, told, _ = run("import_fees", write(tmp_path, content))

        assert code == 1
        assert [(bad["row"], bad["column"], bad["reason"]) for bad in told["bad"]] == [
            (3, *finding)
        ]
        assert not FeeRule.objects.exists()
