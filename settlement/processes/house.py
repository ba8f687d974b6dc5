"""Processes of the house itself: proposals, rights, accounts, lists, machines."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from foundation.services import (
    approval_policy,
    file_export,
    first_password,
    mfa_reset,
    staff_account,
    staff_role,
)
from settlement.processes.stage import Process, Stage

PROPOSAL = Process(
    "proposal",
    _("A proposal, of whatever kind"),
    (
        Stage(
            "decide",
            _("Decided, withdrawn or expired"),
            _("Nobody decides on what he made; the decision covers exactly what was shown."),
            ("AP-1", "AP-3", "AP-4", "AP-5", "AP-7"),
            doors=("step foundation.approval.approve", "step foundation.approval.reject",
                   "step foundation.approval.withdraw", "task foundation.expire_approvals"),
            moves=("foundation.Approval: PROPOSED > APPROVED, REJECTED, WITHDRAWN, EXPIRED",),
            writes=("foundation.ApprovalDecision",),
            deadline=_("the end that the proposal names"),
        ),
        Stage(
            "rules",
            _("How many decide, who decides instead, what must be proved"),
            _("Tiers, delegations and the matrix of proofs change by proposals alone."),
            ("AP-6", "AP-8", "AP-11", "VER-10"),
            doors=("admin:foundation_tier", "admin:foundation_lend",
                   "step foundation.delegation.end", "admin:merchants_verificationrule_propose"),
            decides=("foundation.approval_policy", "foundation.delegation",
                     "merchants.verification_rule"),
            writes=("foundation.ApprovalPolicy", "foundation.Delegation",
                    "merchants.VerificationRule"),
            within=approval_policy.DECIDE_WITHIN,
            then=(),
        ),
    ),
)  # fmt: skip

ACCOUNT = Process(
    "account",
    _("An account and how one signs in"),
    (
        Stage(
            "make",
            _("Staff get an account and a role"),
            _("One account a person; the password is changed at the first sign-in."),
            ("ROL-1", "ROL-2", "SIG-16"),
            doors=("manage create_staff", "manage roles"),
            writes=("foundation.User", "foundation.SignInPassword"),
        ),
        Stage(
            "colleague",
            _("A colleague comes, gets other roles, comes back"),
            _("Another person decides; then a link goes out, for a password of his own."),
            ("ROL-9", "ROL-11", "SIG-17"),
            doors=("admin:foundation_staff_new", "admin:foundation_staff_roles",
                   "step foundation.user.propose_on", "step foundation.user.send_link",
                   "task foundation.mail_first_password"),
            decides=("foundation.staff_account",),
            writes=("foundation.Approval", "foundation.User"),
            within=staff_account.DECIDE_WITHIN,
            then=("account.first", "account.own"),
        ),
        Stage(
            "role",
            _("A role of our own is made, changed, switched off"),
            _("Neither of the two has it; one that decides does nothing else but see."),
            ("ROL-2", "ROL-12"),
            doors=("admin:foundation_role_new", "admin:foundation_role_change"),
            decides=("foundation.staff_role",),
            writes=("foundation.StaffRole",),
            within=staff_role.DECIDE_WITHIN,
            then=("account.colleague",),
        ),
        Stage(
            "first",
            _("The first password"),
            _("By the link, once, within 72 hours; then the second step."),
            ("SIG-17",),
            doors=("account:first_password",),
            writes=("foundation.SignInPassword",),
            within=first_password.GOOD_FOR,
            who=_("who holds the link"),
            then=("account.own",),
        ),
        Stage(
            "close",
            _("An account is switched off"),
            _("At once, with its reason; its sessions end."),
            ("ROL-10", "ROL-11"),
            doors=("step foundation.user.switch_off",),
            writes=("foundation.User",),
            then=("account.colleague",),
        ),
        Stage(
            "own",
            _("One's own password, second step and sessions"),
            _("End what is not one's own; every change is told to the owner."),
            ("SIG-5", "SIG-6", "SIG-7", "SIG-11", "SIG-15"),
            doors=("account:enrol", "account:app", "account:passkey", "account:recovery_codes",
                   "account:remove", "account:password", "account:end", "account:end_others",
                   "task foundation.mail_account_change", "task foundation.mail_new_device",
                   "task foundation.mail_password_reset", "task foundation.purge_guess_counts",
                   "task foundation.purge_sessions"),
            writes=("foundation.SignIn", "foundation.SignInPassword"),
            who=_("the account's owner"),
        ),
        Stage(
            "reset",
            _("A lost second step"),
            _("Say how one knows that it is the person; neither of the two is he."),
            ("SIG-9",),
            doors=("step foundation.user.propose_mfa_reset",),
            decides=("foundation.mfa_reset",),
            writes=("foundation.Approval",),
            within=mfa_reset.DECIDED_WITHIN,
            then=(),
        ),
    ),
)  # fmt: skip

LISTS = Process(
    "lists",
    _("Lists taken out"),
    (
        Stage(
            "export",
            _("Export"),
            _("Logged with filter and rows; the file is deleted after its time, or before."),
            ("EXC-7", "EXC-8"),
            doors=("admin:foundation_export", "step foundation.fileexport.delete",
                   "task foundation.write_export", "task foundation.expire_files"),
            writes=("foundation.FileExport",),
            within=file_export.KEPT,
            then=(),
        ),
    ),
)  # fmt: skip

MACHINE = Process(
    "machine",
    _("Keeping it running"),
    (
        Stage(
            "messages",
            _("Messages and jobs"),
            _("What fails is parked and sent again by a person; stopping a job loses nothing."),
            ("OB-1", "OB-4"),
            doors=("step foundation.outboxmessage.requeue", "step foundation.job.cancel",
                   "task foundation.relay_outbox", "task foundation.purge_outbox",
                   "task foundation.purge_idempotency_keys", "manage outbox drain",
                   "manage outbox requeue", "manage outbox purge",
                   "manage purge_idempotency_keys"),
            writes=("foundation.OutboxMessage", "foundation.Job"),
        ),
        Stage(
            "server",
            _("On the server"),
            _("Whoever has the server has the database: few people, and each act audited."),
            ("AU-4",),
            doors=("manage migrate", "manage demo", "manage rotate_keys",
                   "manage encrypt_documents"),
            then=(),
        ),
    ),
)  # fmt: skip

PROCESSES = (PROPOSAL, ACCOUNT, LISTS, MACHINE)
