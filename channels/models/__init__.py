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
    "ReviewState",
    "Unpriced",
]
