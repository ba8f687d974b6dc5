"""Merchants that stand on an application, and changes of them on their way."""

from __future__ import annotations

from typing import Any

from foundation.models import Approval, User
from foundation.services import approval as approvals
from merchants.models import Application, Merchant
from merchants.selectors import application as selectors
from merchants.services import application as applications
from merchants.services import application_change as changes
from merchants.services import application_review as reviews
from tests.factories import application as factory
from tests.factories import confirmation
from tests.factories.application import AT
from tests.factories.foundation import UserFactory

PROFILE = {
    name: value
    for name, value in factory.PROFILE.items()
    if not name.startswith(("account", "bank", "schedule"))
}
NEW_NAME = "杭州湖畔茶业集团有限公司"


def somebody(**more: Any) -> User:
    """Return somebody of the staff who may do anything, whoever he is."""
    user: User = UserFactory(is_staff=True, is_superuser=True, **more)
    return user


def merchant() -> Merchant:
    """Return a merchant that came by an application."""
    return confirmation.merchant_with_phone()


def begun(of: Merchant, maker: User, kind: str = "CHANGE") -> Application:
    """Return an untouched draft of a change."""
    return changes.begin(merchant_id=of.id, kind=kind, maker=maker, at=AT)


def filled(
    application: Application,
    maker: User,
    *,
    papers: tuple[str, ...] = (),
    owners: list[dict[str, Any]] | None = None,
    contacts: list[dict[str, Any]] | None = None,
    **profile: Any,
) -> Application:
    """Return the draft with these fields changed and these papers sent in anew."""
    application.refresh_from_db()
    saved = applications.save(
        application_id=application.id,
        revision=application.revision,
        maker=maker,
        profile=PROFILE | profile,
        owners=[factory.OWNER] if owners is None else owners,
        contacts=[factory.CONTACT] if contacts is None else contacts,
        sites=[factory.SITE],
    )
    assert saved.problems == {}
    for kind in papers:
        factory.paper(saved.application, kind, maker, factory.picture(colour="navy"))
    return saved.application


def submitted(of: Merchant, maker: User, kind: str = "CHANGE", **more: Any) -> Application:
    """Return a change that waits for its first review; a new name unless something else is said."""
    if kind == "CHANGE" and not more:
        more = {"name": NEW_NAME, "papers": ("LICENCE",)}
    application = filled(begun(of, maker, kind), maker, **more)
    return applications.submit(
        application_id=application.id, revision=application.revision, maker=maker, at=AT
    )


def proposed(
    of: Merchant, maker: User, reviewer: User, kind: str = "CHANGE", **more: Any
) -> tuple[Application, Approval]:
    """Return a change that passed its first review, with the proposal to approve it."""
    grade = more.pop("risk_grade", 1)
    application = submitted(of, maker, kind, **more)
    reviews.begin(application_id=application.id, reviewer=reviewer, at=AT)
    approval = reviews.propose(
        application_id=application.id, reviewer=reviewer, risk_grade=grade, reason="seen", at=AT
    )
    application.refresh_from_db()
    return application, approval


def decide(approval: Approval, checker: User, *, approve: bool = True) -> None:
    """Decide on exactly what the proposal says."""
    approvals.decide(
        approval_id=approval.id, merchant_id=approval.merchant_id, checker=checker,
        approve=approve, reason="seen", seen_sha256=approval.content_sha256, at=AT,
    )  # fmt: skip


def in_force(of: Merchant) -> Application:
    """Return the application a merchant stands on now."""
    of.refresh_from_db()
    found = selectors.of_merchant(of)
    assert found is not None
    return found
