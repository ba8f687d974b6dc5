"""People who sign in at either door, as the tests play them."""

from __future__ import annotations

from django.test import Client

from foundation.models import User
from tests.factories import portal
from tests.factories.foundation import UserFactory
from tests.factories.merchants import MerchantFactory


def staff(**fields: object) -> User:
    user: User = UserFactory.create(is_staff=True, is_superuser=True, language="en", **fields)
    user.set_password(portal.PASSWORD)
    user.save()
    return user


def merchant_person(**fields: object) -> User:
    return portal.member(MerchantFactory.create(), language="en", **fields)


def password(client: Client, user: User, **more: str):
    address = "/admin/login/" if user.is_staff else "/portal/sign-in"
    return client.post(address, {"username": user.username, "password": portal.PASSWORD, **more})


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session
