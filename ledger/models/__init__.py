from ledger.models.account import Ability, Account, AccountKind, Side, Subject
from ledger.models.hold import Hold
from ledger.models.journal import JournalEntry, Posting, PostingLine

__all__ = [
    "Ability",
    "Account",
    "AccountKind",
    "Hold",
    "JournalEntry",
    "Posting",
    "PostingLine",
    "Side",
    "Subject",
]
