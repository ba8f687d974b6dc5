"""Applications of the demo: one waits for its first review, one is still being entered."""

from __future__ import annotations

import io
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Applicant:
    """An applicant of our own making; `body` and `identity` lack their check digits."""

    name: str
    body: str
    industry: str
    city: str
    address: str
    site: str
    account: str
    owner: str
    identity: str
    email: str
    phone: str


COFFEE: Final = Applicant(
    name="杭州南山咖啡有限公司", body="91330102DEMA12345", industry="5814", city="杭州",
    address="上城区南山路 8 号", site="南山路店", account="1202020209000012345",
    owner="林晓", identity="33010219900101001", email="lin.xiao@example.com", phone="13900000000",
)  # fmt: skip
GROCER: Final = Applicant(
    name="宁波海曙食品有限公司", body="91330203DEMA54321", industry="5411", city="宁波",
    address="海曙区中山东路 66 号", site="中山路店", account="3901110009000067890",
    owner="郑岩", identity="33020319880808002", email="zheng.yan@example.com",
    phone="13900000001",
)  # fmt: skip


def make(*, entered_by: User, at: datetime) -> None:
    """Enter the two applications, once; numbers and papers are made up."""
    if Application.objects.exists():
        return
    draft = applications.begin(maker=entered_by, at=at)
    applications.save(
        application_id=draft.id,
        revision=0,
        maker=entered_by,
        profile={"name": "苏州河茶行有限公司", "industry_id": "5499", "city": "上海"},
    )
    submit(COFFEE, entered_by=entered_by, at=at)


def submit(shop: Applicant, *, entered_by: User, at: datetime) -> Application:
    """Enter a whole application with its papers, and submit it."""
    whole = applications.begin(maker=entered_by, at=at)
    owners, contacts, sites = parts(shop, at)
    saved = applications.save(
        application_id=whole.id,
        revision=0,
        maker=entered_by,
        profile=_profile(shop, at),
        owners=owners,
        contacts=contacts,
        sites=sites,
    )
    for kind in _PAPERS:
        send_in(whole, kind, f"{kind.lower()}.jpg", by=entered_by, at=at)
    revision = saved.application.revision
    return applications.submit(application_id=whole.id, revision=revision, maker=entered_by, at=at)


def parts(shop: Applicant, at: datetime) -> tuple[list[dict[str, Any]], ...]:
    """Return owners, contacts and sites as the form takes them."""
    contact = {"role": "OWNER", "name": shop.owner, "email": shop.email, "phone": shop.phone}
    site = {"kind": "SHOP", "name": shop.site, "place": shop.address}
    return [_owner(shop, at)], [{"line_no": 1, **contact}], [{"line_no": 1, **site}]


def send_in(of: Application, kind: Document.Kind, name: str, *, by: User, at: datetime) -> None:
    """Add a made-up paper to an open application."""
    documents.add(
        application_id=of.id,
        kind=kind,
        file=io.BytesIO(_picture(f"{of.number} {kind}")),
        file_name=name,
        maker=by,
        at=at,
    )


def _profile(shop: Applicant, at: datetime) -> dict[str, Any]:
    return {
        "name": shop.name,
        "registration_no": shop.body + uscc.calc_check_digit(shop.body),
        "licence_until": clock.business_date(at + timedelta(days=1500)),
        "industry_id": shop.industry,
        "region": "浙江",
        "city": shop.city,
        "address": shop.address,
        "contract_type": "FUNDS_HELD",
        "products": ["qr", "card"],
        "reviewed_by_whom": "HOUSE",
        "settled_by_whom": "HOUSE",
        "loss_borne_by": "CHANNEL",
        "account_kind": "CORPORATE",
        "account_number": shop.account,
        "account_holder": shop.name,
        "bank_name": "演示银行",
        "bank_code": "102100099996",
    }


def _owner(shop: Applicant, at: datetime) -> dict[str, Any]:
    return {
        "line_no": 1,
        "through_no": None,
        "kind": "PERSON",
        "name": shop.owner,
        "share_percent": Decimal(100),
        "identity_kind": "RESIDENT",
        "identity_no": shop.identity + ric.calc_check_digit(f"{shop.identity}0"),
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
