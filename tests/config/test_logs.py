"""What reaches a log, and what never does."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from django.test import RequestFactory

from config import logs
from foundation import actor


@pytest.fixture
def written() -> io.StringIO:
    """What the logger `tests.lines` wrote."""
    return io.StringIO()


@pytest.fixture
def lines(written: io.StringIO) -> Iterator[logging.Logger]:
    """A logger that writes as in production."""
    formatter = logs.settings(as_json=True, level="INFO")["formatters"]["lines"]
    make = formatter.pop("()")
    handler = logging.StreamHandler(written)
    handler.setFormatter(make(**formatter))
    logger = logging.getLogger("tests.lines")
    logger.addHandler(handler)
    logger.propagate = False
    yield logger
    logger.removeHandler(handler)


class TestALineInProduction:
    def test_carries_the_actor_and_the_request(
        self, lines: logging.Logger, written: io.StringIO
    ) -> None:
        with actor.acting("system:tests", "request-1"):
            lines.warning("账房 %s", "opens", extra={"merchant_id": 7})

        line = json.loads(written.getvalue())
        del line["timestamp"]
        assert line == {
            "event": "账房 opens",
            "level": "warning",
            "logger": "tests.lines",
            "actor": "system:tests",
            "request_id": "request-1",
            "merchant_id": 7,
        }

    def test_hides_every_secret_however_deep(
        self, lines: logging.Logger, written: io.StringIO
    ) -> None:
        deep = {"body": [{"payment_password": "246810", "amount_minor": 5}]}
        lines.error("refused", extra={"Authorization": "Bearer k_live", "request_data": deep})

        text = written.getvalue()
        line = json.loads(text)
        assert "k_live" not in text
        assert "246810" not in text
        assert line["request_data"]["body"][0] == {
            "payment_password": "[hidden]",
            "amount_minor": 5,
        }

    def test_hides_numbers_and_links_that_stand_in_the_text(
        self, lines: logging.Logger, written: io.StringIO
    ) -> None:
        card, spaced, identity = "6222021234567894", "6222 0212-3456 7894", "11010519491231002x"
        link = "/portal/password/" + "a1b2c3d4" * 4 + ".d0abcd-" + "9f" * 16
        asked = RequestFactory().get(f"/admin/?q={card}&api_key=ck1_abc.{'x' * 30}")
        try:
            raise ValueError(f"({card}) exists, {spaced}, {identity}")
        except ValueError:
            lines.exception("Not Found: %s", link, extra={"request": asked, "tried": [card]})
        lines.warning(
            "ck32_rcf7agiday7e.cnsY04fRnhiNSce04rMIDKhK took 2026112200305512 of 1234567890123"
        )

        text = written.getvalue()
        for secret in (card, spaced, identity, "9f9f", "cnsY04", "xxx"):
            assert secret not in text
        failed, told = map(json.loads, text.splitlines())
        assert failed["request"] == "GET /admin/"
        assert failed["event"] == "Not Found: /portal/password/[hidden]"
        assert "([hidden]) exists" in failed["exception"]
        assert told["event"] == "[hidden] took 2026112200305512 of 1234567890123"

    def test_is_one_line_with_its_traceback(
        self, lines: logging.Logger, written: io.StringIO
    ) -> None:
        try:
            raise ValueError("broken")
        except ValueError:
            lines.exception("It failed.")

        (line,) = written.getvalue().splitlines()
        assert "ValueError: broken" in json.loads(line)["exception"]


class TestALineForPeople:
    def test_shows_no_local_variables_of_what_went_wrong(self) -> None:
        formatter = logs.settings(as_json=False, level="INFO")["formatters"]["lines"]
        written, make = io.StringIO(), formatter.pop("()")
        handler = logging.StreamHandler(written)
        handler.setFormatter(make(**formatter))
        logger = logging.Logger("tests.people")
        logger.addHandler(handler)

        def check(password: str) -> None:
            raise ValueError("wrong")

        try:
            check("open" + "sesame")
        except ValueError:
            logger.exception("failed")

        assert "ValueError: wrong" in written.getvalue()
        assert "opensesame" not in written.getvalue()
