"""What is agreed with a channel: whom it registers for what, and who answers for what."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from channels.models import Channel
from config.errors import NotFound
from foundation import actor
from merchants.models import ProductGate
from merchants.models.application import Bearer


def agree(
    *,
    code: str,
    registers: Iterable[str],
    reviews: Bearer,
    settles: Bearer,
    bears_loss: Bearer,
) -> Channel:
    """
    Write down the terms of a channel: for which kinds of product it registers merchants, and who
    reviews, settles and bears the loss. What was asked for before keeps the terms of its day.

    Raises: NotFound for an unknown channel or kind of product.
    Rule:   REG-6 (docs/rules/channel_registrations.md).
    """
    with transaction.atomic():
        actor.stamp_transaction()
        channel = Channel.objects.select_for_update().filter(code=code).first()
        if channel is None:
            raise NotFound(_("There is no channel %(code)s.") % {"code": code})
        products = sorted(set(registers))
        known = set(ProductGate.objects.filter(code__in=products).values_list("code", flat=True))
        if set(products) - known:
            raise NotFound(
                _("There is no kind of product %(code)s.")
                % {"code": ", ".join(sorted(set(products) - known))}
            )
        channel.registers = products
        channel.reviewed_by_whom = reviews
        channel.settled_by_whom = settles
        channel.loss_borne_by = bears_loss
        channel.save(
            update_fields=["registers", "reviewed_by_whom", "settled_by_whom", "loss_borne_by"]
        )
    return channel
