"""Which addresses can be entered, and which networks are never called."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from merchants import checks
from merchants.services import webhook_address as addresses

PUBLIC = "93.184.216.34"
INSIDE = [
    "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.127.255.254", "198.18.0.1", "192.0.2.1", "224.0.0.1", "224.0.1.1",
    "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1",
    "::ffff:93.184.216.34", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1",
    "2002:7f00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fe80::1", "fe80::1%eth0",
    "fec0::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "not an address", "",
]  # fmt: skip


def dns(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Have names lead to these addresses, one list for each time it is asked; keep who asked."""
    asked: list[str] = []
    really = socket.getaddrinfo

    def answer(host: str, port: int, *given: int, **more: int) -> list[Any]:
        if ":" in host or host[0].isdigit():  # the socket asks about the address it is given
            return list(really(host, port, *given, **more))
        found = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


class TestAnAddress:
    @pytest.mark.parametrize(
        ("text", "form"),
        [
            ("https://shop.example.com", "https://shop.example.com/"),
            (" https://Shop.Example.COM:443/a?b=c ", "https://shop.example.com/a?b=c"),
            ("https://shop.example.com:8443/a/%E4%B8%AD", "https://shop.example.com:8443/a/%E4%B8%AD"),
            ("https://茶.example.com/", "https://xn--cl1a.example.com/"),
            ("https://shop.example.com?a=b", "https://shop.example.com/?a=b"),
        ],
    )  # fmt: skip
    def test_has_one_form(self, text: str, form: str) -> None:
        assert str(addresses.parse(text)) == form
        assert str(addresses.parse(form)) == form

    @pytest.mark.parametrize(
        "text",
        [
            "", "shop.example.com", "http://shop.example.com/", "ftp://shop.example.com/",
            "https://localhost/", "https://shop/", "https://127.0.0.1/", "https://2130706433/",
            "https://127.1/", "https://1.2.3.0x7f/", "https://[::1]/", "https://u:p@example.com/",
            "https://example.com@127.0.0.1/", "https://example.com\\@evil.com/",
            "https://example.com:22/", "https://example.com:99999/", "https://example.com/#a",
            "https://example.com/a b", "https://example.com/\r\nX: y", "https://exa_mple.com/",
            "https://-a.example.com/", "https://example..com/", "https://example.com./",
            "https://example.com/" + "a" * 500, "http://127.0.0.1:8000/", "https://example.com/é",
        ],
    )  # fmt: skip
    def test_is_refused_beside_its_field(self, text: str) -> None:
        with pytest.raises(addresses.AddressMalformed) as refusal:
            addresses.parse(text)

        assert refusal.value.details["field"] == "url"

    def test_of_this_machine_is_for_development_alone(self, settings) -> None:
        settings.WEBHOOK_LOCAL = True

        assert str(addresses.parse("http://127.0.0.1:9000/a")) == "http://127.0.0.1:9000/a"
        for text in ("http://127.0.0.1/", "http://127.0.0.2:9000/", "http://localhost:9000/"):
            with pytest.raises(addresses.AddressMalformed):
                addresses.parse(text)
        assert [one.id for one in checks.check_webhooks()] == ["merchants.E007"]
        settings.WEBHOOK_LOCAL = False
        settings.WEBHOOK_REFUSED_NETWORKS = ["2a00:1::/32", "ours"]
        assert [one.id for one in checks.check_webhooks()] == ["merchants.E008"]


class TestAName:
    @pytest.mark.parametrize("inside", INSIDE)
    def test_that_leads_inside_is_refused_though_it_leads_outside_too(
        self, monkeypatch: pytest.MonkeyPatch, inside: str
    ) -> None:
        dns(monkeypatch, [PUBLIC, inside])

        with pytest.raises(addresses.NotPublic):
            addresses.resolve("shop.example.com", 443, within=1)

    def test_leads_to_public_addresses(self, monkeypatch: pytest.MonkeyPatch, settings) -> None:
        dns(monkeypatch, [PUBLIC, "2606:2800:220:1::1", PUBLIC])

        found = addresses.resolve("shop.example.com", 443, within=1)

        assert found == [PUBLIC, "2606:2800:220:1::1"]
        settings.WEBHOOK_REFUSED_NETWORKS = ["2606:2800::/32"]  # our own, or a NAT64 prefix
        with pytest.raises(addresses.NotPublic):
            addresses.resolve("shop.example.com", 443, within=1)

    def test_that_nobody_knows_leads_nowhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        dns(monkeypatch, [])

        with pytest.raises(addresses.Unresolved):
            addresses.resolve("shop.example.com", 443, within=1)

    def test_whose_server_does_not_answer_is_not_waited_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_b: time.sleep(0.5) or [])

        with pytest.raises(TimeoutError):
            addresses.resolve("shop.example.com", 443, within=0.05)
