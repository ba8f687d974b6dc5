"""The roles of staff: the table is what the database holds, and no role decides on its own acts."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from foundation import clock, registries, roles
from foundation.admin.readonly import ReadOnlyAdmin
from foundation.models import Approval, History, User
from foundation.services import approval as approvals
from merchants.models import BankAccount
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory, MembershipFactory
from tests.foundation.test_approval_admin import proposal  # noqa: F401  # a fixture

pytestmark = pytest.mark.django_db
DECIDING = {action.permission for action in registries.approval_actions}
SCREENS = sorted(admin.site._registry.values(), key=lambda screen: str(screen.opts))


def somebody(*names: str) -> User:
    user: User = UserFactory(is_staff=True, language="en")
    user.groups.set(Group.objects.filter(name__in=names))
    assert user.groups.count() == len(names)
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def maker() -> User:
    return somebody("operator")


class TestTheTable:
    def test_is_in_the_database_after_a_migrate(self) -> None:
        for name, role in roles.ROLES.items():
            held = somebody(name).get_all_permissions()
            acts = {one for one in held if not one.partition(".")[2].startswith("view_")}
            assert acts == set(role.may), name

    def test_lets_a_checker_decide_on_every_kind_of_proposal(self) -> None:
        assert "" not in DECIDING
        assert somebody("checker").get_all_permissions() >= DECIDING

    def test_names_every_kind_of_proposal_for_people(self) -> None:
        assert [name for name, one in registries.approval_actions.items() if not one.title] == []

    def test_gives_no_role_both_the_proposing_and_the_deciding(self) -> None:
        for name, role in roles.ROLES.items():
            deciding = set(role.may) & DECIDING
            assert deciding in (set(), set(role.may)), name

    def test_has_somebody_for_every_step_of_the_admin(self) -> None:
        asked = {
            step.permission
            for screen in SCREENS
            for step in getattr(screen, "steps", ())
            if step.permission
        }

        assert asked <= {right for role in roles.ROLES.values() for right in role.may}

    def test_lets_the_auditor_see_everything_and_do_nothing(self) -> None:
        client = client_of(somebody("auditor"))

        assert roles.ROLES["auditor"].may == ()
        for screen in SCREENS:
            name = f"admin:{screen.opts.app_label}_{screen.opts.model_name}"
            assert client.get(reverse(f"{name}_changelist")).status_code == 200, name
        for page in ("index", "find", "ledger_trial_balance", "settlement_release"):
            assert client.get(reverse(f"admin:{page}")).status_code == 200, page
        for page in ("settlement_release",):
            assert client.post(reverse(f"admin:{page}")).status_code == 403, page

    def test_is_written_once_and_put_right_again(self) -> None:
        before = History.objects.count()
        call_command("roles", "--json", stdout=StringIO())
        assert History.objects.count() == before

        group = Group.objects.get(name="auditor")
        group.permissions.set(Permission.objects.filter(codename="approve_withdrawal"))
        said = StringIO()
        call_command("roles", "--json", stdout=said)

        assert json.loads(said.getvalue())["auditor"] == group.permissions.count() > 30
        assert not group.permissions.filter(codename="approve_withdrawal").exists()

    def test_names_no_right_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        wrong = roles.Role(roles.ROLES["auditor"].title, roles.ROLES["auditor"].title, ("nobody",))
        monkeypatch.setattr(roles, "ROLES", {"auditor": wrong})

        with pytest.raises(roles.RightUnknown, match="nobody"):
            roles.sync()


class TestSteps:
    def test_are_refused_to_who_lacks_the_right(self) -> None:
        MembershipFactory(merchant=BankAccountFactory().merchant)
        client = client_of(somebody("auditor"))
        refused = []
        for screen in SCREENS:
            row = screen.model._default_manager.order_by("pk").first()
            if not isinstance(screen, ReadOnlyAdmin) or row is None:
                continue
            for step in screen.steps:
                name = f"admin:{screen.opts.app_label}_{screen.opts.model_name}_step"
                answer = client.post(reverse(name, args=[row.pk, step.name]), {"reason": "x"})
                assert answer.status_code == 403, (name, step.name)
                refused.append(step.name)

        assert {"disable", "propose", "revoke"} <= set(refused)

    def test_of_a_proposal_are_for_a_checker_alone(self, proposal: Approval) -> None:  # noqa: F811
        seen = {"seen_sha256": proposal.content_sha256}
        address = reverse("admin:foundation_approval_step", args=[proposal.pk, "approve"])
        for name in ("auditor", "operator", "finance", "engineer"):
            said = client_of(somebody(name)).post(address, seen, follow=True).content.decode()
            assert "You may not decide on this kind of proposal." in said, name

        client_of(somebody("checker")).post(address, seen)

        assert BankAccount.objects.get().status == BankAccount.Status.VERIFIED

    def test_of_a_proposal_are_not_for_its_maker_whatever_his_roles(
        self,
        proposal: Approval,  # noqa: F811
        maker: User,
    ) -> None:
        maker.groups.add(Group.objects.get(name="checker"))

        with pytest.raises(approvals.SelfApprovalForbidden):
            approvals._require_checker(proposal, User.objects.get(pk=maker.pk), clock.now())


class TestTheOverview:
    def test_counts_only_what_the_reader_may_decide(self, proposal: Approval) -> None:  # noqa: F811
        def waiting(user: User) -> list[str]:
            page = client_of(user).get(reverse("admin:index"))
            return [queue.title for queue in page.context["work"]]

        mine = "Proposals wait for your decision"
        assert mine in waiting(somebody("checker"))
        assert mine not in waiting(somebody("auditor"))
        assert mine not in waiting(proposal.maker)

    def test_lists_what_waits_for_the_reader(self, proposal: Approval) -> None:  # noqa: F811
        address = reverse("admin:foundation_approval_changelist") + "?state=mine"

        for user, found in ((somebody("checker"), 1), (somebody("operator"), 0)):
            rows = client_of(user).get(address).context["cl"].result_list
            assert len(rows) == found

    def test_shows_no_figures_to_who_may_not_see_them(self) -> None:
        nobody = client_of(somebody()).get(reverse("admin:index"))
        auditor = client_of(somebody("auditor")).get(reverse("admin:index"))

        assert nobody.context["panels"] == []
        assert len(auditor.context["panels"]) == 2


class TestCreateStaff:
    def test_gives_a_role(self) -> None:
        said = StringIO()
        call_command("create_staff", "alice", "--role", "checker", "--json", stdout=said)

        assert json.loads(said.getvalue())["roles"] == ["checker"]
        alice = User.objects.get(username="alice")
        assert not alice.is_superuser
        assert alice.has_perm("settlement.approve_withdrawal")

    def test_knows_the_roles(self) -> None:
        with pytest.raises(CommandError, match="invalid choice: 'king'"):
            call_command("create_staff", "alice", "--role", "king")
