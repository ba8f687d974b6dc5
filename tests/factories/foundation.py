"""Valid people and accounts."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from foundation.models import Person, User


class PersonFactory(DjangoModelFactory[Person]):
    """One human being."""

    class Meta:
        model = Person

    name = factory.Sequence(lambda n: f"Person {n}")


class UserFactory(DjangoModelFactory[User]):
    """An account without a password; pass `person=` for a second one of the same human."""

    class Meta:
        model = User

    username = factory.Sequence(lambda n: f"user{n}")
    person = factory.SubFactory(PersonFactory)
    password = "!"
