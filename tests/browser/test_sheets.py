"""Sheets in a real browser: preview, proposal, approval by another; export, download; PDF pages."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from foundation import clock
from foundation.models import Approval, FileExport, User
from foundation.services import outbox
from merchants.models import Merchant
from merchants.services import document as documents
from tests.browser.test_application import Desk, desk, somebody
from tests.factories import application as factory
from tests.merchants.test_document_preview import RED, pdf

__all__ = ["desk"]

pytestmark = pytest.mark.browser
HEADER = "merchant_no,name,registration_no,city,region,country,schedule"
PHONE = {"width": 390, "height": 844}


@pytest.mark.parametrize(
    ("language", "found"), [("zh-hans", "可下载"), ("en", "ready to download")]
)
def test_a_sheet_comes_in_by_two_people_and_goes_out_as_a_file(
    desk: Callable[..., Desk], cloned_db: str, tmp_path: Path, language: str, found: str
) -> None:
    for role in ("operator", "checker"):
        somebody(role, language)
    operator, checker = desk("operator", language), desk("checker", language)

    bad, good = tmp_path / "bad.csv", tmp_path / "good.csv"
    bad.write_text(f"{HEADER}\nX1,湖畔茶业,,上海,SH,ZZZ,\n", encoding="utf-8")
    good.write_text(f"{HEADER}\nX1,湖畔茶业,,上海,SH,CN,\n", encoding="utf-8")
    operator.open("foundation_import", "merchants")
    operator.page.set_input_files("[name=file]", bad)
    operator.click(".form-page form[method=post] button[type=submit]")
    assert "ZZZ" in operator.page.inner_text(".plain-page")
    operator.seen("sheet-1-refused")
    assert {fault[:3] for fault in operator.watched.faults} <= {"400", "con"}  # refused, and said
    operator.watched.faults.clear()
    operator.page.set_input_files("[name=file]", good)
    operator.click(".form-page form[method=post] button[type=submit]")
    operator.page.wait_for_selector("table.sheet")
    assert "湖畔茶业" in operator.page.inner_text("table.sheet")
    operator.seen("sheet-2-preview")
    operator.click("button[value=confirm]")
    operator.fits()
    assert not Merchant.objects.filter(merchant_no="X1").exists()

    proposal = Approval.objects.get(action="merchants.merchant_import")
    checker.open("foundation_approval_change", proposal.pk)
    checker.seen("sheet-3-proposal")
    checker.press("form[action$='/step/approve/'] button")
    checker.fits()
    assert Merchant.objects.get(merchant_no="X1").name == "湖畔茶业"

    operator.open("foundation_export", "merchants")
    operator.page.select_option("[name=format]", "csv")
    operator.click(".form-page form[method=post] button[type=submit]")
    outbox.drain(inline=True)  # the worker
    export = FileExport.objects.get()
    operator.open("foundation_fileexport_change", export.pk)
    operator.page.get_by_text(found).first.wait_for()
    operator.seen("sheet-4-export")
    with operator.page.expect_download() as download:
        operator.page.click(f"a[href$='/export/file/{export.pk}/']")
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    assert [row[1] for row in csv.reader(io.StringIO(text))][1:] == ["湖畔茶业"]
    operator.fits()


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_pages_of_a_pdf_stand_beside_the_form(
    desk: Callable[..., Desk], cloned_db: str, language: str
) -> None:
    maker: User = somebody("operator", language)
    somebody("reviewer", language)
    application = factory.draft(maker)
    documents.add(
        application_id=application.id, kind="CONTRACT", file_name="合同.pdf", maker=maker,
        file=io.BytesIO(pdf(RED, *[b""] * 24, size=(595, 842))), at=clock.now(),
    )  # fmt: skip

    screens: dict[str, dict[str, str]] = {"desk": {}, "phone": {"color_scheme": "dark"}}
    for name, screen in screens.items():
        reviewer = desk("reviewer", language, **screen)
        if name == "phone":
            reviewer.page.set_viewport_size(PHONE)
        reviewer.open("merchants_application_change", application.pk)
        pages = reviewer.page.locator("[id='at-documents.CONTRACT'] .pages img")
        pages.first.scroll_into_view_if_needed()
        reviewer.page.wait_for_function(
            "document.querySelector(\"[id='at-documents.CONTRACT'] img\").naturalWidth > 1000"
        )
        assert pages.count() == 20
        said = reviewer.page.inner_text("[id='at-documents.CONTRACT']")
        assert "20" in said
        assert "25" in said
        reviewer.seen(f"pdf-{name}")
        reviewer.fits()
