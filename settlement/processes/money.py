"""Processes of money: in, cleared, settled, withdrawn, paid out, given back."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from settlement.processes.stage import Process, Stage
from settlement.services import payout_decision, payout_watch, standing_instruction
from settlement.services.withdrawal_review import LASTS as REVIEW_LASTS

PAYMENT = Process(
    "payment",
    _("A payment comes in, and back"),
    (
        Stage(
            "arrive",
            _("Taken in as a fact"),
            _("All or nothing, each bad row named; no fact is refused for what is not set up."),
            ("PAY-1", "IMP-1"),
            doors=("POST api:payments", "manage import_payments"),
            writes=("channels.Intake", "channels.Payment"),
        ),
        Stage(
            "clear",
            _("Priced and cleared"),
            _("Price by the version in force then; book once, and keep the version."),
            ("CLR-1", "FEE-1"),
            doors=("task channels.clear_pending", "manage import_fees"),
            writes=("channels.Pricing", "ledger.JournalEntry", "ledger.Posting", "settlement.Due"),
            then=("settlement.collect",),
        ),
        Stage(
            "refund",
            _("Refund"),
            _("Never more than was paid; what the merchant has not becomes a debt or waits."),
            ("REF-1", "REF-2"),
            doors=("manage import_refunds",),
            writes=("channels.Refund", "channels.RefundBooking", "ledger.JournalEntry"),
            then=(),
        ),
    ),
)

SETTLEMENT = Process(
    "settlement",
    _("Settlement"),
    (
        Stage(
            "collect",
            _("What is due is collected and frozen"),
            _("By the merchant's schedule and the calendar; each date can say how it came about."),
            ("SCH-1", "DUE-1", "SET-1", "SET-5", "CAL-1"),
            doors=("task settlement.settle_due", "manage settle", "manage load_calendar_year"),
            moves=(
                "settlement.Batch: COLLECTING > FROZEN",
                "settlement.Item: COLLECTED > FROZEN",
            ),
            writes=("settlement.Run", "settlement.Batch", "settlement.Item", "settlement.Line",
                    "ledger.Hold"),
            deadline=_("on the due date, after the cut-off"),
        ),
        Stage(
            "release",
            _("Released by hand"),
            _("Only where the schedule leaves it to a person; his own money to his own balance."),
            ("SCH-6",),
            doors=("admin:settlement_release", "manage release_due"),
            writes=("settlement.Due",),
            then=("settlement.collect",),
        ),
        Stage(
            "post",
            _("Booked to the balance"),
            _("Merchant by merchant where a range fails; who is held back is named with reason."),
            ("SET-6", "SET-7", "SET-8"),
            doors=("task settlement.settle_range", "step settlement.run.retry"),
            moves=(
                "settlement.Batch: FROZEN > POSTING",
                "settlement.Batch: POSTING > POSTED",
                "settlement.Batch: POSTED > PAYING, CLOSED",
                "settlement.Batch: PAYING > CLOSED",
                "settlement.Item: FROZEN > POSTED, HELD_BACK, CLOSED",
                "settlement.Item: HELD_BACK > POSTED, CLOSED",
                "settlement.Item: POSTED > PAYING, CLOSED",
                "settlement.Item: PAYING > CLOSED",
            ),
            writes=("ledger.JournalEntry", "ledger.Posting", "settlement.Exposure"),
            then=("withdrawal.ask", "withdrawal.standing"),
        ),
    ),
)  # fmt: skip

WITHDRAWAL = Process(
    "withdrawal",
    _("Withdrawal"),
    (
        Stage(
            "ask",
            _("Asked for, with authority"),
            _("Proofs bound to amount and payee, or a signed request; the money is held at once."),
            ("WD-1", "WD-2", "VER-1", "VER-2"),
            doors=("portal:withdraw", "POST api:withdrawals"),
            moves=("settlement.Withdrawal: CREATED > REVIEW, HELD",),
            writes=("settlement.Withdrawal", "merchants.VerificationToken", "ledger.Hold"),
            then=("review", "payout.send"),
        ),
        Stage(
            "standing",
            _("Standing instruction"),
            _("A fixed payee, agreed by two persons; either may end it."),
            ("SI-1", "SI-2"),
            doors=("step settlement.standinginstruction.end", "manage create_standing_instruction"),
            decides=("settlement.standing_instruction",),
            moves=(
                "settlement.StandingInstruction: PROPOSED > ACTIVE, REFUSED",
                "settlement.StandingInstruction: ACTIVE > ENDED",
            ),
            writes=("settlement.StandingInstruction", "settlement.Withdrawal"),
            within=standing_instruction.LASTS,
            then=("payout.send",),
        ),
        Stage(
            "review",
            _("Review above the tier"),
            _("A checker who is not the maker decides; without a decision it expires."),
            ("WD-4", "AP-6"),
            decides=("settlement.withdrawal",),
            moves=("settlement.Withdrawal: REVIEW > HELD, REJECTED, EXPIRED",),
            writes=("settlement.WithdrawalTransition",),
            within=REVIEW_LASTS,
            then=("payout.send",),
        ),
        Stage(
            "cancel",
            _("Taken back"),
            _("Only what was never sent; the hold ends."),
            ("WD-5",),
            doors=("portal:withdrawal_cancel", "POST api:withdrawal_cancel"),
            moves=(
                "settlement.Withdrawal: REVIEW > CANCELLED",
                "settlement.Withdrawal: HELD > CANCELLED",
            ),
            writes=("settlement.WithdrawalTransition",),
            then=(),
        ),
    ),
)

PAYOUT = Process(
    "payout",
    _("Payout and its result"),
    (
        Stage(
            "send",
            _("Sent once"),
            _("SENDING is written before the first byte leaves; nothing is sent a second time."),
            ("PO-1", "PO-3", "PO-4"),
            doors=("task settlement.pay_withdrawal", "task settlement.withdrawal_changed",
                   "manage payouts work"),
            moves=(
                "settlement.Withdrawal: HELD > PAYING",
                "settlement.PayoutAttempt: READY > SENDING",
            ),
            writes=("settlement.PayoutAttempt", "settlement.PayoutTransition"),
        ),
        Stage(
            "result",
            _("Result, from whatever source"),
            _("A doubt keeps the hold and asks; success books, a listed failure releases."),
            ("PO-5", "PO-6", "PO-7", "PO-10", "PO-11"),
            doors=("payout_callback", "task settlement.query_payout",
                   "task settlement.recover_payout", "task settlement.watch_payouts",
                   "task settlement.alarm_payouts", "manage payouts query",
                   "manage payouts statement"),
            moves=(
                "settlement.PayoutAttempt: SENDING > PROCESSING, UNKNOWN, SUCCEEDED",
                "settlement.PayoutAttempt: PROCESSING > UNKNOWN, SUCCEEDED",
                "settlement.PayoutAttempt: UNKNOWN > SUCCEEDED, FAILED",
                "settlement.PayoutAttempt: SUCCEEDED > RETURNED, DISPUTED",
                "settlement.PayoutAttempt: FAILED > DISPUTED",
                "settlement.Withdrawal: PAYING > PAID, FAILED",
                "settlement.Withdrawal: PAID > RETURNED, DISPUTED",
                "settlement.Withdrawal: FAILED > DISPUTED",
            ),
            writes=("settlement.PayoutCallback", "settlement.BankLine", "ledger.JournalEntry"),
            within=payout_watch.ALARM_AFTER,
            then=("resolve",),
            who=_("a channel, by its signature"),
        ),
        Stage(
            "resolve",
            _("Resolved by two persons"),
            _("With evidence and a reason; moves money only with the entry that both saw."),
            ("PO-8",),
            doors=("step settlement.payoutattempt.paid", "step settlement.payoutattempt.failed",
                   "step settlement.payoutattempt.returned"),
            decides=("settlement.resolve_payout",),
            moves=(
                "settlement.PayoutAttempt: DISPUTED > SUCCEEDED, FAILED, RETURNED",
                "settlement.Withdrawal: DISPUTED > PAID, FAILED, RETURNED",
            ),
            writes=("ledger.JournalEntry", "settlement.PayoutCase"),
            within=payout_decision.LASTS,
        ),
        Stage(
            "case",
            _("Case closed"),
            _("Say what came of it; no money and no state moves."),
            ("PO-9",),
            doors=("step settlement.payoutcase.close", "manage payouts close-case"),
            writes=("settlement.PayoutCase",),
            then=(),
        ),
        Stage(
            "terms",
            _("What a channel's answers mean, and what a payout costs"),
            _("An unknown code stays unknown until two persons agreed on its meaning."),
            ("PO-2", "WD-6"),
            doors=("manage payouts fund", "manage payouts fee"),
            decides=("settlement.payout_status",),
            writes=("settlement.PayoutStatus", "settlement.PayoutFeeRule"),
            then=(),
        ),
    ),
)  # fmt: skip

PROCESSES = (PAYMENT, SETTLEMENT, WITHDRAWAL, PAYOUT)
