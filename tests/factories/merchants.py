"""Valid merchants and what belongs to them."""

from __future__ import annotations

from datetime import UTC, datetime

import factory
from factory.django import DjangoModelFactory

from foundation import crypto
from merchants.models import BankAccount, Membership, Merchant
from tests.factories.foundation import UserFactory

BEFORE = datetime(2026, 1, 1, tzinfo=UTC)


class MerchantFactory(DjangoModelFactory[Merchant]):
    """An active merchant."""

    class Meta:
        model = Merchant

    merchant_no = factory.Sequence(lambda n: f"M{n:06d}")
    name = factory.Sequence(lambda n: f"Merchant {n}")
    country = "CN"
    created_at = BEFORE


class MembershipFactory(DjangoModelFactory[Membership]):
    """An owner of a merchant; pass `role=` for another."""

    class Meta:
        model = Membership

    merchant = factory.SubFactory(MerchantFactory)
    user = factory.SubFactory(UserFactory)
    role = Membership.Role.OWNER
    created_at = BEFORE


class BankAccountFactory(DjangoModelFactory[BankAccount]):
    """A verified account on the approved list, in CNY."""

    class Meta:
        model = BankAccount

    merchant = factory.SubFactory(MerchantFactory)
    number = factory.Sequence(lambda n: f"62220212{n:010d}")
    number_hash = factory.LazyAttribute(lambda made: crypto.lookup_hash(made.number))
    number_masked = factory.LazyAttribute(lambda made: crypto.mask(made.number))
    holder = factory.LazyAttribute(lambda made: made.merchant.name)
    bank_name = "ICBC"
    currency = "CNY"
    status = BankAccount.Status.VERIFIED
    approved_payee = True
    created_at = BEFORE
    verified_at = BEFORE
