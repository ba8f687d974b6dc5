from foundation.models.fact import Fact, FactForeignKey
from foundation.models.outbox import OutboxMessage
from foundation.models.user import Person, User

__all__ = ["Fact", "FactForeignKey", "OutboxMessage", "Person", "User"]
