import pytest
from django.test import override_settings

from foundation import clock
from merchants.services import payment_password as payment_passwords
from tests.factories import portal
from tests.factories.merchants import MerchantFactory

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
