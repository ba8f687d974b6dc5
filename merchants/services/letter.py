"""Letters to people: the sender that goes by e-mail."""

from __future__ import annotations

from django.core.mail import EmailMessage

from foundation.verification import Letter


def by_email(letter: Letter) -> None:
    """Hand a letter to the mail server of EMAIL_URL. Raises what the server refuses with."""
    EmailMessage(subject=letter.subject, body=letter.text, to=[letter.to]).send()
