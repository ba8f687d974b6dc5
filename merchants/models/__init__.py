from merchants.models.agent import Agent, AgentKind, AgentState, AgentStep, MerchantAgent
from merchants.models.api_key import ApiKey, Scope
from merchants.models.application import (
    Application,
    ApplicationComment,
    ApplicationEvidence,
    ApplicationTransition,
    ApplicationVersion,
)
from merchants.models.application_change import CarriedDocument
from merchants.models.application_party import (
    ApplicationContact,
    ApplicationOwner,
    ApplicationSite,
)
from merchants.models.bank_account import BankAccount
from merchants.models.capability import Capability, CapabilityStep
from merchants.models.confirmation import Confirmation
from merchants.models.custom_role import CustomRole
from merchants.models.document import Document, DocumentPart
from merchants.models.industry import ContractType, Industry, ProductGate, RiskGrade
from merchants.models.invitation import Invitation
from merchants.models.membership import Ability, Membership
from merchants.models.merchant import Merchant
from merchants.models.merchant_contact import MerchantContact
from merchants.models.merchant_state import MerchantTransition
from merchants.models.one_time_code import FactorCount, OneTimeCode
from merchants.models.paper import Paper, PaperNotice
from merchants.models.partner_grant import PartnerGrant
from merchants.models.payment_password import PaymentPassword
from merchants.models.verification import (
    VerificationAttempt,
    VerificationRequest,
    VerificationRule,
    VerificationToken,
)
from merchants.models.webhook_delivery import WebhookDelivery
from merchants.models.webhook_endpoint import WebhookEndpoint

__all__ = [
    "Ability",
    "Agent",
    "AgentKind",
    "AgentState",
    "AgentStep",
    "ApiKey",
    "Application",
    "ApplicationComment",
    "ApplicationContact",
    "ApplicationEvidence",
    "ApplicationOwner",
    "ApplicationSite",
    "ApplicationTransition",
    "ApplicationVersion",
    "BankAccount",
    "Capability",
    "CapabilityStep",
    "CarriedDocument",
    "Confirmation",
    "ContractType",
    "CustomRole",
    "Document",
    "DocumentPart",
    "FactorCount",
    "Industry",
    "Invitation",
    "Membership",
    "Merchant",
    "MerchantAgent",
    "MerchantContact",
    "MerchantTransition",
    "OneTimeCode",
    "Paper",
    "PaperNotice",
    "PartnerGrant",
    "PaymentPassword",
    "ProductGate",
    "RiskGrade",
    "Scope",
    "VerificationAttempt",
    "VerificationRequest",
    "VerificationRule",
    "VerificationToken",
    "WebhookDelivery",
    "WebhookEndpoint",
]
