import pytest
from django.http import HttpResponse
from django.utils import translation

from foundation import actor
from foundation.middleware import RequestMiddleware
from tests.factories.foundation import UserFactory

pytestmark = pytest.mark.django_db


class TestRequestMiddleware:
    def run(self, rf, user=None, **headers):
        from django.contrib.auth.models import AnonymousUser

        request = rf.get("/", headers=headers, REMOTE_ADDR="192.0.2.7")
        request.user = user or AnonymousUser()
        seen = {}

        def view(_request):
            seen.update(actor=actor.current(), language=translation.get_language())
            return HttpResponse()

        with translation.override("zh-hans"):
            response = RequestMiddleware(view)(request)
        return seen, response

    def test_acts_as_the_user_in_his_language(self, rf):
        user = UserFactory(language="en")

        seen, response = self.run(rf, user)

        assert seen["actor"].name == f"user:{user.pk}"
        assert seen["actor"].origin == "192.0.2.7"
        assert seen["language"] == "en"
        assert response["Content-Language"] == "en"
        assert actor.current().name == "system:unknown"

    def test_a_program_is_anonymous_until_its_key_is_proved(self, rf):
        seen, response = self.run(rf)

        assert (seen["actor"].name, seen["language"]) == ("anonymous", "zh-hans")
        assert response["X-Request-ID"] == seen["actor"].request_id

    def test_passes_a_request_id_on(self, rf):
        seen, response = self.run(rf, **{"X-Request-ID": "gateway-0001"})

        assert seen["actor"].request_id == response["X-Request-ID"] == "gateway-0001"

    @pytest.mark.parametrize("bad", ["short", "x" * 65, "line\r\nbreak", "<script>xxxx"])
    def test_makes_its_own_instead_of_a_bad_one(self, rf, bad):
        seen, response = self.run(rf, **{"X-Request-ID": bad})

        assert response["X-Request-ID"] == seen["actor"].request_id != bad
        assert len(response["X-Request-ID"]) == 32

    def test_stands_in_every_real_request(self, client):
        response = client.get("/admin/login/")

        assert len(response["X-Request-ID"]) == 32
