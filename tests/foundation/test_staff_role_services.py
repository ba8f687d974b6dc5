"""Roles of the house's own: by two persons, of known rights, never proposing and deciding."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from foundation import clock
from foundation.models import Approval, AuditEvent, StaffRole, User
from foundation.selectors import staff_role as selectors
from foundation.services import approval as approvals
from foundation.services import staff_account as staff_accounts
from foundation.services import staff_role as staff_roles
from tests.foundation.colleagues import approve, one_of, roles_proposed

SEE, DO = "merchants.view_merchant", "foundation.change_job"
DECIDE = "foundation.approve_delegation"
RIGHTS = [DO, SEE]


def role_proposed(maker: User, **other: Any) -> Approval:
    words = {
        "name": "Night shift",
        "purpose": "stops jobs at night",
        "rights": RIGHTS,
        "is_active": True,
        "reason": "new desk",
        **other,
    }
    if "new" not in words:
        words["new"] = not StaffRole.objects.filter(name=words["name"]).exists()
    return staff_roles.propose(**words, maker=maker, at=clock.now())


@pytest.fixture
def night(ann: User, bo: User) -> StaffRole:
    """A role that two persons made."""
    approve(role_proposed(ann), bo)
    return StaffRole.objects.get()


def rights_of(user: User) -> set[str]:
    return User.objects.get(pk=user.pk).get_all_permissions()


def shows(user: User, address: str) -> int:
    client = Client()
    client.force_login(user)
    return client.get(address).status_code


class TestARole:
    def test_gives_exactly_its_rights_to_who_gets_it(
        self, ann: User, bo: User, night: StaffRole
    ) -> None:
        cai = one_of("finance")

        approve(roles_proposed(cai, "Night shift", maker=ann), bo)

        assert rights_of(cai) == set(RIGHTS)
        assert shows(cai, "/admin/merchants/merchant/") == 200
        assert shows(cai, "/admin/foundation/user/") == 403
        assert AuditEvent.objects.get(action="staff_role.change").after["rights"] == RIGHTS

    def test_is_made_by_two_persons(self, ann: User) -> None:
        proposal = role_proposed(ann)
        with pytest.raises(approvals.SelfApprovalForbidden):
            approve(proposal, one_of("checker", person=ann.person))
        with pytest.raises(approvals.CheckerNotAllowed):
            approve(proposal, one_of("operator"))

        assert not StaffRole.objects.exists()

    def test_changes_at_once_for_all_who_have_it(
        self, ann: User, bo: User, night: StaffRole
    ) -> None:
        cai = one_of("Night shift")

        approve(role_proposed(ann, rights=[SEE]), bo)
        assert rights_of(cai) == {SEE}
        approve(role_proposed(ann, rights=[SEE], is_active=False), bo)
        assert rights_of(cai) == set()
        with pytest.raises(staff_accounts.StaffAccountRefused):  # nobody gets it while it is off
            roles_proposed(one_of("finance"), "Night shift", maker=ann)
        approve(role_proposed(ann, rights=[SEE]), bo)
        assert rights_of(cai) == {SEE}

    def test_is_not_the_affair_of_who_has_it(self, ann: User, bo: User, night: StaffRole) -> None:
        ann.groups.add(night.group)
        with pytest.raises(staff_roles.OwnRole):
            role_proposed(one_of("operator", person=ann.person), rights=[SEE])
        ann.groups.remove(night.group)
        bo.groups.add(night.group)
        with pytest.raises(approvals.CheckerGains):
            approve(role_proposed(ann, rights=[SEE]), bo)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", ""),
            ("name", "x" * 51),
            ("name", "night\u200b desk"),
            ("name", "a\0"),
            ("name", "CHECKER"),
            ("purpose", " "),
            ("rights", []),
            ("rights", ["foundation.add_user"]),
            ("rights", ["auth.change_group"]),
            ("rights", [DECIDE, DO]),
        ],
    )
    def test_is_refused_beside_the_field(self, ann: User, field: str, value: Any) -> None:
        with pytest.raises(staff_roles.StaffRoleRefused) as refusal:
            role_proposed(ann, **{field: value, "new": True})

        assert refusal.value.details["field"] == field

    def test_decides_when_it_does_nothing_else(self, ann: User, bo: User) -> None:
        approve(role_proposed(ann, rights=[DECIDE, SEE]), bo)

        assert one_of("Night shift").has_perm(DECIDE)

    def test_is_proposed_once_at_a_time_and_not_as_it_is(self, ann: User, night: StaffRole) -> None:
        with pytest.raises(staff_roles.StaffRoleRefused):
            role_proposed(ann)
        role_proposed(ann, rights=[SEE])
        with pytest.raises(approvals.AlreadyProposed):
            role_proposed(ann, rights=[DO])

    def test_is_not_taken_from_the_last_who_can_decide(self, ann: User, bo: User) -> None:
        deciding = ["foundation.approve_staffaccount", "foundation.approve_staffrole"]
        approve(role_proposed(ann, name="Deciders", rights=deciding), bo)
        dora = one_of("Deciders")
        approve(roles_proposed(bo, "auditor", maker=ann), dora)
        other = one_of("checker")
        proposal = role_proposed(ann, name="Deciders", rights=deciding, is_active=False)
        User.objects.filter(pk=other.pk).update(password="!")  # decides, but cannot sign in again

        with pytest.raises(staff_accounts.LastDecider):
            approve(proposal, other)

    def test_is_left_alone_by_the_command(self, night: StaffRole) -> None:
        call_command("roles", "--json", stdout=StringIO())

        assert night.group.permissions.count() == len(RIGHTS)

    def test_can_name_every_right_of_the_table_and_no_other(self, db: None) -> None:
        known = set(selectors.known_rights())

        assert known >= one_of("operator").get_all_permissions()
        assert known >= one_of("auditor").get_all_permissions()
        assert "foundation.delete_user" not in known


class TestRawSql:
    """The application's role, whoever speaks through it."""

    def refused(self, constraint: str, act: Any) -> None:
        with pytest.raises(DatabaseError, match=constraint), transaction.atomic():
            act()

    def test_makes_and_changes_no_role(self, night: StaffRole) -> None:
        rows = StaffRole.objects.filter(pk=night.pk)
        made = {
            "name": "King",
            "purpose": "all",
            "rights": [DECIDE],
            "is_active": True,
            "approval_id": night.approval_id,
            "group": Group.objects.create(name="King"),
        }

        self.refused("staff_role_not_approved", lambda: StaffRole.objects.create(**made))
        self.refused("staff_role_not_approved", lambda: rows.update(rights=[*RIGHTS, DECIDE]))
        self.refused("staff_role_not_approved", lambda: rows.update(is_active=False))
        self.refused(
            "staff_role_not_approved", lambda: rows.update(approval_id=night.approval_id + 1)
        )
        self.refused("staff_role_moved", lambda: rows.update(name="King"))
        self.refused("staff_role_moved", lambda: rows.update(group=made["group"]))
        self.refused("staff_role_stays", lambda: rows.delete())

    def test_plays_no_older_approval_again(self, ann: User, bo: User, night: StaffRole) -> None:
        first = night.approval_id
        approve(role_proposed(ann, rights=[SEE]), bo)
        rows = StaffRole.objects.filter(pk=night.pk)

        self.refused(
            "staff_role_not_approved", lambda: rows.update(rights=RIGHTS, approval_id=first)
        )

    def test_gives_its_group_no_other_right(self, ann: User, bo: User, night: StaffRole) -> None:
        decide = Permission.objects.get(codename="approve_delegation")
        stop = Permission.objects.get(codename="change_job")
        self.refused("staff_role_not_its_right", lambda: night.group.permissions.add(decide))
        through = Group.permissions.through.objects.filter(group=night.group)
        self.refused("staff_role_not_its_right", lambda: through.update(permission=decide))

        approve(role_proposed(ann, is_active=False), bo)

        self.refused("staff_role_not_its_right", lambda: night.group.permissions.add(stop))


class TestTheScreens:
    NEW = {
        "name": "Night shift",
        "purpose": "stops jobs",
        "rights": RIGHTS,
        "is_active": "on",
        "reason": "new desk",
    }

    def client(self, user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    def test_propose_a_role_by_ticking(self, ann: User, bo: User) -> None:
        client, address = self.client(ann), reverse("admin:foundation_role_new")
        page = client.get(address).content.decode()
        assert "see: merchants" in page
        assert "decide: Delegation" in page

        said = client.post(address, self.NEW, follow=True).content.decode()
        assert "another person decides in the approvals" in said
        approve(Approval.objects.get(), bo)

        role = StaffRole.objects.get()
        shown = client.get(reverse("admin:foundation_staffrole_change", args=[role.pk]))
        change = reverse("admin:foundation_role_change", args=[role.pk])
        assert change in shown.content.decode()
        form = client.get(change).context["form"]
        assert form["rights"].value() == RIGHTS
        off = {key: value for key, value in self.NEW.items() if key not in ("name", "is_active")}
        client.post(change, off)
        assert Approval.objects.latest("id").after["is_active"] is False

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", ""),
            ("name", "auditor"),
            ("purpose", ""),
            ("rights", []),
            ("rights", ["x.y"]),
            ("rights", [DECIDE, DO]),
            ("reason", ""),
        ],
    )
    def test_say_a_mistake_beside_its_field(self, ann: User, field: str, value: Any) -> None:
        address = reverse("admin:foundation_role_new")

        answer = self.client(ann).post(address, {**self.NEW, field: value})

        assert answer.status_code == 400
        assert list(answer.context["form"].errors) == [field]

    def test_show_it_among_the_roles(self, ann: User, night: StaffRole) -> None:
        cai = one_of("Night shift", username="cai")
        client = self.client(ann)

        page = client.get(reverse("admin:foundation_matrix"))
        place = page.context["roles"].index(night)
        ticked = {
            one.permission
            for _room, rows in page.context["groups"]
            for one, row in rows
            if row[place] and one.permission
        }
        assert ticked == set(RIGHTS)
        assert "Night shift" in page.content.decode()
        rows = client.get("/admin/foundation/user/?role=Night+shift").context["cl"].result_list
        assert list(rows) == [cai]
        roles = reverse("admin:foundation_staff_roles", args=[one_of("finance").pk])
        assert "Night shift: stops jobs at night" in client.get(roles).content.decode()
