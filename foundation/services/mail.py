"""E-mail, one message to one person in his language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import translation


def send(*, to: str, language: str, template: str, context: Mapping[str, Any]) -> None:
    """
    Send `templates/emails/<template>.txt`: its first line is the subject, the rest the text.

    A network call: never inside a transaction. Raises what the mail server's connection raises, so
    that the outbox tries again.
    """
    with translation.override(language):
        subject, _line, body = render_to_string(f"emails/{template}.txt", dict(context)).partition(
            "\n"
        )
    EmailMessage(subject.strip(), body.strip() + "\n", None, [to]).send()
