"""Applications of the demo: one waits for its first review, one is still being entered."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from PIL import Image, ImageDraw
from stdnum.cn import ric, uscc

from foundation import clock
from foundation.models import User
from merchants.models import Application, Document
from merchants.services import application as applications
from merchants.services import document as documents

_PAPERS: Final = (
    Document.Kind.LICENCE,
    Document.Kind.IDENTITY_FRONT,
    Document.Kind.IDENTITY_BACK,
    Document.Kind.BANK_CARD,
    Document.Kind.SITE_PHOTO,
)


def make(*, entered_by: User, at: datetime) -> None:
    """Enter the two applications, once; numbers and papers are made up."""
    if Application.objects.exists():
        return
    draft = applications.begin(maker=entered_by, at=at)
    applications.save(
        application_id=draft.id,
        revision=0,
        maker=entered_by,
        profile={"name": "苏州河书店有限公司", "industry_id": "5499", "city": "上海"},
    )
    whole = applications.begin(maker=entered_by, at=at)
    saved = applications.save(
        application_id=whole.id,
        revision=0,
        maker=entered_by,
        profile=_profile(at),
        owners=[_owner(at)],
        contacts=[
            {"line_no": 1, "role": "OWNER", "name": "林晓", "email": "lin.xiao@example.com",
             "phone": "13900000000"}
        ],
        sites=[{"line_no": 1, "kind": "SHOP", "name": "南山路店", "place": "杭州市南山路 8 号"}],
    )  # fmt: skip
    for kind in _PAPERS:
        documents.add(
            application_id=whole.id,
            kind=kind,
            file=io.BytesIO(_picture(str(kind))),
            file_name=f"{kind.lower()}.jpg",
            maker=entered_by,
            at=at,
        )
    revision = saved.application.revision
    applications.submit(application_id=whole.id, revision=revision, maker=entered_by, at=at)


def _profile(at: datetime) -> dict[str, Any]:
    body = "91330102DEMA12345"
    return {
        "name": "杭州南山咖啡有限公司",
        "registration_no": body + uscc.calc_check_digit(body),
        "licence_until": clock.business_date(at + timedelta(days=1500)),
        "industry_id": "5814",
        "region": "浙江",
        "city": "杭州",
        "address": "上城区南山路 8 号",
        "contract_type": "FUNDS_HELD",
        "products": ["qr", "card"],
        "reviewed_by_whom": "HOUSE",
        "settled_by_whom": "HOUSE",
        "loss_borne_by": "CHANNEL",
        "account_kind": "CORPORATE",
        "account_number": "1202020209000012345",
        "account_holder": "杭州南山咖啡有限公司",
        "bank_name": "演示银行",
        "bank_code": "102100099996",
    }


def _owner(at: datetime) -> dict[str, Any]:
    body = "33010219900101001"
    return {
        "line_no": 1,
        "through_no": None,
        "kind": "PERSON",
        "name": "林晓",
        "share_percent": Decimal(100),
        "identity_kind": "RESIDENT",
        "identity_no": body + ric.calc_check_digit(f"{body}0"),
        "identity_until": clock.business_date(at + timedelta(days=2400)),
        "legal_representative": True,
        "source_of_funds": "BUSINESS",
    }


def _picture(title: str) -> bytes:
    """Return a sheet with its title, as a picture of a paper that does not exist."""
    sheet = Image.new("RGB", (1000, 640), "#f5f1e6")
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((30, 30, 970, 610), outline="#8b1a1a", width=6)
    pen.text((80, 80), f"DEMO  {title.replace('_', ' ')}", fill="#333333", font_size=44)
    for line in range(6):
        pen.rectangle((80, 200 + 60 * line, 80 + 700 - 60 * line, 214 + 60 * line), fill="#c9c2b0")
    held = io.BytesIO()
    sheet.save(held, "JPEG", quality=80)
    return held.getvalue()
