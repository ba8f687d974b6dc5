"""Papers of an earlier application that a change of a merchant still relies on."""

from __future__ import annotations

from django.db import models

from foundation.models import Fact, FactForeignKey
from merchants.models.application import Application
from merchants.models.document import Document


class CarriedDocument(Fact):
    """
    One paper that a change takes over as it is, by reference: the bytes stay where they came in.

    It comes from an approved application of the same merchant, and may be left out while the change
    is open; the database checks both (merchants/sql/application_change.sql).
    """

    application = FactForeignKey(Application, models.PROTECT, related_name="carried")
    document = FactForeignKey(Document, models.PROTECT, related_name="carried_by")

    class Meta:
        db_table = "merchants_carried_document"
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "application", "document"], name="carried_document_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.application_id} {self.document_id}"
