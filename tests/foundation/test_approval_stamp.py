"""What SQL alone writes in a colleague's name is seen, and nothing comes of it (AP-16)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from foundation import clock, sql
from foundation.models import Approval, ApprovalDecision, Delegation, User
from foundation.selectors.house import house_id
from foundation.services import approval as approvals
from foundation.services import approval_proof, approval_stamp
from foundation.services import delegation as delegations
from tests.foundation.colleagues import approve, colleague_proposed, one_of

pytestmark = pytest.mark.django_db

COPY = (
    "INSERT INTO foundation_approval SELECT * FROM jsonb_populate_record(NULL::foundation_approval,"
    " (SELECT to_jsonb(a) || jsonb_build_object('id', 9000000, 'state', 'PROPOSED', 'closed_at',"
    " NULL, 'stamp', {stamp}) FROM foundation_approval a WHERE a.id = %s))"
)


def found() -> list[str]:
    return [finding.found for finding in approval_proof.standing_proposals()]


def written_by_sql(proposal: Approval, checker: User, stamp: str = "") -> ApprovalDecision:
    return ApprovalDecision.objects.create(
        merchant_id=proposal.merchant_id,
        approval=proposal,
        checker=checker,
        checker_person_id=checker.person_id,
        maker_person_id=proposal.maker_person_id,
        approves=True,
        content_sha256=proposal.content_sha256,
        decided_at=clock.now(),
        actor="user",
        request_id="",
        stamp=stamp,
    )


def two_needed(maker: User) -> Approval:
    now = clock.now()
    return approvals.propose(
        action=delegations.ACTION,
        merchant_id=house_id(),
        subject="delegation:x",
        before={},
        after={"delegator": "a", "delegate": "b", "delegate_id": str(maker.pk), "permission": "c"},
        money_effect=None,
        reason="holidays",
        maker=maker,
        at=now,
        expires_at=now + timedelta(days=1),
        checkers_at_least=2,
    )


def test_a_decision_in_a_colleagues_name_counts_for_nothing() -> None:
    proposal = two_needed(one_of("operator"))
    written_by_sql(proposal, one_of("checker"))

    with pytest.raises(approval_stamp.NotOurs):
        approve(proposal, one_of("checker"))
    (words,) = found()
    assert "written by something else" in words


def test_nor_does_the_stamp_of_another_decision() -> None:
    bo, first = one_of("checker"), two_needed(one_of("operator"))
    approve(first, bo)
    real = ApprovalDecision.objects.get()
    assert approval_stamp.is_decision(real)
    assert found() == []

    other = colleague_proposed(one_of("operator"))
    assert not approval_stamp.is_decision(written_by_sql(other, bo, stamp=real.stamp))


def test_a_proposal_in_a_colleagues_name_is_not_decided_on() -> None:
    real = colleague_proposed(one_of("operator"))
    approvals.withdraw(
        approval_id=real.id, merchant_id=real.merchant_id, maker=real.maker, at=clock.now()
    )
    with pytest.raises(IntegrityError, match="approval_stamped_once"), transaction.atomic():
        sql.execute(COPY.format(stamp="stamp"), [real.id])  # played again
    sql.execute(COPY.format(stamp="''"), [real.id])
    made = Approval.objects.latest("id")

    with pytest.raises(approval_stamp.NotOurs):
        approve(made, one_of("checker"))
    assert found() == ["written by something else"]


def test_a_right_lent_by_sql_decides_nothing() -> None:
    bo, cai, dora = one_of("checker"), one_of("checker"), one_of("operator")
    now, right = clock.now(), "foundation.approve_staffaccount"
    lent = delegations.propose(
        delegator=bo, delegate=dora, permission=right, starts_at=now,
        ends_at=now + delegations.LONGEST, reason="holidays", at=now,
    )  # fmt: skip
    written_by_sql(lent, cai)
    Approval.objects.filter(id=lent.id).update(state="APPROVED", closed_at=now)
    Delegation.objects.create(
        delegator=bo, delegator_person_id=bo.person_id, delegate=dora,
        delegate_person_id=dora.person_id, permission=right, starts_at=now,
        ends_at=now + delegations.LONGEST, reason="holidays", approval_id=lent.id, created_at=now,
    )  # fmt: skip

    with pytest.raises(approval_stamp.NotOurs):
        approve(colleague_proposed(one_of("operator")), User.objects.get(pk=dora.pk))
