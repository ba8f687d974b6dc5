"""A real server is sent a gigabyte: it refuses early, says which field, and keeps its memory."""

from __future__ import annotations

import re
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from foundation.models import User
from merchants.models import Application, Document
from merchants.services import application as applications
from tests.factories.application import AT, picture
from tests.factories.foundation import UserFactory
from tests.servers import Served, serving

GIGABYTE = 1024**3
PART = b"\0" * 65536


def high_water(served: Served) -> int:
    """Return the most memory that a worker ever had, in bytes."""
    texts = [Path(f"/proc/{worker}/status").read_text() for worker in served.workers()]
    return max(int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) * 1024 for text in texts)


class Sender:
    """Somebody signed in, who posts the form by hand."""

    def __init__(self, served: Served, user: User, application: Application) -> None:
        client = Client()
        client.force_login(user)
        self.path = reverse("admin:application_form", args=[application.pk])
        self.cookie = f"sessionid={client.cookies['sessionid'].value}"
        self.door = HTTPConnection("127.0.0.1", served.port, timeout=60)
        self.door.request("GET", self.path, headers={"Cookie": self.cookie})
        answer = self.door.getresponse()
        page = answer.read().decode()
        assert answer.status == 200, page[:300]
        self.token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
        cookies = answer.headers.get_all("Set-Cookie") or []
        self.cookie += "; " + "; ".join(cookie.partition(";")[0] for cookie in cookies)

    def head(self, name: str) -> bytes:
        fields = {"csrfmiddlewaretoken": self.token, "revision": "0", "profile-name": "Tea"}
        parts = "".join(
            f'--x\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
            for field, value in fields.items()
        )
        disposition = f'form-data; name="document-LICENCE"; filename="{name}"'
        return f"{parts}--x\r\nContent-Disposition: {disposition}\r\n\r\n".encode()

    def send(self, length: int, file: bytes) -> tuple[int, HTTPResponse | None]:
        """Post that many bytes, the file's first; return how many went out, and the answer."""
        self.door.putrequest("POST", self.path)
        self.door.putheader("Cookie", self.cookie)
        self.door.putheader("Referer", f"http://127.0.0.1{self.path}")
        self.door.putheader("Content-Type", "multipart/form-data; boundary=x")
        self.door.putheader("Content-Length", str(length))
        self.door.endheaders()
        self.door.send(file)
        sent = len(file)
        try:
            while sent < length:
                self.door.send(PART[: length - sent])
                sent += min(len(PART), length - sent)
        except OSError:  # the server has hung up
            return sent, None
        return sent, self.door.getresponse()


@pytest.mark.slow
class TestAGigabyte:
    def test_is_refused_before_it_has_come(self, cloned_db: str, tmp_path: Path) -> None:
        user = UserFactory(is_staff=True, language="en")
        user.groups.set(Group.objects.filter(name="operator"))
        application = applications.begin(maker=user, at=AT)
        with serving(tmp_path) as served:
            small = Sender(served, user, application)
            body = small.head("a.png") + picture() + b"\r\n--x--\r\n"
            _sent, answer = small.send(len(body), body)
            assert answer is not None
            assert answer.status == 302
            before = high_water(served)

            large = Sender(served, user, application)
            sent, _answer = large.send(GIGABYTE, large.head("b.png"))

            assert sent < 64 * 1024**2
            assert high_water(served) - before < 64 * 1024**2
            again = Sender(served, user, application)  # the server goes on
            assert again.token

        assert Document.objects.count() == 1
        application.refresh_from_db()
        assert application.revision == 1
