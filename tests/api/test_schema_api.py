"""Whatever a program sends: never a 500, and always an answer of the document's shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode, checks

from tests.api.caller import Caller, routes
from tests.factories import payout as make
from tests.servers import serving

PROVED = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]


def prove(operation: Any, mode: GenerationMode, head: dict[str, str]) -> None:
    """Send what the document allows (or forbids), and hold the answers against it."""

    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def keeps(case: Any) -> None:
        answer = case.call(headers=head)
        if answer.status_code != 414:  # an address of more than 4 kB ends at gunicorn
            case.validate_response(answer, checks=PROVED)

    keeps()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_operation_keeps_to_the_document(cloned_db: str, tmp_path: Path) -> None:
    account = make.payee(1_000_000_00)
    owner, house = Caller(account.merchant), Caller(None)
    walked = []
    limits = {"API_READ_PER_MINUTE": "0", "API_WRITE_PER_MINUTE": "0"}

    with serving(tmp_path, threads=2, **limits) as served:
        document = schemathesis.openapi.from_url(f"{served.address}/api/schema/")
        for found in document.get_all_operations():
            operation = found.ok()
            caller = house if operation.path.endswith("/payments") else owner
            prove(operation, GenerationMode.POSITIVE, caller.head)
            if operation.body or operation.query:
                prove(operation, GenerationMode.NEGATIVE, caller.head)
            walked.append(operation.label)

    assert len(walked) == sum(len(view.required_scopes) for _pattern, view in routes())
    assert make.broken() == []
