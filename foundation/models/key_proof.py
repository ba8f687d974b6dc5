"""By which a machine sees whether its keys are those that this database was written with."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from foundation.fields import EncryptedTextField


class KeyProof(models.Model):
    """
    One row: a known text, encrypted by FIELD_KEYS and hashed by LOOKUP_KEY when the database was
    made. Belongs to no merchant; `rotate_keys` writes it again with everything else.
    """

    TEXT = "countinghouse"

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    encrypted = EncryptedTextField()
    text_hash = models.BinaryField()

    class Meta:
        db_table = "foundation_key_proof"
        verbose_name = _("proof of the keys")
        verbose_name_plural = _("proofs of the keys")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="key_proof_one")]

    def __str__(self) -> str:
        return self._meta.db_table
