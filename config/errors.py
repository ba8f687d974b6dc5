"""The base of every refusal the product makes on purpose."""

from __future__ import annotations


class DomainError(Exception):
    """
    A rule said no. Nothing was stored.

    `code` is public and never renamed; `http_status` is what the API answers; the message is for
    people, already in their language, and names the thing, the values and the reason. A bug is
    never a `DomainError`.
    """

    code = "refused"
    http_status = 409

    def __init__(self, message: str, **details: object) -> None:
        self.details: dict[str, object] = details
        super().__init__(message)


class NotFound(DomainError):
    """There is no such thing, or it is another merchant's: the two look the same from outside."""

    code = "not_found"
    http_status = 404


class Malformed(DomainError):
    """A value has the wrong shape."""

    code = "malformed"
    http_status = 400


class Forbidden(DomainError):
    """The caller may not do this."""

    code = "forbidden"
    http_status = 403
