"""
Sessions in the database whose cookie cannot be read there (SESSION_ENGINE).

What the browser holds is a random key of 165 bits; the row has a hash of it alone, and what it
keeps is signed for this very key. So who reads the tables, or a copy of them, opens no session,
and who can write them cannot put one person's session under another's cookie (SIG-19).
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.sessions.backends import db
from django.contrib.sessions.base_session import AbstractBaseSession
from django.contrib.sessions.models import Session
from django.utils import timezone


def stored(session_key: str) -> str:
    """Return what stands in the database for a cookie: 240 bits of its SHA-256, 40 letters."""
    return base64.urlsafe_b64encode(hashlib.sha256(session_key.encode()).digest()[:30]).decode()


class SessionStore(db.SessionStore):
    """Django's own sessions in the database, under the hash of their keys."""

    @property
    def key_salt(self) -> str:
        """Bind the signature of what is kept to the key of this session."""
        return f"foundation.session_store:{self.session_key}"

    def load(self) -> dict[str, Any]:
        """Return what is kept for this key; {} and no key where there is nothing (any more)."""
        row = Session.objects.filter(
            session_key=stored(self.session_key or ""), expire_date__gt=timezone.now()
        ).first()
        if row is None:
            self._session_key = None
            return {}
        kept: dict[str, Any] = self.decode(row.session_data)
        return kept

    def exists(self, session_key: str) -> bool:
        """Return whether there is a session of this key."""
        found: bool = super().exists(stored(session_key))
        return found

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        """Return the row to write, under the hash."""
        row = super().create_model_instance(data)
        row.session_key = stored(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        """Delete the session of this key, or this one."""
        gone = session_key or self.session_key
        if gone is not None:
            super().delete(stored(gone))

    async def aload(self) -> dict[str, Any]:
        """Load, from asynchronous code."""
        return await sync_to_async(self.load)()

    async def aexists(self, session_key: str) -> bool:
        """Look, from asynchronous code."""
        return await sync_to_async(self.exists)(session_key)

    async def asave(self, must_create: bool = False) -> None:
        """Save, from asynchronous code."""
        await sync_to_async(self.save)(must_create)

    async def adelete(self, session_key: str | None = None) -> None:
        """Delete, from asynchronous code."""
        await sync_to_async(self.delete)(session_key)
