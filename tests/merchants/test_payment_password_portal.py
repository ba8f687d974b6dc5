import pytest
from django.core import mail
from django.test import override_settings

from foundation import clock
from merchants.models import OneTimeCode
from merchants.services import one_time_code
from merchants.services import payment_password as payment_passwords
from tests.factories import portal
from tests.factories.merchants import MerchantFactory
from tests.factories.verification import digits, other

BACKEND = "django.contrib.auth.backends.ModelBackend"
GIVEN = {"sign_in_password": portal.PASSWORD, "new": "739206", "again": "739206"}


@pytest.fixture
def person(db):
    """An owner without a payment password."""
    return portal.member(MerchantFactory(merchant_no="PP"), language="en")


@pytest.fixture
def send(client, person):
    """Send the form as that owner."""
    merchant = MerchantFactory._meta.model.objects.get(merchant_no="PP")
    client.force_login(person, BACKEND)

    def send(**changes: str):
        return client.post(f"/portal/{merchant.id}/payment-password", {**GIVEN, **changes})

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
    def test_is_set_by_the_sign_in_password(self, send, person):
        answer = send()

        assert answer.status_code == 302
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
        send()

        without = send(new="840317", again="840317")
        wrong = send(new="840317", again="840317", current="111222")
        right = send(new="840317", again="840317", current="739206")

        assert "current" in without.context["form"].errors
        assert "current" in wrong.context["form"].errors
        assert right.status_code == 302
        assert is_right(send, person, "840317")

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
        person.email = "owner@example.com"
        person.save()
        send()
        for _ in range(5):
            send(current="111222", new="840317", again="840317")
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
        assert not OneTimeCode.objects.exists()

    @pytest.mark.parametrize("sealed", ["", "x", "test:AAAA"])
    def test_takes_no_hash_that_we_did_not_seal(self, client, page, sealed):
        assert client.post(page, {"sealed": sealed}).status_code == 302
        assert not OneTimeCode.objects.exists()

    def test_takes_no_hash_that_was_sealed_for_another_person(self, client, page, send):
        first = self.first(client, page)
        thief = portal.member(send.merchant, email="thief@example.com")
        client.force_login(thief, BACKEND)

        answer = client.post(page, {"sealed": first.context["sealed"]})

        assert answer.status_code == 302
