"""Model fields of our own."""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models.lookups import IsNull
from django.db.models.query_utils import DeferredAttribute

from foundation import crypto

if TYPE_CHECKING:
    _Field = models.Field[Any, Any]
    _TextField = models.TextField[str | None, str | None]
    _BinaryField = models.BinaryField[Any, Any]
else:
    _Field = object
    _TextField, _BinaryField = models.TextField, models.BinaryField


class Ciphertext(str):
    """A text as it is stored; its repr shows nothing of it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<encrypted>"


class Sealed(bytes):
    """Bytes as they are stored; their repr shows nothing of them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<encrypted>"


class _Decrypting(DeferredAttribute):
    """Decrypts on reading, when the row's UUID is at hand."""

    field: _Encrypted

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if instance is None or not isinstance(value, self.field.stored):
            return value
        return self.field.open(value, self.field.associated(instance))

    def __set__(self, instance: models.Model, value: Any) -> None:
        """Keep the value; defining this makes Python ask `__get__` even when one is kept."""
        instance.__dict__[self.field.attname] = value


class _Encrypted(_Field):
    """
    What encrypted fields share: the row's UUID, with model and field name, is the associated data,
    so a value moved to another row or column does not decrypt.
    """

    descriptor_class = _Decrypting
    stored: ClassVar[type[Ciphertext] | type[Sealed]]  # marks what is encrypted already
    random_uuid: ClassVar[bool] = False  # whether the UUID beside it must be made at random

    def seal(self, value: Any, associated: bytes) -> Any:
        """Return what is stored of a value."""
        raise NotImplementedError

    def open(self, value: Any, associated: bytes) -> Any:
        """Return the value of what is stored. Raises KeyUnknown, Tampered."""
        raise NotImplementedError

    def associated(self, instance: models.Model) -> bytes:
        """Return the associated data of this field in one row."""
        return self.associated_with(instance.uuid)  # type: ignore[attr-defined]

    def associated_with(self, row: uuid.UUID) -> bytes:
        """Return the associated data of this field in the row with that UUID."""
        return row.bytes + f"{self.model._meta.label}.{self.attname}".encode()

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Keep what is stored as it is; the descriptor decrypts it when somebody reads it."""
        return None if value is None else self.stored(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Encrypt a new value; leave one that was loaded and not touched as it is."""
        value = model_instance.__dict__.get(self.attname)
        if value is None or isinstance(value, self.stored):
            return value
        return self.stored(self.seal(value, self.associated(model_instance)))

    def get_prep_value(self, value: Any) -> Any:
        """Refuse what is not encrypted on its way to the database."""
        if value is None or isinstance(value, self.stored):
            return value
        raise TypeError(f"{self.model.__name__}.{self.attname} is encrypted: save the row instead")

    def get_lookup(self, lookup_name: str) -> Any:
        """Allow `isnull` only: the same value is stored differently each time."""
        return IsNull if lookup_name == "isnull" else None

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Require the row's UUID beside it."""
        found = super().check(**kwargs)
        try:
            field = self.model._meta.get_field("uuid")
        except FieldDoesNotExist:
            field = None
        if not isinstance(field, models.UUIDField) or (
            self.random_uuid and field.default is not uuid.uuid4
        ):
            message = "An encrypted field needs a field uuid = UUIDField(default=uuid.uuid4)."
            found.append(checks.Error(message, obj=self, id="foundation.E001"))
        return found


class EncryptedTextField(_Encrypted, _TextField):
    """
    Text that the database holds only encrypted (AES-256-GCM,
    docs/decisions/0007-encrypted-fields.md).

    The model needs a field `uuid` made in Python: together with model and field name it is the
    associated data, so a value moved to another row or column does not decrypt. It can be saved and
    read, not searched: keep `crypto.lookup_hash` beside it. `update()` and `bulk_update()` of it
    are refused, since they do not know the row.
    """

    stored = Ciphertext
    random_uuid = True

    def seal(self, value: Any, associated: bytes) -> str:
        """Return the text encrypted."""
        return crypto.encrypt(value, associated)

    def open(self, value: Any, associated: bytes) -> str:
        """Return the text. Raises KeyUnknown, Tampered."""
        return crypto.decrypt(value, associated)

    def value_to_string(self, obj: models.Model) -> str:
        """Serialize what is stored, never the plain text."""
        return str(self.pre_save(obj, add=False) or "")


class EncryptedBinaryField(_Encrypted, _BinaryField):
    """
    Bytes that the database holds only encrypted: a piece of a file (`foundation.pieces`).

    As EncryptedTextField; the row's `uuid` may be made of what the piece is (`pieces.name_of`), so
    that it does not decrypt in any other place either.
    """

    stored = Sealed

    def seal(self, value: Any, associated: bytes) -> bytes:
        """Return the bytes encrypted."""
        return crypto.seal(bytes(value), associated)

    def open(self, value: Any, associated: bytes) -> bytes:
        """Return the bytes. Raises KeyUnknown, Tampered."""
        return crypto.unseal(value, associated)

    def value_to_string(self, obj: models.Model) -> str:
        """Serialize what is stored, never the plain bytes."""
        return base64.b64encode(self.pre_save(obj, add=False) or b"").decode()
