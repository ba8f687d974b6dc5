from foundation.models.approval import Approval, ApprovalDecision, ApprovalPolicy, ApprovalRight
from foundation.models.attachment import ApprovalAttachment
from foundation.models.audit import AuditEvent, History
from foundation.models.business_day import BusinessDay
from foundation.models.delegation import Delegation
from foundation.models.fact import Fact, FactForeignKey
from foundation.models.file_export import FileExport, FileExportPart
from foundation.models.file_import import FileImport
from foundation.models.guess_count import GuessCount
from foundation.models.idempotency import IdempotencyKey
from foundation.models.job import Job
from foundation.models.key_proof import KeyProof
from foundation.models.outbox import OutboxMessage
from foundation.models.second_factor import SecondFactorGuard
from foundation.models.sign_in import SignIn
from foundation.models.sign_in_password import SignInPassword
from foundation.models.staff_role import StaffRole
from foundation.models.user import Person, User

__all__ = [
    "Approval",
    "ApprovalAttachment",
    "ApprovalDecision",
    "ApprovalPolicy",
    "ApprovalRight",
    "AuditEvent",
    "BusinessDay",
    "Delegation",
    "Fact",
    "FactForeignKey",
    "FileExport",
    "FileExportPart",
    "FileImport",
    "GuessCount",
    "History",
    "IdempotencyKey",
    "Job",
    "KeyProof",
    "OutboxMessage",
    "Person",
    "SecondFactorGuard",
    "SignIn",
    "SignInPassword",
    "StaffRole",
    "User",
]
