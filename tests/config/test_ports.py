"""A port is taken when it is chosen, so that two starts at once never choose the same."""

from __future__ import annotations

import socket

import pytest

from config.embedded import preconditions
from config.embedded.preconditions import CannotGoOn


class TestListenFrom:
    def test_gives_another_port_each_time(self) -> None:
        with preconditions.listen_from(8400) as first, preconditions.listen_from(8400) as second:
            assert preconditions.port_of(first) < preconditions.port_of(second)

    def test_answers_at_once(self) -> None:
        with preconditions.listen_from(8400) as door:
            client = socket.create_connection(door.getsockname(), timeout=5)

            assert client.getpeername() == door.getsockname()
            client.close()


class TestListen:
    def test_refuses_a_port_that_is_taken(self) -> None:
        with (
            preconditions.listen_from(8400) as door,
            pytest.raises(CannotGoOn, match=r"is taken; choose another one"),
        ):
            preconditions.listen(preconditions.port_of(door))

    @pytest.mark.parametrize("port", [0, -1, 65536])
    def test_refuses_what_is_no_port(self, port: int) -> None:
        with pytest.raises(CannotGoOn, match="is no port"):
            preconditions.listen(port)
