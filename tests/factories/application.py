"""Applications as an operator enters them, through the services, with numbers that are right."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from PIL import Image

from foundation.models import User
from merchants.models import Application, Document
from merchants.services import application as applications
from merchants.services import document_part

AT = datetime(2026, 3, 2, 4, tzinfo=UTC)
REGISTRATION = "91110000600037341L"
IDENTITY = "360426199101010071"
CARD = "6222021234567894"
CNAPS = "102100099996"
PHONE = "13800138000"

PROFILE: dict[str, Any] = {
    "name": "杭州湖畔茶业有限公司",
    "country": "CN",
    "registration_no": REGISTRATION,
    "licence_until": date(2030, 12, 31),
    "industry_id": "5499",
    "region": "浙江",
    "city": "杭州",
    "address": "西湖区龙井路 1 号",
    "contract_type": "FUNDS_HELD",
    "products": ["qr", "card"],
    "schedule": "T1",
    "reviewed_by_whom": "HOUSE",
    "settled_by_whom": "HOUSE",
    "loss_borne_by": "HOUSE",
    "account_kind": "CARD",
    "account_number": CARD,
    "account_holder": "杭州湖畔茶业有限公司",
    "bank_name": "中国工商银行",
    "bank_code": CNAPS,
}
OWNER: dict[str, Any] = {
    "line_no": 1,
    "through_no": None,
    "kind": "PERSON",
    "name": "陈立",
    "share_percent": Decimal("100"),
    "identity_kind": "RESIDENT",
    "identity_no": IDENTITY,
    "identity_until": date(2033, 5, 31),
    "legal_representative": True,
    "source_of_funds": "BUSINESS",
}
CONTACT: dict[str, Any] = {
    "line_no": 1,
    "role": "OWNER",
    "name": "陈立",
    "email": "chen.li@example.com",
    "phone": PHONE,
}
SITE: dict[str, Any] = {"line_no": 1, "kind": "SHOP", "name": "龙井路店", "place": "龙井路 1 号"}
PAPERS = ("LICENCE", "IDENTITY_FRONT", "IDENTITY_BACK", "BANK_CARD", "SITE_PHOTO")


def picture(format: str = "PNG", size: tuple[int, int] = (40, 30), colour: str = "teal") -> bytes:
    """Return a small picture as a file's bytes."""
    held = io.BytesIO()
    Image.new("RGB", size, colour).save(held, format)
    return held.getvalue()


def paper(application: Application, kind: str, by: User, content: bytes = b"") -> Document:
    """Return a document of the application, a picture unless its bytes are given."""
    content = content or picture()
    with transaction.atomic():
        made = Document.objects.create(
            merchant_id=application.merchant_id,
            application=application,
            kind=kind,
            file_name=f"{kind}.png",
            content_type="image/png",
            part_count=document_part.count(len(content)),
            preview_count=1,
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            uploaded_by=by,
            uploaded_at=AT,
        )
        document_part.store(made, content, [content])
    return made


def draft(
    maker: User,
    *,
    papers: tuple[str, ...] = PAPERS,
    owners: list[dict[str, Any]] | None = None,
    **profile: Any,
) -> Application:
    """Return a draft with everything in it; `profile` fields in place of the ordinary ones."""
    application = applications.begin(maker=maker, at=AT)
    saved = applications.save(
        application_id=application.id,
        revision=0,
        maker=maker,
        profile=PROFILE | profile,
        owners=[OWNER] if owners is None else owners,
        contacts=[CONTACT],
        sites=[SITE],
    )
    assert saved.problems == {}
    for kind in papers:
        paper(saved.application, kind, maker)
    return saved.application


def submitted(maker: User, **profile: Any) -> Application:
    """Return an application that waits for its first review."""
    application = draft(maker, **profile)
    return applications.submit(
        application_id=application.id, revision=application.revision, maker=maker, at=AT
    )
