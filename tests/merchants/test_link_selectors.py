"""Links: the same person, browser or network behind several merchants, weighed (links.md)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.utils import DatabaseError
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from foundation.models import AuditEvent, SignIn, User
from foundation.selectors import sign_in_trace as traces
from foundation.services import sign_in as sign_ins
from merchants.admin.link import masked
from merchants.models import Merchant
from merchants.selectors import link as links
from merchants.selectors.link import Kind, Links, Strength
from tests.factories import application as factory
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MembershipFactory

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 2, 4, tzinfo=UTC)
HOME, OFFICE = "203.0.113.7", "198.51.100.9"


def came(
    user: User,
    browser: str,
    address: str = "",
    *,
    at: datetime = AT - timedelta(days=1),
    door: SignIn.Door = SignIn.Door.PORTAL,
) -> None:
    """Sign somebody in from a browser and an address."""
    arrival = sign_ins.Arrival(door, address, "Chrome/130 Windows", browser)
    sign_ins.open_session(user=user, arrival=arrival, factor="", session_key=browser, at=at)


def owner(**fields: object) -> tuple[User, Merchant]:
    held = MembershipFactory(**fields)
    return held.user, held.merchant


def of(merchant: Merchant) -> Links:
    return links.of_merchant(merchant_id=merchant.pk, at=AT)


def said(found: Links) -> list[tuple[Kind, Strength, list[Merchant]]]:
    return [(one.kind, one.strength, list(one.merchants)) for one in found.found]


def somebody(role: str = "", *rights: str) -> Client:
    user = UserFactory(is_staff=True, language="en")
    user.groups.set(Group.objects.filter(name=role))
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


class TestOfMerchant:
    def test_finds_the_same_browser_and_the_same_network_both_ways(self) -> None:
        (ann, tea), (bob, silk), (eve, rice) = owner(), owner(), owner()
        came(ann, "shared", HOME)
        came(bob, "shared", OFFICE)
        came(eve, "own", "203.0.113.200")

        assert said(of(tea)) == [
            (Kind.DEVICE, Strength.STRONG, [silk]),
            (Kind.NETWORK, Strength.MEDIUM, [rice]),
        ]
        assert said(of(silk)) == [(Kind.DEVICE, Strength.STRONG, [tea])]
        assert said(of(rice)) == [(Kind.NETWORK, Strength.MEDIUM, [tea])]

    def test_finds_the_same_person_once_and_not_by_his_own_browser(self) -> None:
        ann, tea = owner()
        again = UserFactory(person=ann.person)
        silk = MembershipFactory(user=again, active=False).merchant
        came(ann, "shared", HOME)
        came(again, "shared", HOME)
        came(MembershipFactory(merchant=silk).user, "other", HOME)

        found = of(tea)

        assert said(found) == [(Kind.PERSON, Strength.STRONG, [silk])]
        assert found.found[0].name == ann.person.name

    def test_finds_nothing_where_nothing_is_shared_or_it_is_long_ago(self) -> None:
        (ann, tea), (bob, _silk), (eve, _rice) = owner(), owner(), owner()
        came(ann, "a", HOME)
        came(bob, "b", OFFICE)
        came(eve, "a", HOME, at=AT - traces.WINDOW)
        came(eve, "e", "")

        assert of(tea) == Links()

    def test_leaves_out_the_networks_of_our_own_staff_and_says_how_many(self) -> None:
        (ann, tea), (bob, silk) = owner(), owner()
        colleague = UserFactory(is_staff=True)
        came(colleague, "counter", OFFICE, door=SignIn.Door.ADMIN)
        came(ann, "counter", OFFICE)
        came(bob, "counter", OFFICE)

        found = of(tea)

        assert said(found) == [(Kind.DEVICE, Strength.WEAK, [silk])]
        assert (found.ours, found.found[0].staff) == (1, True)

    def test_never_takes_a_sign_in_of_staff_for_one_of_a_merchant(self) -> None:
        ann, tea = owner()
        came(ann, "a", HOME)
        came(UserFactory(is_staff=True), "a", HOME, door=SignIn.Door.ADMIN)

        assert said(of(tea)) == []

    def test_calls_a_network_weak_that_more_than_five_merchants_share(self) -> None:
        ann, tea = owner()
        came(ann, "a", HOME)
        for number in range(links.CROWD):
            came(owner()[0], f"b{number}", HOME)
        medium = of(tea).found[0]
        came(owner()[0], "c", HOME)

        weak = of(tea).found[0]

        assert (medium.strength, medium.many) == (Strength.MEDIUM, 5)
        assert (weak.strength, weak.many) == (Strength.WEAK, 6)

    def test_names_nobody_of_a_crowd(self, monkeypatch) -> None:
        monkeypatch.setattr(traces, "PEOPLE", 3)
        ann, tea = owner()
        came(ann, "a", HOME)
        for number in range(4):
            came(owner()[0], f"b{number}", HOME)

        assert of(tea) == Links(crowds=1)

    def test_keeps_a_browser_strong_however_many_it_serves(self, monkeypatch) -> None:
        monkeypatch.setattr(traces, "PEOPLE", 3)
        ann, tea = owner()
        came(ann, "farm")
        for _number in range(6):
            came(owner()[0], "farm")

        (found,) = of(tea).found

        assert (found.strength, found.more) == (Strength.STRONG, True)

    def test_reads_as_much_whatever_is_found(self) -> None:
        ann, tea = owner()
        came(ann, "farm", HOME)
        counts = []
        for _round in range(2):
            for _number in range(3):
                came(owner()[0], "farm", HOME)
            with CaptureQueriesContext(connection) as seen:
                of(tea)
            counts.append(len(seen))

        assert counts == [8, 8]


class TestOfApplication:
    def test_goes_by_the_account_that_a_contact_has_already(self) -> None:
        application = factory.draft(UserFactory(is_staff=True), papers=())
        contact, tea = owner(user__email="Chen.Li+tea@example.com")
        bob, silk = owner()
        came(contact, "shared")
        came(bob, "shared")

        found = links.of_application(application=application, at=AT)

        assert said(found) == [
            (Kind.PERSON, Strength.STRONG, [tea]),
            (Kind.DEVICE, Strength.STRONG, [silk]),
        ]
        assert of(silk).found[0].applications == [application]

    def test_says_nothing_of_who_entered_it(self) -> None:
        operator = UserFactory(is_staff=True, email="chen.li@example.com")
        application = factory.draft(operator, papers=())
        came(operator, "a", HOME, door=SignIn.Door.ADMIN)
        came(owner()[0], "a", HOME)

        assert links.of_application(application=application, at=AT) == Links()


class TestThePages:
    def test_of_a_merchant_shows_each_link_and_records_the_look(self, settings) -> None:
        (ann, tea), (bob, silk) = owner(), owner()
        came(ann, "shared", HOME, at=datetime.now(UTC))
        came(bob, "shared", HOME, at=datetime.now(UTC))

        text = (
            somebody("risk").get(reverse("admin:merchants_links", args=[tea.pk])).content.decode()
        )

        assert silk.merchant_no in text
        assert ("203.0.*.*" in text, "203.0.113" in text) == (True, False)
        event = AuditEvent.objects.get(action="link.look")
        assert (event.merchant_id, event.object_id) == (tea.pk, str(tea.pk))
        assert event.after == {"device": 1, "network": 1}

    def test_show_the_network_whole_to_who_reads_sign_ins(self) -> None:
        (ann, tea), (bob, _silk) = owner(), owner()
        came(ann, "a", HOME, at=datetime.now(UTC))
        came(bob, "b", HOME, at=datetime.now(UTC))

        page = somebody("auditor").get(reverse("admin:merchants_links", args=[tea.pk]))

        assert "203.0.113.0/24" in page.content.decode()

    def test_of_an_application_shows_it_to_who_may_see_links_alone(self) -> None:
        application = factory.draft(UserFactory(is_staff=True), papers=())
        _contact, tea = owner(user__email="chen.li@example.com")
        address = reverse("admin:merchants_application_change", args=[application.pk])

        clients = [somebody("reviewer"), somebody("", "view_application")]
        pages = [client.get(address) for client in clients]

        assert [tea.merchant_no in page.content.decode() for page in pages] == [True, False]
        assert AuditEvent.objects.filter(action="link.look").count() == 1

    def test_are_closed_to_who_may_not_see_links(self) -> None:
        _ann, tea = owner()
        address = reverse("admin:merchants_links", args=[tea.pk])

        assert somebody("", "view_merchant").get(address).status_code == 403
        assert somebody("risk").get(reverse("admin:merchants_links", args=[0])).status_code == 404

    @pytest.mark.parametrize(
        ("network", "shown"),
        [("203.0.113.0/24", "203.0.*.*"), ("2001:db8:1::/48", "2001:*")],
    )
    def test_mask_networks(self, network: str, shown: str) -> None:
        assert masked(network) == shown


class TestTheKeyOfABrowser:
    def test_is_the_same_for_every_account_and_never_the_cookie(self) -> None:
        (ann, _tea), (bob, _silk) = owner(), owner()
        came(ann, "a-random-cookie-of-32-characters")
        came(bob, "a-random-cookie-of-32-characters")

        rows = list(SignIn.objects.order_by("id"))

        assert bytes(rows[0].device_key) == bytes(rows[1].device_key)
        assert bytes(rows[0].device_hash) != bytes(rows[1].device_hash)
        assert b"cookie" not in bytes(rows[0].device_key)

    def test_stays_as_it_was_found(self) -> None:
        ann, _tea = owner()
        came(ann, "a")

        with pytest.raises(DatabaseError, match="sign_in_fixed"):
            SignIn.objects.update(device_key=None)
