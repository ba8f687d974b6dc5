import pytest
from django.core import mail
from django.test import override_settings

from foundation import clock
from merchants.models import CustomRole, OneTimeCode
from merchants.services import one_time_code, verification
from merchants.services import payment_password as payment_passwords
from tests.factories import portal
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MembershipFactory, MerchantFactory
from tests.factories.verification import code, digits, other, prove

BACKEND = "django.contrib.auth.backends.ModelBackend"
GIVEN = {"sign_in_password": portal.PASSWORD, "new": "739206", "again": "739206"}


@pytest.fixture
def person(db):
    """An owner without a payment password."""
    merchant = MerchantFactory(merchant_no="PP")
    return portal.member(merchant, language="en", email="owner@example.com")


@pytest.fixture
def send(client, person):
    """Send the form as that owner; `proving`, and go on with the proofs it asks for."""
    merchant = MerchantFactory._meta.model.objects.get(merchant_no="PP")
    client.force_login(person, BACKEND)

    def send(proving: str = "", **changes: str):
        given = {**GIVEN, **changes}
        address = f"/portal/{merchant.id}/payment-password"
        return prove(client, address, given, proving) if proving else client.post(address, given)

    send.merchant = merchant
    return send


def is_right(send, person, password: str) -> bool:
    try:
        payment_passwords.check(
            merchant_id=send.merchant.id, user=person, payment_password=password, at=clock.now()
        )
    except (payment_passwords.PaymentPasswordWrong, payment_passwords.PaymentPasswordNotSet):
        return False
    return True


class TestPaymentPassword:
    def test_is_set_by_the_sign_in_password_and_a_code(self, send, person):
        asked = send()
        assert [one.name for one in asked.context["step"].status.now] == ["one_time_code"]
        assert not is_right(send, person, "739206")

        assert send("none yet").status_code == 302
        assert is_right(send, person, "739206")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"sign_in_password": "not it"}, "sign_in_password"),
            ({"again": "739207"}, "again"),
            ({"new": "123456", "again": "123456"}, "new"),
            ({"new": "abcdef", "again": "abcdef"}, "new"),
            ({"new": "", "again": ""}, "new"),
        ],
    )
    def test_is_not_set_when_something_is_wrong(self, send, person, change, field):
        answer = send(**change)

        assert answer.status_code == 200
        assert field in answer.context["form"].errors
        assert not is_right(send, person, "739206")

    def test_is_changed_only_by_the_old_one_on_top(self, send, person):
        send("none yet")

        asked = send(new="840317", again="840317")
        wrong = send("111222", new="840317", again="840317")
        assert [one.name for one in asked.context["step"].status.now] == ["payment_password"]
        assert "wrong" in str(wrong.context["step"].problems)
        assert not is_right(send, person, "840317")
        right = send("739206", new="840317", again="840317")

        assert right.status_code == 302
        assert is_right(send, person, "840317")

    def test_is_not_changed_by_the_proofs_of_setting_one(self, send, person):
        request, at = send().context["step"].request, clock.now()
        token = verification.prove(
            request=request, given={"one_time_code": code(request, at)}, at=at
        )
        payment_passwords.set_password(
            merchant_id=send.merchant.id, user=person, payment_password="739206", at=at
        )

        with pytest.raises(payment_passwords.PaymentPasswordKnown):
            payment_passwords.replace(
                merchant_id=send.merchant.id, user=person, operation=payment_passwords.SET,
                hashed=payment_passwords.hashed("840317"), token=token, at=at,
            )  # fmt: skip
        assert is_right(send, person, "739206")

    def test_may_be_set_by_who_manages_and_does_not_withdraw(self, send, client):
        role = CustomRole.objects.create(
            merchant=send.merchant, name="clerk", abilities=["manage"], created_at=clock.now()
        )
        clerk = UserFactory(email="clerk@example.com")
        clerk.set_password(portal.PASSWORD)
        clerk.save()
        MembershipFactory(merchant=send.merchant, user=clerk, role="CUSTOM", custom_role=role)
        client.force_login(clerk, BACKEND)

        assert send("none yet").status_code == 302
        assert is_right(send, clerk, "739206")

    @override_settings(AXES_ENABLED=True)
    def test_locks_out_who_guesses_the_sign_in_password(self, send, person):
        answers = [send(sign_in_password="not it").status_code for _ in range(5)]

        assert answers[-1] == 429
        assert send().status_code == 429
        assert not is_right(send, person, "739206")


class TestForgotten:
    @pytest.fixture
    def page(self, send, person, client):
        """The page of that owner, whose payment password is locked."""
        send("none yet")
        for _ in range(5):
            send("111222", new="840317", again="840317")
        return f"/portal/{send.merchant.id}/payment-password/forgotten"

    def first(self, client, page, **changes: str):
        """Give the new password."""
        return client.post(page, {**GIVEN, "new": "840317", "again": "840317", **changes})

    def back(self, answer) -> dict[str, str]:
        """Return what the page sends back unseen."""
        request = answer.context["step"].request
        return {"sealed": answer.context["sealed"], "verification": request.number}

    def code(self) -> str:
        found = OneTimeCode.objects.order_by("id").last()
        one_time_code.send(merchant_id=found.merchant_id, code_id=found.id, at=clock.now())
        return digits(mail.outbox[-1].body)

    def test_is_reset_by_sign_in_password_and_code(self, client, page, send, person):
        first = self.first(client, page)
        assert b"840317" not in first.content

        second = client.post(page, {**self.back(first), "one_time_code": self.code()})

        assert second.status_code == 302
        assert is_right(send, person, "840317")

    def test_is_not_reset_by_a_wrong_code(self, client, page, send, person):
        first = self.first(client, page)

        second = client.post(page, {**self.back(first), "one_time_code": other(self.code())})

        assert second.context["step"].problems
        with pytest.raises(payment_passwords.PaymentPasswordLocked):
            is_right(send, person, "840317")

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"sign_in_password": "not it"}, "sign_in_password"),
            ({"again": "739207"}, "again"),
            ({"new": "123456", "again": "123456"}, "new"),
        ],
    )
    def test_sends_no_code_when_something_is_wrong(self, client, page, change, field):
        answer = self.first(client, page, **change)

        assert field in answer.context["form"].errors
        assert not OneTimeCode.objects.filter(request__operation=payment_passwords.RESET).exists()

    @pytest.mark.parametrize("sealed", ["", "x", "test:AAAA"])
    def test_takes_no_hash_that_we_did_not_seal(self, client, page, sealed):
        assert client.post(page, {"sealed": sealed}).status_code == 302
        assert not OneTimeCode.objects.filter(request__operation=payment_passwords.RESET).exists()

    def test_takes_no_hash_that_was_sealed_for_another_person(self, client, page, send):
        first = self.first(client, page)
        thief = portal.member(send.merchant, email="thief@example.com")
        client.force_login(thief, BACKEND)

        answer = client.post(page, {"sealed": first.context["sealed"]})

        assert answer.status_code == 302
