"""Guards of withdrawals and payouts, and the simulated channel with its status map."""

from __future__ import annotations

from django.db import migrations

from foundation import guards, sql

UNDO_WITHDRAWAL = """
DROP TRIGGER withdrawal_guard ON public.settlement_withdrawal;
DROP FUNCTION public.settlement_withdrawal_guard();
ALTER TABLE public.settlement_withdrawal DROP CONSTRAINT withdrawal_has_history;
ALTER TABLE public.settlement_withdrawal DROP CONSTRAINT withdrawal_content;
"""
UNDO_PAYOUT = """
DROP TRIGGER payout_guard ON public.settlement_payout_attempt;
DROP FUNCTION public.settlement_payout_guard();
DROP TRIGGER payout_case_guard ON public.settlement_payout_case;
DROP FUNCTION public.settlement_payout_case_guard();
DROP TRIGGER bank_line_guard ON public.settlement_bank_line;
DROP FUNCTION public.settlement_bank_line_guard();
ALTER TABLE public.settlement_payout_attempt
  DROP CONSTRAINT attempt_has_history, DROP CONSTRAINT attempt_of_withdrawal;
"""
UNDO_INSTRUCTION = """
DROP TRIGGER standing_instruction_guard ON public.settlement_standing_instruction;
DROP FUNCTION public.settlement_standing_instruction_guard();
"""
UNDO_CHANNEL = """
DELETE FROM public.settlement_payout_status;
DELETE FROM public.settlement_payout_channel;
"""


class Migration(migrations.Migration):
    dependencies = [("settlement", "0002_payout"), ("foundation", "0006_audit")]

    operations = [
        sql.migrate_file("settlement", "withdrawal", UNDO_WITHDRAWAL),
        sql.migrate_file("settlement", "payout", UNDO_PAYOUT),
        sql.migrate_file("settlement", "standing_instruction", UNDO_INSTRUCTION),
        sql.migrate_file("settlement", "payout_channel", UNDO_CHANNEL),
        guards.never_deleted("settlement_withdrawal"),
        guards.never_deleted("settlement_payout_attempt"),
        guards.never_deleted("settlement_payout_case"),
        guards.never_deleted("settlement_payee_block"),
        guards.never_deleted("settlement_bank_line"),
        guards.never_deleted("settlement_standing_instruction"),
        guards.append_only("settlement_withdrawal_transition"),
        guards.append_only("settlement_payout_transition"),
        guards.append_only("settlement_payout_evidence"),
        guards.append_only("settlement_payout_callback"),
        guards.append_only("settlement_payout_statement"),
        guards.append_only("settlement_payout_fee_rule"),
        guards.append_only("settlement_payout_status"),
        guards.track("settlement_payout_channel"),
    ]
