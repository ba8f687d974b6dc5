"""Numbers as people type them: one number has one form, whatever the keyboard; nothing crashes."""

import pytest

from foundation import crypto
from merchants.services import application_check as checks
from merchants.services.bank_account import BankAccountMalformed

KNOWN, NOWHERE, PROVINCE_ONLY = "11010519491231002X", "990105194912310023", "159999194912310029"


def wide(number: str) -> str:
    """Return a number as a Chinese keyboard in full-width mode types it."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in number)


class TestOneForm:
    @pytest.mark.parametrize("number", [KNOWN, NOWHERE, PROVINCE_ONLY])
    def test_of_an_identity_number_whatever_was_typed(self, number):
        apart = f" {number[:6]} {number[6:14]}-{number[14:]}\n"
        typed = [number, number.lower(), wide(number), apart, f"{number[:6]}\u3000{number[6:]}"]

        found = {checks.identity(text, "RESIDENT") for text in typed}

        assert found == {number}
        assert len({crypto.lookup_hash(one) for one in found}) == 1

    def test_of_card_credit_code_bank_and_phone(self):
        assert checks.account("4111 1111-1111 1111", "CARD") == "4111111111111111"
        assert checks.registration(wide("91350100M000100Y43")) == "91350100M000100Y43"
        assert checks.bank_code(wide("102100099996")) == "102100099996"
        assert checks.phone("+８６ 138-0013-8000") == "13800138000"


class TestRefused:
    @pytest.mark.parametrize(
        "number",
        [
            "",
            "\x00",
            "٠" * 18,
            "1" * 18,
            "11010519491331002X",
            f"{KNOWN}\u200b",
            f"{KNOWN}0",
            "Ⅹ" * 18,
        ],
    )
    def test_an_identity_number_that_is_none(self, number):
        with pytest.raises(checks.NumberMalformed):
            checks.identity(number, "RESIDENT")

    @pytest.mark.parametrize(
        "number", ["0000000000000", "4111111111111112", "٤١١١١١١١١١١١١١١١", "41111111\x0011111111"]
    )
    def test_a_card_number_that_is_none(self, number):
        with pytest.raises((checks.NumberMalformed, BankAccountMalformed)):
            checks.account(number, "CARD")
