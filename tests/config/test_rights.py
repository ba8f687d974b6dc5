"""Every URL and step of the admin, for every role: allowed exactly where the table says so."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from foundation import roles
from foundation.admin import matrix
from foundation.admin.readonly import ReadOnlyAdmin, Step
from foundation.admin.site import CountinghouseAdminSite
from foundation.models import User
from merchants.models import Merchant
from tests.config.test_write_doors import addresses
from tests.factories.foundation import UserFactory
from tests.factories.merchants import BankAccountFactory, MembershipFactory

pytestmark = pytest.mark.django_db
SCREENS = [screen for screen in admin.site._registry.values() if isinstance(screen, ReadOnlyAdmin)]
NOBODY = "nobody of them"
# Addresses of the framework, open to whoever is signed in: they read, or are one's own password.
FRAMEWORK = {
    "admin:index", "admin:login", "admin:logout", "admin:password_change", "admin:search",
    "admin:password_change_done", "admin:autocomplete", "admin:jsi18n", "admin:view_on_site",
    "admin:app_list",
}  # fmt: skip


def somebody(role: str) -> User:
    user: User = UserFactory(is_staff=True, language="en")
    user.groups.set(Group.objects.filter(name=role))
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def granted(role: str, permission: str) -> bool:
    if role not in roles.ROLES:
        return permission == roles.EVERYBODY
    return roles.grants(roles.ROLES[role], permission)


def name_of(screen: ReadOnlyAdmin, view: str) -> str:
    return f"admin:{screen.opts.app_label}_{screen.opts.model_name}_{view}"


@pytest.fixture
def _rows() -> None:
    MembershipFactory(merchant=BankAccountFactory().merchant)


@pytest.mark.usefixtures("_rows")
@pytest.mark.parametrize("role", [*roles.ROLES, NOBODY])
class TestEveryRole:
    def test_sees_the_tables_of_the_matrix_and_no_other(self, role: str) -> None:
        client = client_of(somebody(role))
        wrong = []
        for screen in SCREENS:
            may = granted(role, f"{screen.opts.app_label}.view_{screen.opts.model_name}")
            answers = {reverse(name_of(screen, "changelist")): (200,) if may else (403,)}
            row = screen.model._default_manager.order_by("pk").first()
            if row is not None:
                for view in ("change", "timeline"):
                    asked = reverse(name_of(screen, view), args=[row.pk])
                    answers[asked] = (200,) if may else (403, 404)
            for address, right in answers.items():
                if client.get(address).status_code not in right:
                    wrong.append(address)
                if client.post(address).status_code not in (403, 404, 405, 302, 200):
                    wrong.append(f"POST {address}")

        assert wrong == []

    def test_takes_the_steps_of_the_matrix_and_no_other(self, role: str) -> None:
        client = client_of(somebody(role))
        wrong = []
        for screen in SCREENS:
            key = "0" if screen.opts.pk.get_internal_type() != "UUIDField" else UUID(int=0)
            for step in screen.steps:
                label = f"{screen.opts.label_lower}.{step.name}"
                may = label in roles.JUDGED or granted(role, step.permission)
                address = reverse(name_of(screen, "step"), args=[key, step.name])
                refused = client.post(address, {"reason": "x"}).status_code == 403
                if refused is may:
                    wrong.append(label)

        assert wrong == []

    def test_opens_the_pages_of_the_matrix_and_no_other(self, role: str) -> None:
        client = client_of(somebody(role))
        house = Merchant.objects.get(kind="HOUSE")
        words = {"payment_id": 0, "uuid": UUID(int=0), "merchant_id": house.pk}
        wrong = []
        for address in addresses():
            name = address.name.removeprefix("admin:")
            if not address.name.startswith("admin:") or name not in roles.PAGES:
                continue
            path = reverse(
                address.name, kwargs={word: words.get(word, 0) for word in address.words}
            )
            for answer in (client.get(path), client.post(path)):
                if (answer.status_code == 403) is granted(role, roles.PAGES[name]):
                    if answer.request["REQUEST_METHOD"] == "GET":
                        wrong.append(name)
                elif answer.status_code >= 500:
                    wrong.append(name)

        assert wrong == []


class TestTheMatrix:
    def test_has_every_address_of_the_admin(self) -> None:
        tables = {name_of(screen, "") for screen in SCREENS}
        unknown = {
            address.name
            for address in addresses()
            if address.name.startswith("admin:")
            and address.name.removeprefix("admin:") not in roles.PAGES
            and address.name not in FRAMEWORK
            and not any(address.name.startswith(table) for table in tables)
        }

        assert unknown == set()

    def test_gives_the_auditor_every_table_and_no_step(self) -> None:
        auditor = roles.ROLES["auditor"]
        for one in matrix.operations():
            kind = one.door.partition(" ")[0]
            if kind == "list":
                assert one.allowed(auditor), one
            elif kind in ("step", "decide"):
                assert not one.allowed(auditor), one

    def test_is_shown_as_it_is_in_both_languages(self) -> None:
        for language, said in (("en", "Rights by role"), ("zh-hans", "角色权限")):
            user = somebody("engineer")
            user.language = language
            user.save()
            page = client_of(user).get(reverse("admin:foundation_matrix"))
            shown = {one.door: row for _group, rows in page.context["groups"] for one, row in rows}

            assert said in page.content.decode()
            at = list(roles.ROLES).index("engineer")
            assert shown["step foundation.job.cancel"][at] is True
            assert shown["step merchants.apikey.revoke"][at] is False
            assert shown["step foundation.approval.approve"][at] is False


class TestDefaultDeny:
    def test_adds_no_page_without_a_right(self) -> None:
        with pytest.raises(roles.RightUnknown, match=r"roles\.PAGES has no secret"):
            CountinghouseAdminSite().add_page("secret/", matrix.page, "secret")

    def test_takes_no_step_without_a_right(self, monkeypatch: pytest.MonkeyPatch) -> None:
        account = BankAccountFactory()
        screen = admin.site._registry[type(account)]
        done: list[str] = []
        bare = Step("bare", "bare", lambda *_: done.append("x") or "done")
        monkeypatch.setattr(type(screen), "steps", (bare,))
        boss = UserFactory(is_staff=True, is_superuser=True)
        address = reverse("admin:merchants_bankaccount_step", args=[account.pk, "bare"])

        assert client_of(boss).post(address).status_code == 403
        assert done == []
