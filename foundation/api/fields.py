"""Fields and serializers that take exactly what they say and refuse every name they do not know."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.settings import api_settings

from foundation import money
from foundation.api.parsing import storable
from foundation.api.text import PATTERNS

_WHOLE: Final = api_settings.NON_FIELD_ERRORS_KEY
_INSTANT: Final = re.compile(
    r"(19[7-9][0-9]|20[0-9][0-9])-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]"
    r"(:[0-5][0-9](\.[0-9]{1,6})?)?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])"
)


class StrictInput(serializers.Serializer[Any]):
    """An input that refuses fields it does not know: a misspelt name is never simply ignored."""

    default_error_messages = {"unknown_field": _("This field is not known.")}

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        """Say of null, in the reader's language, that it is no object. Raises ValidationError."""
        if data is None:
            message = self.error_messages["invalid"].format(datatype="null")
            raise serializers.ValidationError({_WHOLE: [message]}, code="invalid")
        return super().validate_empty_values(data)

    def to_internal_value(self, data: Any) -> Any:
        """Return the checked values. Raises ValidationError, unknown fields included."""
        unknown: list[str] = []
        if isinstance(data, Mapping):
            unknown = sorted(name for name in data if name not in self.fields)
        wrong: dict[str, Any] = {}
        found: Any = {}
        try:
            found = super().to_internal_value(data)
        except serializers.ValidationError as error:
            wrong = dict(error.detail) if isinstance(error.detail, Mapping) else {}
        message = self.error_messages["unknown_field"]
        for name in unknown[:100]:
            wrong[name[:100]] = [serializers.ErrorDetail(str(message), code="unknown_field")]
        if wrong:
            raise serializers.ValidationError(wrong)
        return found


class StrictText(serializers.CharField):
    """
    Text that came as text; nothing is trimmed. `shape` names a pattern that the whole must match.
    """

    default_error_messages = {
        "not_text": _("A text is needed."),
        "unstorable": _("The text holds a character that cannot be stored."),
        "malformed": _("The value has the wrong shape."),
    }

    def __init__(self, *, shape: str = "", **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)
        self.shape = shape

    def to_internal_value(self, data: Any) -> str:
        """Return the text. Raises ValidationError."""
        if not isinstance(data, str):
            self.fail("not_text")
        if not storable(data):
            self.fail("unstorable")
        if self.shape and not re.fullmatch(PATTERNS[self.shape], data):
            self.fail("malformed")
        return data


class Currency(StrictText):
    """The code of a currency we know."""

    default_error_messages = {"currency_unknown": _("Not a currency we know (ISO 4217).")}

    def __init__(self, **options: Any) -> None:
        super().__init__(shape="currency", **options)

    def to_internal_value(self, data: Any) -> str:
        """Return the code. Raises ValidationError."""
        text = super().to_internal_value(data)
        if text not in money.CURRENCIES:
            self.fail("currency_unknown")
        return text


class StrictUUID(serializers.UUIDField):
    """A UUID as text of 36 characters."""

    def to_internal_value(self, data: Any) -> uuid.UUID:
        """Return the UUID. Raises ValidationError."""
        if not isinstance(data, str) or not re.fullmatch(PATTERNS["uuid"], data):
            self.fail("invalid", value="")
        return uuid.UUID(data)


class MinorUnits(serializers.IntegerField):
    """
    An amount: a JSON integer of the minor unit, 1 to 10^15. No text, float or boolean.

    Currencies without decimals end lower (`money.most_minor`); the service knows the currency.
    """

    default_error_messages = {"not_an_integer": _("An integer of the minor unit is needed.")}

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=money.MAX_MINOR, **options)

    def to_internal_value(self, data: Any) -> int:
        """Return the amount. Raises ValidationError."""
        if type(data) is not int:
            self.fail("not_an_integer")
        return int(data)


class QueryInteger(serializers.IntegerField):
    """A small number of a query: ASCII digits only."""

    def to_internal_value(self, data: Any) -> int:
        """Return the number. Raises ValidationError."""
        if not isinstance(data, str) or not re.fullmatch("[0-9]{1,9}", data):
            self.fail("invalid")
        return int(data)


class Instant(serializers.DateTimeField):
    """An ISO 8601 time with offset, years 1970 to 2099."""

    default_error_messages = {
        "instant_malformed": _(
            "Not a time: 2026-01-31T23:59:59+08:00 is one, the offset is needed."
        )
    }

    def to_internal_value(self, value: Any) -> datetime:
        """Return the instant. Raises ValidationError."""
        if not isinstance(value, str) or not _INSTANT.fullmatch(value):
            self.fail("instant_malformed")
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            self.fail("instant_malformed")


class Day(serializers.DateField):
    """An ISO 8601 calendar day, years 2000 to 2199."""

    default_error_messages = {"day_malformed": _("Not a day: 2026-01-31 is one.")}

    def to_internal_value(self, value: Any) -> date:
        """Return the day. Raises ValidationError."""
        if not isinstance(value, str) or not re.fullmatch(PATTERNS["day"], value):
            self.fail("day_malformed")
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail("day_malformed")


class NoQuery(StrictInput):
    """No parameter at all."""


class BookQuery(StrictInput):
    """Whose book: a key of the house names the merchant, a merchant's key may leave it out."""

    merchant_no = StrictText(
        required=False, max_length=64, help_text=_("The merchant; needed with a key of the house.")
    )


class PageQuery(BookQuery):
    """One page of a list."""

    limit = QueryInteger(required=False, default=50, min_value=1, max_value=200)
    cursor = StrictText(
        required=False, max_length=600, help_text=_("`next_cursor` of the page before.")
    )


class DatedPageQuery(PageQuery):
    """One page of a list, in a range of days."""

    since = Day(required=False, help_text=_("The first day, included."))
    until = Day(required=False, help_text=_("The last day, included."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse days that end before they begin."""
        since, until = attrs.get("since"), attrs.get("until")
        if since and until and until < since:
            message = serializers.ErrorDetail(
                str(_("The last day lies before the first.")), code="days_reversed"
            )
            raise serializers.ValidationError({"until": [message]})
        return attrs


class NumberedPageQuery(PageQuery):
    """One page of a list that can be asked for an order number."""

    order_no = StrictText(required=False, max_length=64)
