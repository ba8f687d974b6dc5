"""A machine with other keys than the database's is told so before it writes anything."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from foundation import checks
from foundation.models import KeyProof
from foundation.services import key_rotation

pytestmark = pytest.mark.django_db


def _key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def _said() -> list[str | None]:
    here = [error.id for error in checks.check_keys(databases=["default"])]
    assert [error.id for error in checks.check_keys_of_deployment()] == here
    return here


def test_says_nothing_of_the_right_keys() -> None:
    assert _said() == []


@pytest.mark.parametrize("name", ["test", "another"])
def test_names_field_keys_that_cannot_read(settings: Any, name: str) -> None:
    """Also a key of the same name with other bytes."""
    settings.FIELD_KEYS = {name: _key()}

    assert _said() == ["foundation.E004"]


def test_names_a_lookup_key_that_finds_nothing(settings: Any) -> None:
    settings.LOOKUP_KEY = _key()

    assert _said() == ["foundation.E005"]


def test_is_written_again_with_the_newest_key(settings: Any) -> None:
    old = dict(settings.FIELD_KEYS)
    settings.FIELD_KEYS = {"new": _key(), **old}
    assert _said() == []

    key_rotation.rotate()
    settings.FIELD_KEYS = json.loads(json.dumps({"new": settings.FIELD_KEYS["new"]}))

    assert _said() == []


def test_there_is_one() -> None:
    with pytest.raises(IntegrityError, match="key_proof_one"), transaction.atomic():
        KeyProof.objects.create(id=2, encrypted="another", text_hash=b"")
