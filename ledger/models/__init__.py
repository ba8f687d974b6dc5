from ledger.models.account import Ability, Account, AccountKind, AccountStep, Side, Subject
from ledger.models.hold import Hold
from ledger.models.journal import JournalEntry, Posting, PostingLine

__all__ = [
    "Ability",
    "Account",
    "AccountKind",
    "AccountStep",
    "Hold",
    "JournalEntry",
    "Posting",
    "PostingLine",
    "Side",
    "Subject",
]
