"""Colleagues: brought in, given roles and switched on by two persons; switched off by one."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.db import connection
from django.test import Client

from config.errors import DomainError
from foundation.models import Approval, AuditEvent, SignIn, User
from foundation.services import approval as approvals
from foundation.services import outbox
from foundation.services import staff_account as staff_accounts
from tests.factories import portal
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory
from tests.foundation.colleagues import (
    approve,
    colleague_proposed,
    off,
    on_proposed,
    one_of,
    roles_proposed,
)
from tests.foundation.signing_in import password, signed_in


class TestANewColleague:
    def test_comes_by_two_persons_without_a_password(self, ann: User, bo: User) -> None:
        proposal = colleague_proposed(ann)
        assert not User.objects.filter(username="dan.li").exists()

        approve(proposal, bo)

        dan = User.objects.get(username="dan.li")
        assert (dan.is_staff, dan.is_superuser, dan.is_active) == (True, False, True)
        assert (dan.person.name, dan.language, dan.has_usable_password()) == ("Dan Li", "en", False)
        assert set(dan.groups.values_list("name", flat=True)) == {"operator", "finance"}
        outbox.drain(inline=True)
        assert [letter.to for letter in mail.outbox] == [["dan@example.com"]]
        assert AuditEvent.objects.get(action="account.create").object_id == str(dan.pk)

    def test_is_not_decided_on_by_its_maker_under_any_account(self, ann: User) -> None:
        proposal = colleague_proposed(ann)
        with pytest.raises(approvals.SelfApprovalForbidden):
            approve(proposal, one_of("checker", person=ann.person))
        with pytest.raises(approvals.CheckerNotAllowed):
            approve(proposal, one_of("operator"))

        assert not User.objects.filter(username="dan.li").exists()

    def test_is_not_the_maker_nor_the_checker_himself(self, ann: User, bo: User) -> None:
        """Somebody acts for a merchant, and his address there is the one that is proposed."""
        shop = MerchantFactory.create()
        portal.member(shop, person=ann.person, email="ann@shop.example")
        portal.member(shop, person=bo.person, email="bo@shop.example")

        with pytest.raises(staff_accounts.OwnAccount):
            colleague_proposed(ann, email="Ann@shop.example")
        with pytest.raises(staff_accounts.OwnAccount):
            colleague_proposed(ann, email="ann+dan@shop.example")
        with pytest.raises(approvals.CheckerGains):
            approve(colleague_proposed(ann, email="bo@shop.example"), bo)

    def test_keeps_the_person_whose_address_it_is(self, ann: User, bo: User) -> None:
        known = portal.member(MerchantFactory.create(), email="dan@example.com")
        proposal = colleague_proposed(ann)
        assert proposal.after["same_person_as"] == known.username

        approve(proposal, bo)

        assert User.objects.get(username="dan.li").person == known.person

    def test_is_refused_when_the_address_is_somebodys_meanwhile(self, ann: User, bo: User) -> None:
        proposal = colleague_proposed(ann)
        portal.member(MerchantFactory.create(), email="dan@example.com", person=bo.person)

        with pytest.raises(staff_accounts.AccountChanged):
            approve(proposal, bo)
        assert Approval.objects.get().state == Approval.State.PROPOSED

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("username", "Dan"),
            ("username", "ann"),
            ("username", "d"),
            ("username", "system.papers"),
            ("username", "dan\0"),
            ("name", " "),
            ("name", "x" * 151),
            ("email", "dan"),
            ("email", "bo@example.com"),
            ("email", "BO+dan@Example.com"),
            ("name", "Dan\u202eiL"),
            ("language", "xx"),
            ("role_names", []),
            ("role_names", ["king"]),
        ],
    )
    def test_is_refused_beside_the_field(self, ann: User, field: str, value: Any) -> None:
        one_of("checker", email="Bo@example.com")

        with pytest.raises(staff_accounts.StaffAccountRefused) as refusal:
            colleague_proposed(ann, **{field: value})

        assert refusal.value.details["field"] == field


class TestRoles:
    def test_hold_at_once_in_a_session_that_is_open(self, ann: User, bo: User) -> None:
        cai, browser = one_of("operator"), Client()
        password(browser, cai)
        inbox = "/admin/colleague/"
        assert browser.get(inbox).status_code == 200

        approve(roles_proposed(cai, "auditor", maker=ann), bo)

        assert browser.get(inbox).status_code == 403
        assert browser.get("/admin/foundation/user/").status_code == 200

    def test_leave_groups_of_other_names_alone(self, ann: User, bo: User) -> None:
        cai, own = one_of("operator"), Group.objects.create(name="night shift")
        cai.groups.add(own)

        approve(roles_proposed(cai, "auditor", "finance", maker=ann), bo)

        held = set(cai.groups.values_list("name", flat=True))
        assert held == {"auditor", "finance", "night shift"}

    def test_are_nobodys_own_affair(self, ann: User, bo: User) -> None:
        second = one_of("operator", person=ann.person)
        with pytest.raises(staff_accounts.OwnAccount):
            roles_proposed(second, "auditor", maker=ann)
        with pytest.raises(staff_accounts.OwnAccount):
            roles_proposed(ann, "auditor", maker=ann)
        with pytest.raises(approvals.CheckerGains):
            approve(roles_proposed(one_of("operator", person=bo.person), "auditor", maker=ann), bo)

    def test_are_not_given_to_merchants_people_nor_to_superusers(self, ann: User) -> None:
        for user in (portal.member(MerchantFactory.create()), one_of(is_superuser=True)):
            with pytest.raises(staff_accounts.NotStaff):
                roles_proposed(user, "auditor", maker=ann)

    def test_are_refused_when_they_changed_meanwhile(self, ann: User, bo: User) -> None:
        cai = one_of("operator")
        proposal = roles_proposed(cai, "auditor", maker=ann)
        cai.groups.add(Group.objects.get(name="engineer"))

        with pytest.raises(staff_accounts.AccountChanged):
            approve(proposal, bo)

    def test_stay_with_the_last_who_can_decide(self, ann: User, bo: User) -> None:
        with pytest.raises(staff_accounts.LastDecider):
            roles_proposed(bo, "auditor", maker=ann)
        UserFactory.create(is_staff=True, is_superuser=True)  # has no password, so cannot decide
        with pytest.raises(staff_accounts.LastDecider):
            roles_proposed(bo, "auditor", maker=ann)

        other = one_of("checker")
        approve(roles_proposed(bo, "auditor", maker=ann), other)

        with pytest.raises(staff_accounts.LastDecider):
            roles_proposed(other, "auditor", maker=ann)


class TestOffAndOn:
    def test_off_ends_the_sessions_at_once(self, ann: User) -> None:
        cai, browser = one_of("operator"), Client()
        password(browser, cai)
        assert browser.get("/admin/").status_code == 200

        off(cai, ann)

        assert browser.get("/admin/").status_code == 302
        assert SignIn.objects.get(user=cai).ended == SignIn.Ended.OFF
        password(again := Client(), cai)
        assert not signed_in(again)
        said = AuditEvent.objects.get(action="account.off")
        assert (said.object_id, said.note) == (str(cai.pk), "phone stolen")

    def test_off_is_for_others_of_staff_once(self, ann: User, bo: User) -> None:
        with pytest.raises(staff_accounts.OwnAccount):
            off(one_of("operator", person=ann.person), ann)
        with pytest.raises(staff_accounts.NotStaff):
            off(portal.member(MerchantFactory.create()), ann)
        with pytest.raises(staff_accounts.LastDecider):
            off(bo, ann)
        boss = one_of(is_superuser=True)
        off(boss, ann)
        with pytest.raises(staff_accounts.AccountChanged):
            off(boss, ann)

    def test_on_is_decided_by_two_and_asks_for_a_new_password(self, ann: User, bo: User) -> None:
        cai = one_of("operator", email="cai@example.com")
        off(cai, ann)
        proposal = on_proposed(cai, ann)
        with pytest.raises(approvals.SelfApprovalForbidden):
            approve(proposal, ann)

        approve(proposal, bo)

        cai.refresh_from_db()
        assert (cai.is_active, cai.has_usable_password()) == (True, False)
        outbox.drain(inline=True)
        assert mail.outbox[-1].to == ["cai@example.com"]

    def test_on_is_not_for_who_is_on_has_no_address_or_is_a_superuser(
        self, ann: User, bo: User
    ) -> None:
        boss = one_of(is_superuser=True, is_active=False, email="boss@example.com")
        with pytest.raises(staff_accounts.NotStaff):
            on_proposed(boss, ann)
        for user in (one_of("finance"), one_of("finance", is_active=False)):
            with pytest.raises(staff_accounts.AccountChanged):
                on_proposed(user, ann)

    def test_on_does_not_bring_back_roles_that_were_other_ones(self, ann: User, bo: User) -> None:
        cai = one_of("operator", email="cai@example.com", is_active=False)
        proposal = on_proposed(cai, ann)
        cai.groups.set(Group.objects.filter(name="checker"))

        with pytest.raises(staff_accounts.AccountChanged):
            approve(proposal, bo)

    def test_one_proposal_about_an_account_is_open_at_a_time(self, ann: User) -> None:
        cai = one_of("operator")
        roles_proposed(cai, "auditor", maker=ann)

        with pytest.raises(approvals.AlreadyProposed):
            roles_proposed(cai, "finance", maker=ann)


@pytest.mark.usefixtures("cloned_db")
class TestAtOnce:
    def race(self, *acts: Any) -> list[str]:
        results, start = list[str](), threading.Barrier(len(acts))

        def run(act: Any) -> None:
            start.wait()
            try:
                act()
                results.append("done")
            except DomainError as refusal:
                results.append(refusal.code)
            finally:
                connection.close()

        threads = [threading.Thread(target=run, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(results)

    def test_two_deciders_switched_off_leave_one(self, ann: User, bo: User) -> None:
        cai = one_of("checker")

        assert self.race(lambda: off(bo, ann), lambda: off(cai, ann)) == ["done", "last_decider"]
        assert User.objects.filter(pk__in=[bo.pk, cai.pk], is_active=True).count() == 1

    def test_two_approvals_of_one_address_make_one_account(self, ann: User, bo: User) -> None:
        first, second = colleague_proposed(ann), colleague_proposed(ann, username="dan.other")

        done = self.race(lambda: approve(first, bo), lambda: approve(second, bo))

        assert done[0] == "done"
        assert done[1] in {"staff_account_refused", "staff_account_changed"}
        assert User.objects.filter(email="dan@example.com").count() == 1

    def test_one_proposal_is_applied_once(self, ann: User, bo: User) -> None:
        proposal, cai = colleague_proposed(ann), one_of("checker")

        done = self.race(lambda: approve(proposal, bo), lambda: approve(proposal, cai))

        assert done == ["approval_closed", "done"]
        assert User.objects.filter(username="dan.li").count() == 1
