"""No screen of the admin changes what it shows, and no address with nonsense in it breaks one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.test import Client
from django.urls import reverse

from foundation import clock
from foundation.models import Fact
from merchants.models import BankAccount
from tests.factories import portal
from tests.factories.foundation import UserFactory

SCREENS = sorted(admin.site._registry.values(), key=lambda screen: str(screen.opts))
PAGES = {  # pages that belong to no table, with the parameters they read
    "admin:index": (),
    "admin:find": ("q",),
    "admin:application_people": ("person",),
    "admin:ledger_trial_balance": ("up_to",),
    "admin:settlement_release": ("after",),
}
# Texts that no parameter means: wrong types, too long, other alphabets, SQL, control characters.
NONSENSE = (
    "", "\0", "x" * 3000, "9" * 60, "-1", "0", "1e9", "NaN", "2026-02-30", "0001-01-01", "%", "½",
    "' OR 1=1 --", "[]", "WyJ4Iiw3XQ", "😀",
)  # fmt: skip


@pytest.fixture
def boss(cloned_db: str, tmp_path: Path) -> Client:
    """A superuser, and a shop with a history of payments, refunds and settlements."""
    portal.trade(portal.shop(clock.now()), tmp_path, clock.now())
    client = Client()
    client.force_login(UserFactory(is_staff=True, is_superuser=True, language="en"))
    return client


def name_of(screen: ModelAdmin, view: str) -> str:
    return f"admin:{screen.opts.app_label}_{screen.opts.model_name}_{view}"


def parameters(screen: ModelAdmin) -> Iterator[str]:
    """Every parameter the list reads, and some that it must not."""
    for spec in screen.list_filter:
        yield spec.parameter_name
    yield from ("q", "after", "before", "o", "p", "all", "e", "_facets", "_popup", "_to_field")
    yield from ("id__in", "merchant__name__contains", "password__startswith", "nothing")


class TestFacts:
    def test_cannot_be_added_changed_or_deleted_by_anybody(self, boss: Client) -> None:
        walked = 0
        for screen in SCREENS:
            row = screen.model._default_manager.order_by("pk").first()
            before = screen.model._default_manager.count()
            assert boss.post(reverse(name_of(screen, "add")), {}).status_code == 403
            listed = reverse(name_of(screen, "changelist"))
            picked = {"action": "delete_selected", "_selected_action": str(getattr(row, "pk", 1))}
            boss.post(listed, picked | {"post": "yes", "form-TOTAL_FORMS": "1"})
            if row is not None:
                for view in ("change", "delete"):
                    address = reverse(name_of(screen, view), args=[row.pk])
                    assert boss.post(address, {"post": "yes"}).status_code == 403, address
                again = screen.model._default_manager.get(pk=row.pk)
                for field in screen.opts.concrete_fields:
                    was, is_now = getattr(row, field.attname), getattr(again, field.attname)
                    assert was == is_now, (screen.opts, field)
                walked += issubclass(screen.model, Fact)
            assert screen.model._default_manager.count() == before

        assert walked > 15

    def test_offer_no_forms_but_their_steps(self, boss: Client) -> None:
        for screen in SCREENS:
            row = screen.model._default_manager.order_by("pk").first()
            if row is None:
                continue
            page = boss.get(reverse(name_of(screen, "change"), args=[row.pk])).content.decode()
            for field in screen.opts.concrete_fields:
                assert f'id="id_{field.name}"' not in page, (screen.opts, field.name)
            assert 'name="_save"' not in page


class TestFilters:
    """An address that filters by any column would tell, letter by letter, what no page shows."""

    def test_are_the_declared_ones_alone(self) -> None:
        walked = 0
        for screen in SCREENS:
            declared = {spec.parameter_name for spec in screen.list_filter}
            for field in screen.opts.concrete_fields:
                for lookup in ("", "__startswith", "__gt", "__isnull", "__id", "__in"):
                    name = f"{field.name}{lookup}"
                    assert screen.lookup_allowed(name, "1") == (name in declared), (screen, name)
                    walked += 1

        assert walked > 500

    def test_do_not_tell_a_session_from_a_password(self, boss: Client) -> None:
        for address, query in (
            ("admin:foundation_signin_changelist", "session_hash__startswith"),
            ("admin:foundation_user_changelist", "password__startswith"),
            ("admin:merchants_apikey_changelist", "secret_hash__gt"),
        ):
            assert boss.get(reverse(address), {query: "a"}).status_code == 400


class TestNonsense:
    @pytest.mark.parametrize("part", range(4))  # thousands of pages: so that no test lasts long
    def test_in_the_address_of_a_list_is_answered(self, boss: Client, part: int) -> None:
        for turn, screen in enumerate(SCREENS[part::4]):
            address = reverse(name_of(screen, "changelist"))
            for place, value in enumerate(NONSENSE):
                names = list(parameters(screen))
                alone = {names[place % len(names)]: value}
                whole = dict.fromkeys(names[: len(screen.list_filter) + 3], value)
                query = (alone, whole)[(place + turn) % 2]  # each value both ways, on half of them
                answer = boss.get(address, query, follow=True)
                assert answer.status_code in (200, 400), (address, query)
                assert answer.status_code == 200 or "merchant" not in query

    def test_that_cannot_be_stored_is_refused_beside_a_step(self, boss: Client) -> None:
        row = BankAccount.objects.get()
        address = reverse("admin:merchants_bankaccount_step", args=[row.pk, "disable"])

        said = boss.post(address, {"reason": "a\0b"}, follow=True)

        assert said.status_code == 200
        assert "a character that cannot be stored" in said.content.decode()
        row.refresh_from_db()
        assert row.status == "VERIFIED"

    def test_in_the_address_of_a_row_is_not_found(self, boss: Client) -> None:
        for screen in SCREENS:
            for value in ("0", "x", "-1", "9" * 60, "%00", "\0", "½", "a/b"):
                answer = boss.get(reverse(name_of(screen, "change"), args=[value]))
                assert answer.status_code in (302, 404), (screen.opts, value)
                assert answer.status_code == 404 or answer["Location"] == reverse("admin:index")

    def test_in_the_address_of_a_page_is_answered(self, boss: Client) -> None:
        for page, names in PAGES.items():
            for value in NONSENSE:
                for name in (*names, "nothing"):
                    assert boss.get(reverse(page), {name: value}).status_code == 200, (page, value)

    def test_in_a_step_is_refused(self, boss: Client) -> None:
        for screen in SCREENS:
            row = screen.model._default_manager.order_by("pk").first()
            if row is None:
                continue
            for value in ("x", "-1", "a" * 40):
                address = reverse(name_of(screen, "step"), args=[row.pk, value])
                assert boss.post(address, {}).status_code == 404, address
                assert boss.get(address).status_code == 405
