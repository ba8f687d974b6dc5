from channels.models.fee_rule import FeeRule
from channels.models.payment import (
    Chunk,
    Intake,
    Payment,
    Pricing,
    Refund,
    RefundBooking,
    Unpriced,
)
from channels.models.product import Channel, Product, ReviewState
from channels.models.registration import Registration, RegistrationTransition

__all__ = [
    "Channel",
    "Chunk",
    "FeeRule",
    "Intake",
    "Payment",
    "Pricing",
    "Product",
    "Refund",
    "RefundBooking",
    "Registration",
    "RegistrationTransition",
    "ReviewState",
    "Unpriced",
]
