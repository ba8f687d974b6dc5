"""Who decides holds the right that the action asks for, whoever writes the decision (AP-14)."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction

from foundation import clock, registries, sql
from foundation.models import Approval, ApprovalDecision, ApprovalRight, Delegation, User
from foundation.services import delegation as delegations
from tests.factories import portal
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory
from tests.foundation.colleagues import approve, colleague_proposed, one_of

pytestmark = pytest.mark.django_db


def word(proposal: Approval, checker: User, lent: Delegation | None = None) -> None:
    with transaction.atomic():
        ApprovalDecision.objects.create(
            merchant_id=proposal.merchant_id,
            approval=proposal,
            checker=checker,
            checker_person_id=checker.person_id,
            maker_person_id=proposal.maker_person_id,
            delegation=lent,
            delegator_person_id=None if lent is None else lent.delegator_person_id,
            approves=True,
            content_sha256=proposal.content_sha256,
            decided_at=clock.now(),
            actor="raw",
            request_id="",
        )


def lent_by(bo: User, dora: User) -> Delegation:
    now = clock.now()
    proposal = delegations.propose(
        delegator=bo,
        delegate=dora,
        permission="foundation.approve_staffaccount",
        starts_at=now,
        ends_at=now + delegations.LONGEST,
        reason="holidays",
        at=now,
    )
    approve(proposal, one_of("checker"))
    return Delegation.objects.get()


class TestADecision:
    def test_is_of_somebody_with_the_right(self, ann: User, bo: User) -> None:
        proposal = colleague_proposed(ann)
        gone = one_of("checker", is_active=False)
        nobodies = [UserFactory.create(), portal.member(MerchantFactory.create()), gone]
        for checker in (*nobodies, one_of("operator"), one_of("auditor", "finance")):
            with pytest.raises(DatabaseError, match="approval_no_right"):
                word(proposal, checker)

        word(proposal, bo)

    def test_is_good_with_a_lent_right_while_its_owner_has_it(self, ann: User, bo: User) -> None:
        dora, proposal = one_of("auditor"), colleague_proposed(ann)
        lent = lent_by(bo, dora)
        held = list(bo.groups.all())
        for change in ({"is_active": False}, {"is_active": True}):
            User.objects.filter(pk=dora.pk).update(**change)
            bo.groups.set(held if change["is_active"] is False else [])
            with pytest.raises(DatabaseError, match="approval_no_right"):
                word(proposal, dora, lent)

        bo.groups.set(held)
        word(proposal, dora, lent)


class TestAProposal:
    def test_names_the_right_of_its_action(self, ann: User) -> None:
        proposal = colleague_proposed(ann)
        copied = (
            "INSERT INTO foundation_approval SELECT * FROM jsonb_populate_record("
            "NULL::foundation_approval, (SELECT to_jsonb(a) || jsonb_build_object('id', 9000000,"
            " 'subject', 'staff:x', 'stamp', '', 'permission', %s::text)"
            " FROM foundation_approval a WHERE a.id = %s))"
        )
        for other in ("", "foundation.view_job"):
            with pytest.raises(DatabaseError, match="approval_other_right"), transaction.atomic():
                sql.execute(copied, [other, proposal.pk])

        sql.execute(copied, [proposal.permission, proposal.pk])

    def test_has_its_right_written_down_by_migrate(self) -> None:
        written = dict(ApprovalRight.objects.values_list("action", "permission"))

        assert written == {one.name: one.permission for one in registries.approval_actions}
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            ApprovalRight.objects.update(permission="")
