"""Staff and their rights come by approved proposals or from an operator (ROL-13)."""

from __future__ import annotations

from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection, transaction

from foundation import clock, owner, sql
from foundation.models import (
    Approval,
    ApprovalDecision,
    Person,
    StaffRole,
    User,
)
from foundation.models.user import mailbox
from foundation.services import sign_in_password as sign_in_passwords
from merchants.services import account as accounts
from tests.factories import portal
from tests.factories.foundation import UserFactory
from tests.foundation.colleagues import (
    approve,
    colleague_proposed,
    off,
    on_proposed,
    one_of,
    roles_proposed,
)
from tests.foundation.refusals import HAND, refused, said_no
from tests.foundation.test_staff_role_services import DO, SEE, role_proposed

COPY = "COPY foundation_user_groups (user_id, group_id) FROM STDIN"
WAYS = (
    "INSERT INTO foundation_user SELECT (jsonb_populate_record(u, jsonb_build_object("
    "'id', gen_random_uuid(), 'username', 'x'))).* FROM foundation_user u"
    " WHERE username = 'ann'",
    "INSERT INTO foundation_user SELECT * FROM foundation_user WHERE username = 'pat'"
    " ON CONFLICT (id) DO UPDATE SET is_staff = true",
    "MERGE INTO foundation_user u USING (SELECT 'pat' AS name) n ON u.username = n.name"
    " WHEN MATCHED THEN UPDATE SET is_superuser = true",
    "UPDATE foundation_user u SET is_staff = a.is_staff FROM foundation_user a"
    " WHERE u.username = 'pat' AND a.username = 'ann'",
    "UPDATE foundation_user SET is_staff = NULL WHERE username = 'ann'",
    "DELETE FROM foundation_user WHERE username = 'ann'",
    "DELETE FROM foundation_user WHERE username = 'pat'",  # to come back as another person's
    "TRUNCATE foundation_user_groups",
    "SET session_replication_role = replica",
    "SET ROLE countinghouse_owner",
    "SET SESSION AUTHORIZATION countinghouse_owner",
    "ALTER TABLE foundation_user DISABLE TRIGGER staff_account_made",
    f"GRANT {HAND} TO CURRENT_USER",
    "SELECT foundation_staff_by_hand()",
    "CREATE OR REPLACE FUNCTION foundation_by_operator() RETURNS boolean"
    " LANGUAGE sql AS 'SELECT true'",
    "UPDATE auth_group SET name = 'operator2' WHERE name = 'operator'",
    "DELETE FROM auth_group WHERE name = 'risk'",
    "INSERT INTO auth_group (name) VALUES ('king')",
    "INSERT INTO auth_group_permissions (group_id, permission_id) SELECT g.id, p.id"
    " FROM auth_group g, auth_permission p"
    " WHERE g.name = 'operator' AND p.codename = 'approve_withdrawal'",
    "UPDATE auth_group_permissions SET group_id = (SELECT id FROM auth_group"
    " WHERE name = 'risk') WHERE group_id = (SELECT id FROM auth_group WHERE name = 'checker')",
    "DELETE FROM auth_group_permissions",
    "UPDATE auth_permission SET codename = 'approve_x'",
    "UPDATE django_content_type SET app_label = 'x'",
)


@pytest.fixture
def ann(guarded: tuple[User, User]) -> User:
    return guarded[0]


@pytest.fixture
def bo(guarded: tuple[User, User]) -> User:
    return guarded[1]


def on_the_server(*roles: str, **fields: Any) -> User:
    with owner.connected():
        return one_of(*roles, **fields)


def close(proposal: Approval, checker: User) -> None:
    """What `decide` writes, without what the action then does."""
    ApprovalDecision.objects.create(
        merchant_id=proposal.merchant_id,
        approval=proposal,
        checker=checker,
        checker_person_id=checker.person_id,
        maker_person_id=proposal.maker_person_id,
        approves=True,
        content_sha256=proposal.content_sha256,
        decided_at=clock.now(),
        actor="raw",
        request_id="",
    )
    Approval.objects.filter(pk=proposal.pk).update(state="APPROVED", closed_at=clock.now())


def names_of(user: User) -> set[str]:
    return set(user.groups.values_list("name", flat=True))


class TestTheDatabase:
    @pytest.mark.parametrize(
        "address",
        ["Ann@Example.com", " ann+dan@example.com", "a.n+b+c@x.cn", "+tag@x.cn", "ann", "a@b@c.cn"],
    )
    def test_reads_an_address_as_the_service_does(self, guarded: object, address: str) -> None:
        found = sql.rows("SELECT foundation_mailbox(%s) AS one", [address])

        assert found == [{"one": mailbox(address)}]


class TestTwoPersons:
    def test_bring_in_move_and_switch_on_again(self, ann: User, bo: User) -> None:
        approve(colleague_proposed(ann), bo)
        dan = User.objects.get(username="dan.li")
        assert (dan.is_staff, names_of(dan)) == (True, {"finance", "operator"})

        approve(roles_proposed(dan, "auditor", maker=ann), bo)
        assert names_of(dan) == {"auditor"}

        off(dan, by=ann)
        assert not User.objects.get(pk=dan.pk).is_active
        approve(on_proposed(dan, ann), bo)
        assert User.objects.get(pk=dan.pk).is_active

    def test_bring_in_who_has_an_account_at_a_merchant(self, ann: User, bo: User) -> None:
        eve = UserFactory.create(email="eve@example.com")

        approve(colleague_proposed(ann, username="eve.li", email="eve@example.com"), bo)

        assert User.objects.get(username="eve.li").person_id == eve.person_id

    def test_make_give_narrow_and_switch_off_a_role(self, ann: User, bo: User) -> None:
        approve(role_proposed(ann), bo)
        cai = on_the_server("finance")

        approve(roles_proposed(cai, "Night shift", maker=ann), bo)
        assert User.objects.get(pk=cai.pk).get_all_permissions() == {DO, SEE}
        approve(role_proposed(ann, rights=[SEE]), bo)
        assert User.objects.get(pk=cai.pk).get_all_permissions() == {SEE}
        approve(role_proposed(ann, rights=[SEE], is_active=False), bo)
        assert User.objects.get(pk=cai.pk).get_all_permissions() == set()


class TestAnOperator:
    def test_makes_staff_and_roles_as_the_owner_of_the_tables(self, guarded: None) -> None:
        said = StringIO()
        call_command("create_staff", "zoe", "--role", "checker", "--json", stdout=said)
        call_command("roles", "--json", stdout=said)

        zoe = User.objects.get(username="zoe")
        assert names_of(zoe) == {"checker"}
        with connection.cursor() as cursor:  # and what comes after is the product's again
            cursor.execute("SELECT session_user")
            assert cursor.fetchone() == (connection.settings_dict["USER"],)

    def test_is_told_when_the_owner_is_not_there(self, guarded: None) -> None:
        with transaction.atomic(), pytest.raises(accounts.OwnerNeeded):  # as the product's role
            accounts.ensure(username="yan", staff=True, at=clock.now())

        assert not User.objects.filter(username="yan").exists()


class TestTheProduct:
    def test_goes_on_with_passwords_sign_ins_and_merchants_people(self, ann: User) -> None:
        now = clock.now()
        with transaction.atomic():
            sign_in_passwords.give(user=ann, password=portal.PASSWORD + "2", at=now)
        User.objects.filter(pk=ann.pk).update(last_login=now, zone="UTC", language="en")
        pat = UserFactory.create()
        User.objects.filter(pk=pat.pk).update(is_active=False)
        User.objects.filter(pk=pat.pk).update(is_active=True)
        fin = on_the_server("finance")
        fin.groups.clear()  # taking is free

        assert not names_of(fin)
        assert accounts.ensure(username="pat2", staff=False, at=now).created

    def test_makes_nobody_staff_by_raw_sql(self, ann: User) -> None:
        pat, person = UserFactory.create(), Person.objects.create(name="nobody")
        rows = User.objects.filter(pk=pat.pk)
        checker = Group.objects.get(name="checker")
        through = User.groups.through
        some = Permission.objects.get(codename="approve_withdrawal")
        one = UserFactory.build(is_staff=True, person=person)
        gus = on_the_server("checker")
        off(gus, by=ann)

        refused("staff_account_not_approved", lambda: User.objects.bulk_create([one]))
        refused("staff_account_not_approved", lambda: UserFactory.create(is_superuser=True))
        refused("staff_account_fixed", lambda: rows.update(is_staff=True))
        refused("staff_account_fixed", lambda: rows.update(id=person.pk))
        refused("staff_account_not_approved", lambda: rows.update(is_superuser=True))
        refused(
            "staff_account_not_approved",
            lambda: User.objects.filter(pk=ann.pk).update(is_superuser=True),
        )
        refused(
            "staff_account_not_approved",
            lambda: User.objects.filter(pk=gus.pk).update(is_active=True),
        )
        rows = User.objects.filter(pk=gus.pk)
        refused("staff_account_fixed", lambda: rows.update(username="ann2"))
        refused("staff_account_fixed", lambda: rows.update(email="ann2@example.com"))
        refused(
            "staff_account_fixed", lambda: User.objects.filter(pk=gus.pk).update(is_staff=False)
        )
        refused("user_keeps_person", lambda: User.objects.filter(pk=gus.pk).update(person=person))
        refused("staff_role_not_given", lambda: pat.groups.add(checker))
        refused("staff_role_not_given", lambda: ann.groups.add(checker))
        refused("staff_role_not_given", lambda: ann.user_permissions.add(some))
        refused(
            "staff_role_not_given",
            lambda: through.objects.filter(user=ann).update(group=checker),
        )
        refused(
            "staff_role_not_given",
            lambda: through.objects.filter(group=checker).update(user=ann),
        )

    def test_finds_no_other_way_by_raw_sql(self, ann: User) -> None:
        UserFactory.create(username="pat")

        found = {way: said_no(partial(sql.execute, way)) for way in WAYS}
        assert [way for way, told in found.items() if told == "it was not refused"] == []

        row = (ann.pk, Group.objects.get(name="checker").pk)

        def copied() -> None:
            with connection.cursor() as cursor, cursor.copy(COPY) as copy:
                copy.write_row(row)

        refused("staff_role_not_given", copied)


class TestAnApproval:
    """It makes what it says, of whom it says, in its own transaction, once."""

    def test_makes_the_account_it_names_and_no_other(self, ann: User, bo: User) -> None:
        told = {"username": "fay.li", "name": "Fay Li", "email": "fay@example.com"}
        proposal, other = colleague_proposed(ann, **told), Person.objects.create(name="another")
        said = {
            "username": "fay.li",
            "first_name": "Fay Li",
            "email": "fay@example.com",
            "language": "en",
            "is_staff": True,
            "person": other,
        }
        refused("staff_account_not_approved", lambda: UserFactory.create(**said))  # not yet
        for field, value in (
            ("username", "fay.li2"),
            ("first_name", "Fay"),
            ("last_name", "Li"),
            ("email", "fay2@example.com"),
            ("language", "zh-hans"),
            ("is_superuser", True),
            ("person", ann.person),
            ("person", bo.person),
        ):
            with transaction.atomic():
                close(proposal, bo)
                changed = {**said, field: value}
                refused("staff_account_not_approved", partial(UserFactory.create, **changed))
                transaction.set_rollback(True)

        with transaction.atomic():
            close(proposal, bo)
            fay = UserFactory.create(**said)
            refused(
                "staff_account_not_approved",
                lambda: UserFactory.create(**{**said, "username": "fay.li2"}),
            )
            refused(
                "staff_role_not_given", lambda: fay.groups.add(Group.objects.get(name="checker"))
            )
            refused(
                "staff_role_not_given", lambda: ann.groups.add(Group.objects.get(name="finance"))
            )
            fay.groups.add(Group.objects.get(name="finance"))
        refused(  # too late: the approval was used
            "staff_role_not_given", lambda: fay.groups.add(Group.objects.get(name="operator"))
        )

    def test_is_not_played_again(self, ann: User, bo: User) -> None:
        cai = on_the_server("finance", email="cai@example.com")
        off(cai, by=ann)
        approve(on_proposed(cai, ann), bo)
        off(cai, by=ann)

        refused(
            "staff_account_not_approved",
            lambda: User.objects.filter(pk=cai.pk).update(is_active=True),
        )

    def test_of_a_role_makes_that_role(self, ann: User, bo: User) -> None:
        approve(role_proposed(ann, name="Late shift"), bo)
        night = StaffRole.objects.get(name="Late shift")
        see = Permission.objects.get(codename="view_merchant")
        refused("staff_group_not_approved", lambda: night.group.permissions.remove(see))
        proposal = role_proposed(ann, name="Late shift", rights=[SEE])

        def narrow(*, the_group_too: bool) -> None:
            close(proposal, bo)
            night.rights, night.approval_id = [SEE], proposal.pk
            night.save()
            if the_group_too:
                night.group.permissions.set([see])

        refused("staff_role_uneven", lambda: narrow(the_group_too=False))
        with transaction.atomic():
            narrow(the_group_too=True)
        assert list(night.group.permissions.all()) == [see]
        proposal = role_proposed(ann, name="Day shift")
        with transaction.atomic():
            close(proposal, bo)
            refused("staff_group_not_approved", lambda: Group.objects.create(name="Days"))
            day = Group.objects.create(name="Day shift")
            finance = Group.objects.get(name="finance")
            for group in (finance, night.group):
                role = StaffRole(group=group, approval_id=proposal.pk, **proposal.after)
                refused("staff_role_not_approved", role.save)
            refused("staff_group_not_approved", lambda: day.permissions.add(see))
