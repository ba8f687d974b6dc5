from settlement.models.batch import Batch
from settlement.models.due import Due
from settlement.models.exposure import Exposure
from settlement.models.item import Item
from settlement.models.line import Line
from settlement.models.payout import PayoutAttempt, PayoutEvidence, PayoutTransition
from settlement.models.payout_callback import PayoutCallback
from settlement.models.payout_case import PayeeBlock, PayoutCase
from settlement.models.payout_channel import PayoutChannel, PayoutStatus
from settlement.models.payout_fee_rule import PayoutFeeRule
from settlement.models.payout_statement import BankLine, PayoutStatement
from settlement.models.position import Position
from settlement.models.run import Run
from settlement.models.schedule import Schedule
from settlement.models.standing_instruction import StandingInstruction
from settlement.models.withdrawal import Withdrawal, WithdrawalTransition

__all__ = [
    "BankLine",
    "Batch",
    "Due",
    "Exposure",
    "Item",
    "Line",
    "PayeeBlock",
    "PayoutAttempt",
    "PayoutCallback",
    "PayoutCase",
    "PayoutChannel",
    "PayoutEvidence",
    "PayoutFeeRule",
    "PayoutStatement",
    "PayoutStatus",
    "PayoutTransition",
    "Position",
    "Run",
    "Schedule",
    "StandingInstruction",
    "Withdrawal",
    "WithdrawalTransition",
]
