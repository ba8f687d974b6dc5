"""What raw SQL as the product's role cannot do to a registration (REG-1 to REG-6)."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from channels.models import Channel, Registration
from merchants.models import Merchant
from tests.factories import merchant_state, paper
from tests.factories import registration as given
from tests.factories.merchants import MerchantFactory
from tests.raw_sql import checked, refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel() -> Channel:
    return given.channel()


@pytest.fixture
def merchant() -> Merchant:
    return MerchantFactory.create()


def again(row: Registration, **changes: object) -> None:
    """Insert a registration like this one, as new, with its first step, past all of Python."""
    values: dict[str, Any] = {
        field.column: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if not field.primary_key
    }
    values |= {
        "state": "REQUESTED", "sequence": 1, "reference": "", "submitted_at": None, "answer": "",
        "answered_at": None, "channel_merchant_no": "", "moved_at": row.requested_at,
        "attempt_no": row.attempt_no + 1,
    }  # fmt: skip
    values |= changes
    columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    checked(
        f"WITH made AS (INSERT INTO channels_registration ({columns}) VALUES ({marks})"
        " RETURNING id, merchant_id, state, sequence)"
        " INSERT INTO channels_registration_transition (merchant_id, registration_id, sequence,"
        " from_state, to_state, text, user_id, at, actor, request_id)"
        " SELECT merchant_id, id, sequence, '', state, '', %s, %s, 'x', 'x' FROM made",
        *values.values(),
        row.requested_by_id,
        row.requested_at,
    )


def move(row: Registration, to: str, more: str = "", **wrong: object) -> None:
    """Take a step by SQL alone, with its line in the history as the key asks."""
    step: dict[str, object] = {
        "from_state": row.state, "sequence": row.sequence + 1, "text": "",
    } | wrong  # fmt: skip
    checked(
        "WITH step AS (INSERT INTO channels_registration_transition (merchant_id, registration_id,"
        " sequence, from_state, to_state, text, user_id, at, actor, request_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, now(), 'x', 'x'))"
        " UPDATE channels_registration SET state = %s, sequence = %s, moved_at = now()"
        f" {more} WHERE id = %s",
        row.merchant_id, row.pk, step["sequence"], step["from_state"], to, step["text"],
        row.requested_by_id, to, step["sequence"], row.pk,
    )  # fmt: skip


SENT = ", reference = 'WX-1', submitted_at = now()"
SAID = ", answered_at = now(), channel_merchant_no = '1900001'"


class TestAskingFor:
    def test_is_once_only_while_it_is_live(self, merchant, channel):
        row = given.requested(merchant, channel)

        with refused("registration_one_live"):
            again(row)
        with refused("registration_begins"):
            again(row, attempt_no=1)

    def test_anew_is_the_next_attempt_after_a_refusal(self, merchant, channel):
        row = given.refused(merchant, channel)

        with refused("registration_begins"):
            again(row, attempt_no=5)
        again(row)

        assert Registration.objects.filter(merchant=merchant).count() == 2

    def test_begins_at_the_beginning(self, merchant, channel):
        row = given.refused(merchant, channel)

        with refused("registration_begins"):
            again(row, state="SUBMITTED", reference="WX", submitted_at=given.AT)

    @pytest.mark.parametrize("status", ["FROZEN", "CLOSING"])
    def test_is_for_merchants_in_force(self, merchant, channel, status):
        row = given.refused(merchant, channel)
        merchant_state.stand(merchant.pk, status)

        with refused("registration_merchant"):
            again(row)

    def test_is_not_for_the_house(self, merchant, channel):
        row = given.refused(merchant, channel)
        house = Merchant.objects.get(kind="HOUSE")

        with refused("registration_merchant"):
            again(row, merchant_id=house.pk, attempt_no=1)

    def test_is_for_what_the_channel_registers_on_its_terms(self, merchant, channel):
        row = given.refused(merchant, channel)

        with refused("registration_terms"):
            again(row, product_id="card", attempt_no=1)
        with refused("registration_terms"):
            again(row, loss_borne_by="MERCHANT")

    def test_names_no_application_where_there_is_none(self, merchant, channel):
        row = given.refused(merchant, channel)
        words = {"application_id": 1, "application_version": 1, "evidence_sha256": "0" * 64}

        with refused("registration_not_agreed"):
            again(row, **words)

    def test_is_on_the_application_in_force_with_its_evidence(self):
        merchant = paper.approved(products=["qr"])
        row = given.refused(merchant, given.channel("wechat", "qr", "card"))
        none = {"application_id": None, "application_version": 0, "evidence_sha256": ""}

        for wrong in (
            none,
            {"evidence_sha256": "0" * 64},
            {"application_version": 2},
            {"product_id": "card", "attempt_no": 1},
        ):
            with refused("registration_not_agreed"):
                again(row, **wrong)
        again(row)


class TestAStep:
    def test_goes_along_the_table(self, merchant, channel):
        row = given.requested(merchant, channel)

        for to, more in (("APPROVED", SENT + SAID), ("REFUSED", SENT), ("REQUESTED", "")):
            with refused("registration_illegal_step"):
                move(row, to, more)
        move(row, "SUBMITTED", SENT)

    def test_leads_nowhere_from_an_answer(self, merchant, channel):
        for row in (
            given.refused(merchant, channel),
            given.approved(merchant, given.channel("alipay")),
        ):
            for to in ("REQUESTED", "SUBMITTED", "APPROVED", "REFUSED"):
                with refused("registration_illegal_step"):
                    move(row, to)

    def test_has_its_line_in_the_history(self, merchant, channel):
        row = given.requested(merchant, channel)

        with refused("registration_has_history"):
            checked(
                "UPDATE channels_registration SET state = 'SUBMITTED', sequence = 2"
                f" {SENT} WHERE id = %s", row.pk,
            )  # fmt: skip

    def test_continues_the_one_before_and_is_made(self, merchant, channel):
        row = given.requested(merchant, channel)

        with refused("registration_illegal_step"):
            move(row, "SUBMITTED", SENT, from_state="REFUSED")
        with refused("registration_illegal_step"):
            move(row, "SUBMITTED", SENT, sequence=3)
        with refused("registration_illegal_step"):
            checked(
                "INSERT INTO channels_registration_transition (merchant_id, registration_id,"
                " sequence, from_state, to_state, text, user_id, at, actor, request_id)"
                " VALUES (%s, %s, 2, 'REQUESTED', 'SUBMITTED', '', %s, now(), 'x', 'x')",
                row.merchant_id, row.pk, row.requested_by_id,
            )  # fmt: skip

    def test_is_never_left_out_of_the_history(self, merchant, channel):
        """Two steps in one transaction, of which only the last is written down."""
        row = given.requested(merchant, channel)

        with refused("registration_illegal_step"), connection.cursor() as cursor:
            for state, more in (("SUBMITTED", SENT), ("APPROVED", SAID)):
                cursor.execute(
                    f"UPDATE channels_registration SET state = '{state}', moved_at = now(),"
                    f" sequence = sequence + 1 {more} WHERE id = %s", [row.pk],
                )  # fmt: skip
            cursor.execute(
                "INSERT INTO channels_registration_transition (merchant_id, registration_id,"
                " sequence, from_state, to_state, text, user_id, at, actor, request_id)"
                " VALUES (%s, %s, 3, '', 'APPROVED', '', %s, now(), 'x', 'x')",
                [row.merchant_id, row.pk, row.requested_by_id],
            )
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    def test_says_what_the_registration_says(self, merchant, channel):
        row = given.submitted(merchant, channel)

        for to, more, text in (
            ("APPROVED", SAID + ", answer = 'welcome'", ""),
            ("REFUSED", ", answered_at = now(), answer = 'no'", "licence unreadable"),
            ("WITHDRAWN", ", ended_at = now(), end_reason = 'ours'", "theirs"),
            ("SUBMITTED", "", " "),
        ):
            with refused("registration_step_says"):
                move(row, to, more, text=text)

    def test_has_no_text_of_blanks_and_no_number_with_strange_signs(self, merchant, channel):
        asked = given.requested(merchant, given.channel("alipay"))
        row = given.submitted(merchant, channel)

        with refused("registration_text"):
            move(asked, "SUBMITTED", ", reference = ' ', submitted_at = now()")
        for number in ("19 00", "1900001\u200b", "１９００"):
            with refused("registration_text"):
                move(row, "APPROVED", SAID.replace("1900001", number))

    def test_says_what_its_state_asks(self, merchant, channel):
        asked = given.requested(merchant, channel)
        sent = given.submitted(merchant, given.channel("alipay"))

        for row, to, more in (
            (asked, "SUBMITTED", ""),
            (sent, "APPROVED", ", answered_at = now()"),
            (sent, "REFUSED", ", answered_at = now()"),
            (sent, "REFUSED", ", answered_at = now(), answer = 'no', channel_merchant_no = '1'"),
        ):
            with refused("registration_says_what_its_state_asks"):
                move(row, to, more)

    def test_gives_no_merchant_the_number_of_another(self, merchant, channel):
        given.approved(merchant, channel, "1900001")
        other = given.submitted(MerchantFactory.create(), channel)

        with refused("registration_number_taken"):
            move(other, "APPROVED", SAID)


class TestWhatStands:
    @pytest.mark.parametrize(
        "change",
        ["product_id = 'card'", "attempt_no = 2", "loss_borne_by = 'HOUSE'",
         "requested_at = now()", "evidence_sha256 = 'x'", "reference = 'other'"],
    )  # fmt: skip
    def test_never_changes(self, merchant, channel, change):
        row = given.submitted(merchant, channel)

        with refused("registration_fixed"):
            checked(f"UPDATE channels_registration SET {change} WHERE id = %s", row.pk)

    def test_does_not_change_without_a_step(self, merchant, channel):
        row = given.approved(merchant, channel)

        with refused("registration_illegal_step"):
            checked(
                "UPDATE channels_registration SET channel_merchant_no = '2' WHERE id = %s", row.pk
            )

    def test_stays(self, merchant, channel):
        row = given.requested(merchant, channel)

        with refused("permission denied|append-only|never"):
            checked("DELETE FROM channels_registration WHERE id = %s", row.pk)
        for statement in ("DELETE FROM", "UPDATE"):
            more = " SET text = 'x'" if statement == "UPDATE" else ""
            with refused("permission denied|append-only|never"):
                checked(f"{statement} channels_registration_transition{more}")
