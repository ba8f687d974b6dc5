"""Every table says who wrote it and under which request, or here why it need not."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection, models

from foundation.fields import EncryptedTextField
from foundation.models import Fact
from tests.databases import PACKAGES

# Neither configuration nor people: what they are, and where their trail is instead.
_PERSON = "append-only, with the person who wrote each row"
_STATES = "a fact; each change of state is a row of its own, append-only, or carries its cause"
_LEDGER = "written by the ledger's functions alone; the entry carries actor and request id"
_INTAKE = "a fact of a file or a call, append-only; the intake carries actor and hash"
_LAW = "made by migrations alone: the product has no right to write it"
_MACHINE = "the machine's own bookkeeping: who began it stands in the row"
_RUN = "made by a run, which carries actor and request id; states move along a trigger's table"
WHY_NOT = {
    "auth.Permission": "made by migrate from the code",
    "foundation.Approval": "frozen, with actor and request id; only decisions move its state",
    "foundation.FileExport": "carries actor and request id; each step is an audit event",
    "foundation.ApprovalAttachment": "carries its actor; only its cipher is written anew, by keys",
    "foundation.FileExportPart": "the file of an export, deleted when its time is over",
    "foundation.FileImport": "carries actor and request id; frozen, each step is an audit event",
    "foundation.GuessCount": "counters of wrong sign-in passwords, which each sign-in moves",
    "foundation.History": "the trail itself: append-only, and the product may only read it",
    "foundation.IdempotencyKey": _MACHINE,
    "foundation.Job": _MACHINE,
    "foundation.KeyProof": "made by a migration; written again by `rotate_keys`, a job",
    "foundation.OutboxMessage": _MACHINE,
    "foundation.SecondFactorGuard": "counters of failures, which each sign-in moves",
    "foundation.SignInPassword": "append-only; that it changed is in the account's history",
    "foundation.SignIn": "one row for each sign-in, with person, address and device; never deleted",
    "merchants.AgentStep": "append-only, with actor and request id; of no merchant's book",
    "merchants.ApplicationComment": _PERSON,
    "merchants.ApplicationEvidence": "append-only; its approval carries who decided",
    "merchants.ApplicationVersion": _PERSON,
    "merchants.Document": "never changed nor deleted, with the person who sent it",
    "merchants.DocumentPart": "the bytes of a document, which says who sent it; never changed",
    "merchants.FactorCount": "counters of wrong proofs, which each verification moves",
    "merchants.OneTimeCode": "one row for each code, of a request with its person; only sent once",
    "merchants.Paper": "carries its actor; superseded once, by what a trigger finds approved",
    "merchants.VerificationRequest": _PERSON,
    "merchants.WebhookDelivery": "a fact with its actor; a trigger keeps what it tells for 90 days",
    "merchants.VerificationToken": "one row for each token, with its person; used up once",
    "ledger.Ability": _LAW,
    "ledger.AccountKind": _LAW,
    "ledger.Subject": _LAW,
    "ledger.Account": _LEDGER,
    "ledger.Hold": _LEDGER,
    "ledger.Posting": _LEDGER,
    "ledger.PostingLine": _LEDGER,
    "channels.Chunk": _INTAKE,
    "channels.Intake": "append-only, with its actor and the hash of the file",
    "channels.Payment": _INTAKE,
    "channels.Pricing": _INTAKE,
    "channels.Refund": _INTAKE,
    "channels.RefundBooking": _INTAKE,
    "channels.Unpriced": "a work list, derived from facts and prices",
    "settlement.BankLine": "a line of a day file, which carries its actor and hash",
    "settlement.Batch": _RUN,
    "settlement.Due": "computed once from a fact and a schedule; append-only",
    "settlement.Exposure": _RUN,
    "settlement.Item": _RUN,
    "settlement.Line": _RUN,
    "settlement.PayeeBlock": "follows a disputed payout; lifted by an approval",
    "settlement.PayoutAttempt": _STATES,
    "settlement.PayoutCallback": "what a channel sent, raw, append-only",
    "settlement.PayoutCase": "opened by a doubt about a payout; closed_by names the person",
    "settlement.PayoutStatement": "append-only, with its actor and the hash of the file",
    "settlement.Position": "how far settling has come; derived",
    "settlement.Run": "carries actor and request id",
    "settlement.Withdrawal": _STATES,
}

MODELS = [
    model
    for model in apps.get_models(include_auto_created=True)
    if model._meta.app_label in (*PACKAGES, "auth") and model._meta.managed
]


def triggers() -> dict[str, dict[str, list[str]]]:
    """Return, by table and trigger, the arguments a trigger was made with."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname, encode(tgargs, 'escape') FROM pg_trigger"
            " WHERE NOT tgisinternal AND tgenabled <> 'D'"
        )
        found: dict[str, dict[str, list[str]]] = {}
        for table, name, arguments in cursor.fetchall():
            given = [part for part in arguments.split("\\000") if part]
            found.setdefault(table.strip('"'), {})[name] = given
    return found


def carries_its_actor(model: type[models.Model]) -> bool:
    names = {field.name for field in model._meta.concrete_fields}
    return issubclass(model, Fact) and {"actor", "request_id"} <= names


@pytest.mark.django_db
class TestEveryTable:
    def test_is_tracked_or_carries_its_actor_for_ever_or_says_why_not(self) -> None:
        there = triggers()
        silent = set()
        for model in MODELS:
            own = there.get(model._meta.db_table, {})
            append_only = any("append_only" in name or name == "refuse_change" for name in own)
            if "history" not in own and not (carries_its_actor(model) and append_only):
                silent.add(model._meta.label)

        assert sorted(silent - set(WHY_NOT)) == []  # a new one: track it, or say why not
        assert sorted(set(WHY_NOT) - silent) == []

    def test_that_is_tracked_masks_what_is_secret(self) -> None:
        there = triggers()
        bare = []
        for model in MODELS:
            own = there.get(model._meta.db_table, {})
            if "history" not in own:
                continue
            hidden = {mark.partition(":")[2] for mark in own["history"]}
            bare += [
                f"{model._meta.label}.{field.column}"
                for field in model._meta.concrete_fields
                if isinstance(field, (EncryptedTextField, models.BinaryField))
                or field.column in ("password", "secret", "hash", "token")
                if field.column not in hidden
            ]

        assert bare == []

    def test_that_is_tracked_cannot_be_emptied(self) -> None:
        for table, own in triggers().items():
            if "history" in own:
                assert "refuse_truncate" in own, table
