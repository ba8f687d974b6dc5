from merchants.models.api_key import ApiKey, Scope
from merchants.models.bank_account import BankAccount
from merchants.models.membership import Ability, Membership
from merchants.models.merchant import Merchant
from merchants.models.partner_grant import PartnerGrant
from merchants.models.payment_password import PaymentPassword
from merchants.models.verification import VerificationRule, VerificationToken

__all__ = [
    "Ability",
    "ApiKey",
    "BankAccount",
    "Membership",
    "Merchant",
    "PartnerGrant",
    "PaymentPassword",
    "Scope",
    "VerificationRule",
    "VerificationToken",
]
