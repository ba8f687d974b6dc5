import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation import crypto

KEYS = {name: base64.b64encode(bytes([n] * 32)).decode() for n, name in enumerate("abc")}


class TestEncrypt:
    @given(text=st.text(max_size=200), associated=st.binary(max_size=40))
    def test_is_read_again_with_the_same_associated_data(self, text, associated):
        assert crypto.decrypt(crypto.encrypt(text, associated), associated) == text

    def test_never_writes_the_same_twice(self):
        tokens = {crypto.encrypt("6216261000000000018", b"row") for _ in range(50)}

        assert len(tokens) == 50
        assert not any("6216261000000000018" in token for token in tokens)

    def test_refuses_another_row_and_a_changed_value(self):
        token = crypto.encrypt("6216261000000000018", b"row 1")
        changed = token[:-6] + ("A" if token[-6] != "A" else "B") + token[-5:]

        with pytest.raises(crypto.Tampered):
            crypto.decrypt(token, b"row 2")
        with pytest.raises(crypto.Tampered):
            crypto.decrypt(changed, b"row 1")
        with pytest.raises(crypto.Tampered):
            crypto.decrypt("test:?", b"row 1")

    def test_writes_with_the_first_key_and_reads_with_all(self, settings):
        settings.FIELD_KEYS = {"a": KEYS["a"]}
        old = crypto.encrypt("x", b"")
        settings.FIELD_KEYS = {"b": KEYS["b"], "a": KEYS["a"]}

        assert crypto.encrypt("x", b"").startswith("b:")
        assert crypto.decrypt(old, b"") == "x"

        settings.FIELD_KEYS = {"b": KEYS["b"]}
        with pytest.raises(crypto.KeyUnknown, match="'a'"):
            crypto.decrypt(old, b"")

    @pytest.mark.parametrize("keys", [{}, {"a": "short"}, {"a": "!"}, {"a:b": KEYS["a"]}])
    def test_refuses_keys_that_are_none(self, settings, keys):
        settings.FIELD_KEYS = keys

        with pytest.raises(crypto.KeyMalformed):
            crypto.encrypt("x", b"")


class TestLookupHash:
    def test_depends_on_the_text_and_on_a_key_of_its_own(self, settings):
        one = crypto.lookup_hash("6216261000000000018")

        assert len(one) == 32
        assert one == crypto.lookup_hash("6216261000000000018")
        assert one != crypto.lookup_hash("6216261000000000019")
        settings.LOOKUP_KEY = KEYS["c"]
        assert one != crypto.lookup_hash("6216261000000000018")


class TestMask:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("6216261000000000018", "621626*********0018"),
            ("1234567890123", "123456***0123"),
            ("123456789012", "********9012"),
            ("12345678", "****5678"),
            ("1234567", "*******"),
            ("", ""),
        ],
    )
    def test_shows_at_most_the_first_six_and_last_four(self, text, shown):
        assert crypto.mask(text) == shown
