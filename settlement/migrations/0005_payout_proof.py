"""Nothing is withdrawn without its authority, and nothing ends without its proof."""

from django.conf import settings
from django.db import migrations, models

from foundation import sql

UNDO_AUTHORITY = """
DROP TRIGGER withdrawal_authority ON public.settlement_withdrawal;
DROP FUNCTION public.settlement_withdrawal_authority();
DROP TRIGGER withdrawal_steps ON public.settlement_withdrawal;
DROP FUNCTION public.settlement_withdrawal_steps();
DROP TRIGGER withdrawal_hold_kept ON public.ledger_hold;
DROP FUNCTION public.settlement_hold_kept();
DROP TRIGGER standing_instruction_review ON public.settlement_standing_instruction;
DROP FUNCTION public.settlement_standing_instruction_review();
DROP FUNCTION public.settlement_require_payable(bigint, bigint, text);
DROP FUNCTION public.settlement_require_merchant(bigint);
"""
UNDO_PROOF = """
DROP TRIGGER payout_leaves ON public.settlement_payout_attempt;
DROP FUNCTION public.settlement_payout_leaves();
DROP TRIGGER payout_begins ON public.settlement_payout_attempt;
DROP FUNCTION public.settlement_payout_begins();
DROP TRIGGER payout_pair ON public.settlement_withdrawal;
DROP TRIGGER payout_pair ON public.settlement_payout_attempt;
DROP FUNCTION public.settlement_payout_pair();
DROP TRIGGER payout_proof ON public.settlement_payout_attempt;
DROP FUNCTION public.settlement_payout_proof();
DROP TRIGGER payout_left ON public.settlement_payout_attempt;
DROP FUNCTION public.settlement_payout_left();
DROP TRIGGER payee_block_guard ON public.settlement_payee_block;
DROP FUNCTION public.settlement_payee_block_guard();
DROP TRIGGER payout_status_guard ON public.settlement_payout_status;
DROP FUNCTION public.settlement_payout_status_guard();
DROP TRIGGER bank_line_fits ON public.settlement_bank_line;
DROP FUNCTION public.settlement_bank_line_fits();
"""

class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0004_one_proof_of_the_book'),
        ('merchants', '0007_names_of_names'),
        ('settlement', '0004_resend_promised'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='payoutevidence',
            name='sequence',
            field=models.PositiveIntegerField(null=True, verbose_name='step of the attempt'),
        ),
        migrations.AddConstraint(
            model_name='withdrawal',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('paid_minor', models.F('amount_minor')), ('status', 'PAID')), models.Q(('paid_minor', 0), ('status', 'RETURNED')), ('status', 'DISPUTED'), models.Q(models.Q(('status__in', ['PAID', 'RETURNED', 'DISPUTED']), _negated=True), ('paid_fee_minor', 0), ('paid_minor', 0)), _connector='OR'), name='withdrawal_paid_when'),
        ),
        migrations.AddConstraint(
            model_name='withdrawal',
            constraint=models.CheckConstraint(condition=models.Q(('paid_fee_minor__lte', models.F('fee_minor'))), name='withdrawal_fee_once'),
        ),
        migrations.AddConstraint(
            model_name='withdrawal',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('status__in', ['CREATED', 'REVIEW', 'HELD', 'PAYING'])), models.Q(('closed_at__isnull', False), ('status__in', ['PAID', 'FAILED', 'REJECTED', 'CANCELLED', 'EXPIRED', 'RETURNED', 'DISPUTED'])), _connector='OR'), name='withdrawal_closed_when'),
        ),
        migrations.AddConstraint(
            model_name='withdrawal',
            constraint=models.UniqueConstraint(condition=models.Q(('authority', 'TOKEN')), fields=('merchant', 'authority_reference'), name='withdrawal_token_once'),
        ),
        sql.migrate_file("settlement", "withdrawal_authority", UNDO_AUTHORITY),
        sql.migrate_file("settlement", "payout_proof", UNDO_PROOF),
    ]
