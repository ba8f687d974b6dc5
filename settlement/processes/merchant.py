"""Processes of a merchant's life: coming in, changing, people and keys, freezing, leaving."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from merchants.models.verification import WAIT_LIFETIME
from merchants.services import (
    agent,
    application_review,
    bank_account_request,
    invitation,
    merchant_state,
)
from merchants.services.merchant_sheet import LASTS as SHEET_LASTS
from settlement.processes.stage import Process, Stage

OPENING = Process(
    "opening",
    _("Taking a merchant on"),
    (
        Stage(
            "entry",
            _("Application entered and submitted"),
            _("Enter what the applicant says, with papers; whoever had a hand reviews nothing."),
            ("APP-1", "APP-4", "APP-5", "APP-6", "APP-19"),
            doors=("admin:application_begin", "admin:application_form"),
            moves=(
                "merchants.Application: DRAFT > SUBMITTED",
                "merchants.Application: RETURNED > SUBMITTED",
                "merchants.Application: DRAFT > WITHDRAWN",
                "merchants.Application: RETURNED > WITHDRAWN",
            ),
            writes=("merchants.Application", "merchants.Document", "merchants.ApplicationVersion"),
        ),
        Stage(
            "review",
            _("First review"),
            _("Compare form and papers; return with comments, refuse with a reason, or propose."),
            ("APP-9", "APP-10"),
            doors=("admin:application_review",),
            moves=(
                "merchants.Application: SUBMITTED > FIRST_REVIEW",
                "merchants.Application: FIRST_REVIEW > RETURNED, REJECTED",
                "merchants.Application: RETURNED > REJECTED",
            ),
            writes=("merchants.ApplicationComment", "foundation.Approval"),
            within=application_review.COMPLETE_WITHIN,
            then=("entry", "decision", "changing.decision"),
        ),
        Stage(
            "decision",
            _("Approval of exactly one version"),
            _("A third person reads the version and decides; the evidence is kept for ever."),
            ("APP-10", "APP-11", "APP-12"),
            decides=("merchants.application_approve",),
            moves=("merchants.Application: FIRST_REVIEW > APPROVED",),
            writes=("merchants.Merchant", "merchants.ApplicationEvidence", "merchants.BankAccount",
                    "ledger.Account", "settlement.Schedule"),
            within=application_review.DECIDE_WITHIN,
            then=("joining",),
        ),
        Stage(
            "list",
            _("Many merchants by one sheet"),
            _("Judge every row before; one proposal names them all."),
            ("EXC-1", "EXC-5", "MER-11"),
            doors=("admin:foundation_import", "admin:foundation_import_check",
                   "manage import_merchants"),
            decides=("merchants.merchant_import",),
            writes=("foundation.FileImport", "merchants.Merchant"),
            within=SHEET_LASTS,
        ),
        Stage(
            "joining",
            _("The owner joins the portal"),
            _("Use the link once, set a password and a second step of one's own."),
            ("PEO-1", "PEO-5"),
            doors=("portal:invitation", "task merchants.mail_invitation"),
            writes=("merchants.Membership", "foundation.User"),
            within=invitation.LIFETIME,
            then=(),
            who=_("who holds the link, with an account of the invited address"),
        ),
    ),
)  # fmt: skip

CHANGING = Process(
    "changing",
    _("Changing a merchant, and its periodic re-review"),
    (
        Stage(
            "begin",
            _("Begun with what is in force"),
            _("Enter what changes, with a fresh paper for it; form and first review as at first."),
            ("APP-15", "APP-16", "APP-17"),
            doors=("step merchants.merchant.change_data", "step merchants.merchant.re_review"),
            writes=("merchants.Application",),
            then=("opening.entry",),
        ),
        Stage(
            "decision",
            _("Approval of the change"),
            _("A third person reads every difference, before and after, and decides."),
            ("APP-17", "APP-18", "APP-20", "MER-14", "PAP-1"),
            doors=("task merchants.tell_of_change",),
            decides=("merchants.application_change",),
            writes=("merchants.Merchant", "merchants.ApplicationEvidence", "merchants.Paper"),
            within=application_review.DECIDE_WITHIN,
            then=(),
        ),
    ),
)

PEOPLE = Process(
    "people",
    _("A merchant's people, proofs and keys"),
    (
        Stage(
            "invite",
            _("Inviting, giving and taking roles"),
            _("Nobody gives what he has not himself; the last owner stays."),
            ("PEO-1", "PEO-2", "PEO-3", "PEO-4", "PEO-6"),
            doors=("portal:invite", "portal:invitation_resend", "portal:invitation_withdraw",
                   "portal:person", "portal:person_off", "portal:role", "portal:role_new",
                   "step merchants.invitation.resend", "step merchants.invitation.withdraw",
                   "step merchants.membership.revoke", "manage create_portal_user"),
            writes=("merchants.Invitation", "merchants.Membership", "merchants.CustomRole"),
            within=invitation.LIFETIME,
        ),
        Stage(
            "proofs",
            _("Payment password and codes"),
            _("Keep the payment password apart from the sign-in password; tell nobody a code."),
            ("VER-4", "VER-5", "VER-6", "VER-13"),
            doors=("portal:payment_password", "portal:payment_password_forgotten",
                   "task merchants.send_one_time_code"),
            writes=("merchants.PaymentPassword", "merchants.OneTimeCode"),
        ),
        Stage(
            "confirmation",
            _("Second person and call-back"),
            _("Read operation, amount and payee; call the number on file and no other."),
            ("VER-15", "VER-16", "VER-17"),
            doors=("portal:confirmation", "portal:confirmation_refuse",
                   "step merchants.confirmation.confirmed", "step merchants.confirmation.refused",
                   "task merchants.tell_colleagues"),
            writes=("merchants.Confirmation",),
            within=WAIT_LIFETIME,
        ),
        Stage(
            "keys",
            _("Keys of programs"),
            _("Name scopes and networks; the secret is seen once and kept by the merchant."),
            ("KEY-1", "KEY-3", "KEY-6", "KEY-7"),
            doors=("portal:api_key_new", "portal:api_key_rotate", "portal:api_key_off",
                   "step merchants.apikey.revoke", "step merchants.partnergrant.end",
                   "manage create_api_key"),
            writes=("merchants.ApiKey", "merchants.PartnerGrant"),
        ),
        Stage(
            "webhooks",
            _("What programs are told"),
            _("Check the signature; take a message twice without harm, and in any order."),
            ("WHK-1", "WHK-5", "WHK-8", "WHK-10", "WHK-13"),
            doors=("portal:webhook_new", "portal:webhook_secret", "portal:webhook_events",
                   "portal:webhook_test", "portal:webhook_pause", "portal:webhook_resume",
                   "portal:webhook_remove", "portal:webhook_replay",
                   "step merchants.webhookendpoint.pause", "step merchants.webhookendpoint.resume",
                   "step merchants.webhookdelivery.replay", "task merchants.send_webhooks",
                   "task merchants.tell_of_webhook", "task merchants.purge_webhooks"),
            moves=("merchants.WebhookEndpoint: ACTIVE > PAUSED, REMOVED",
                   "merchants.WebhookEndpoint: PAUSED > ACTIVE, REMOVED",
                   "merchants.WebhookDelivery: PENDING > DELIVERED, PARKED, DROPPED",
                   "merchants.WebhookDelivery: DELIVERED > PENDING",
                   "merchants.WebhookDelivery: PARKED > PENDING, DROPPED"),
            writes=("merchants.WebhookEndpoint", "merchants.WebhookDelivery"),
        ),
        Stage(
            "contacts",
            _("Whom to talk to"),
            _("Switch off who has left: a contact has no right and gets no letter."),
            ("MER-11",),
            doors=("step merchants.merchantcontact.off",),
            writes=("merchants.MerchantContact",),
            then=(),
        ),
    ),
)  # fmt: skip

AGENTS = Process(
    "agents",
    _("Agents who bring merchants"),
    (
        Stage(
            "propose",
            _("An agent, its place in the chain, its merchants"),
            _("Name who stands above whom and who brought whom, from which day on."),
            ("AGT-1", "AGT-3", "AGT-4", "AGT-6"),
            doors=("admin:merchants_agent_propose", "admin:merchants_agent_parents",
                   "admin:merchants_agent_assign", "admin:merchants_agent_edit",
                   "step merchants.agent.stop", "step merchants.agent.restart",
                   "manage import_agents"),
            writes=("foundation.Approval",),
        ),
        Stage(
            "decide",
            _("Agreed by another person"),
            _("What held on a day stays as it was; a change begins a new row."),
            ("AGT-2", "AGT-8"),
            decides=("merchants.agent", "merchants.agent_parent", "merchants.agent_assign",
                     "merchants.agent_import"),
            writes=("merchants.Agent", "merchants.MerchantAgent"),
            within=agent.LASTS,
            then=(),
        ),
    ),
)  # fmt: skip

PAPERS = Process(
    "papers",
    _("Papers that end"),
    (
        Stage(
            "watch",
            _("Warned of ahead, and followed up"),
            _("Renew in time; what follows an end is only proposed, and another person decides."),
            ("PAP-3", "PAP-4", "PAP-5", "PAP-6"),
            doors=("task merchants.watch_papers", "task merchants.look_at_papers",
                   "task merchants.tell_of_paper", "manage watch_papers"),
            writes=("merchants.PaperNotice", "foundation.Approval"),
            deadline=_("60, 30 and 7 days ahead, and on the day"),
            then=("states.decide",),
        ),
    ),
)  # fmt: skip

BANK_ACCOUNT = Process(
    "bank_account",
    _("Settlement bank account"),
    (
        Stage(
            "propose",
            _("A bank account is named"),
            _("The merchant proves who he is; staff say from which paper they have it."),
            ("MER-8", "VER-14"),
            doors=("portal:bank_account_new", "step merchants.bankaccount.propose",
                   "manage create_bank_account"),
            writes=("merchants.BankAccount", "foundation.Approval"),
        ),
        Stage(
            "approve",
            _("Approval, and a time to cool"),
            _("Compare holder and paper; the owners are told and may object while it cools."),
            ("MER-6", "MER-9", "MER-10"),
            doors=("task merchants.tell_owners",),
            decides=("merchants.bank_account_approve",),
            writes=("merchants.BankAccount",),
            within=bank_account_request.DECIDE_WITHIN,
        ),
        Stage(
            "off",
            _("Switching an account off"),
            _("Takes away, never gives: one person suffices, and the owners are told."),
            ("MER-10",),
            doors=("portal:bank_accounts", "step merchants.bankaccount.disable"),
            writes=("merchants.BankAccount",),
            then=(),
        ),
    ),
)  # fmt: skip

STATES = Process(
    "states",
    _("Restricting, freezing, restoring"),
    (
        Stage(
            "propose",
            _("Proposed with reason and document"),
            _("Name the order or the suspicion, and the paper; one merchant or a list."),
            ("MST-2", "MST-3", "CAP-1"),
            doors=("admin:merchants_merchant_move", "admin:merchants_capability",
                   "step merchants.merchant.freeze", "step merchants.merchant.restrict",
                   "step merchants.merchant.restore"),
            writes=("foundation.Approval",),
            then=("decide",),
        ),
        Stage(
            "emergency",
            _("Frozen at once"),
            _("One person stops the money; another confirms it or takes it back, never he."),
            ("MST-11",),
            doors=("admin:merchants_merchant_emergency", "step merchants.merchant.freeze_at_once"),
            decides=("merchants.emergency",),
            writes=("merchants.MerchantTransition", "foundation.Approval"),
            then=("decide",),
        ),
        Stage(
            "decide",
            _("Decided by another person"),
            _("From then on the money stands still, or goes on; the merchant reads why."),
            ("MST-1", "MST-4", "MST-5", "CAP-2", "CAP-3"),
            doors=("task merchants.tell_of_move",),
            decides=("merchants.freeze", "merchants.restrict", "merchants.restore",
                     "merchants.capability"),
            moves=(
                "merchants.Merchant: ACTIVE > RESTRICTED, FROZEN",
                "merchants.Merchant: RESTRICTED > ACTIVE, FROZEN",
                "merchants.Merchant: FROZEN > ACTIVE, RESTRICTED",
                "merchants.Merchant: CLOSING > FROZEN",
            ),
            writes=("merchants.MerchantTransition", "merchants.CapabilityStep",
                    "settlement.Schedule"),
            within=merchant_state.LASTS,
            then=(),
        ),
    ),
)  # fmt: skip

CLOSING = Process(
    "closing",
    _("A merchant leaves"),
    (
        Stage(
            "begin",
            _("Closing begins"),
            _("Settle to the end and pay out what is left; each reason that blocks is named."),
            ("MST-2", "MST-7"),
            doors=("admin:settlement_closing",),
            decides=("merchants.close",),
            moves=(
                "merchants.Merchant: ACTIVE > CLOSING",
                "merchants.Merchant: FROZEN > CLOSING",
                "merchants.Merchant: CLOSED > CLOSING",
                "merchants.Merchant: CLOSING > ACTIVE",
            ),
            writes=("merchants.MerchantTransition", "merchants.Invitation"),
            within=merchant_state.LASTS,
        ),
        Stage(
            "end",
            _("Closed"),
            _("Two persons once more, when nothing is left: no money, no case, no open payout."),
            ("MST-8", "MST-9", "MST-10"),
            decides=("merchants.end",),
            moves=("merchants.Merchant: CLOSING > CLOSED",),
            writes=("merchants.MerchantTransition", "ledger.Account"),
            within=merchant_state.LASTS,
            then=(),
        ),
    ),
)

PROCESSES = (OPENING, CHANGING, PAPERS, AGENTS, PEOPLE, BANK_ACCOUNT, STATES, CLOSING)
