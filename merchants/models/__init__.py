from merchants.models.merchant import Merchant

__all__ = ["Merchant"]
