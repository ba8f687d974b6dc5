"""The OpenAPI document: valid, whole, and in the reader's language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.validation import validate_schema

from tests.api.caller import routes

CHINESE = re.compile("[\u4e00-\u9fff]")


def document(language: str) -> dict[str, Any]:
    answer = Client().get("/api/schema/", headers={"Accept-Language": language})
    assert answer.status_code == 200
    found: dict[str, Any] = json.loads(answer.content)
    return found


@pytest.fixture(params=["zh-CN", "en"])
def found(request: pytest.FixtureRequest) -> dict[str, Any]:
    call_command("compile_catalogues", verbosity=0)
    return document(request.param)


def operations(found: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path.removeprefix("/api/v1/")): operation
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
    }


def texts(found: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text for people with its place."""
    if isinstance(found, dict):
        for name, value in found.items():
            if name in ("summary", "description") and isinstance(value, str):
                yield place, value
            else:
                yield from texts(value, f"{place}/{name}")
    elif isinstance(found, list):
        for number, value in enumerate(found):
            yield from texts(value, f"{place}/{number}")


class TestTheDocument:
    def test_is_valid_openapi_3_1(self, found: dict[str, Any]) -> None:
        assert found["openapi"].startswith("3.1.")
        validate_schema(found)

    def test_covers_every_route_and_nothing_else(self, found: dict[str, Any]) -> None:
        known = {
            (method, re.sub(r"<str:(\w+)>", r"{\1}", pattern))
            for pattern, view in routes()
            for method in view.required_scopes
        }

        assert set(operations(found)) == known

    def test_says_of_each_operation_what_it_needs_and_answers(self, found: dict[str, Any]) -> None:
        names = []
        for (method, path), operation in operations(found).items():
            names.append(operation["operationId"])
            assert operation["security"] == [{"apiKey": []}], path
            answers = operation["responses"]
            good = [status for status in answers if status.startswith("2")]
            assert len(good) == 1, path
            assert {"400", "401", "403", "404", "429"} <= set(answers), path
            for status in set(answers) - set(good):
                assert set(answers[status]["content"]) == {"application/problem+json"}, path
            heads = [each["name"] for each in operation.get("parameters", [])]
            assert ("Idempotency-Key" in heads) == (method == "POST"), path
        assert len(names) == len(set(names))

    def test_says_that_inputs_take_no_other_field(self, found: dict[str, Any]) -> None:
        inputs = {
            name: schema
            for name, schema in found["components"]["schemas"].items()
            if name.endswith("InputRequest") and "oneOf" not in schema
        }

        assert len(inputs) >= 4
        assert {schema["additionalProperties"] for schema in inputs.values()} == {False}
        amounts = [
            schema["properties"]["amount_minor"]
            for schema in inputs.values()
            if "amount_minor" in schema["properties"]
        ]
        assert {(each["type"], each["minimum"], each["maximum"]) for each in amounts} == {
            ("integer", 1, 10**15)
        }


def test_every_text_is_in_the_readers_language() -> None:
    call_command("compile_catalogues", verbosity=0)
    chinese, english = list(texts(document("zh-CN"))), list(texts(document("en")))

    assert len(chinese) == len(english) > 100
    assert [text for text in chinese if not CHINESE.search(text[1])] == []
    assert [text for text in english if CHINESE.search(text[1])] == []
    assert [text for text in english if not text[1]] == []
