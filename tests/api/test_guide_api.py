"""The guide (docs/rules/api.md): each example is run as it stands, and each table is true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_framework import exceptions

from config.errors import DomainError
from tests.api.caller import Caller, routes
from tests.api.world import World
from tests.databases import ROOT
from tests.servers import serving

GUIDE = (ROOT / "docs/rules/api.md").read_text(encoding="utf-8")
EXACT = {"code", "reason", "field", "outcome", "title"}
OURS = {"internal_error": 500, "try_again": 503, "validation_failed": 400, "forbidden": 403}

# What the examples call `curl`, for machines that have none; it notes each status.
CURL = """#!{python}
import os, sys, urllib.error, urllib.request
words, head, body, method, url = sys.argv[1:], {{}}, None, None, None
while words:
    word = words.pop(0)
    if word == "-H":
        name, _colon, value = words.pop(0).partition(":")
        head[name] = value.strip()
    elif word == "-d":
        body = words.pop(0).encode()
    elif word == "-X":
        method = words.pop(0)
    else:
        url = word
try:
    answer = urllib.request.urlopen(urllib.request.Request(url, body, head, method=method))
except urllib.error.HTTPError as error:
    answer = error
with open(os.environ["STATUSES"], "a") as file:
    file.write(f"{{answer.status}}\\n")
sys.stdout.write(answer.read().decode() + "\\n")
"""


def examples() -> Iterator[tuple[str, Any]]:
    """Yield each block of commands with the answer that the guide shows for its last one."""
    blocks = re.findall(r"```(sh|json)\n(.*?)```", GUIDE, flags=re.DOTALL)
    for number, (kind, text) in enumerate(blocks):
        if kind == "sh":
            following = blocks[number + 1 : number + 2]
            shown = json.loads(following[0][1]) if following and following[0][0] == "json" else None
            yield re.sub(r"^(API|KEY)=.*\n", "", text, flags=re.MULTILINE), shown


def differs(shown: Any, said: Any, place: str = "") -> Iterator[str]:
    """Yield where an answer has other names or types than the guide shows."""
    if isinstance(shown, dict) and isinstance(said, dict):
        if list(shown) != list(said):
            yield f"{place}: {list(said)} instead of {list(shown)}"
        for name in shown:
            if name in EXACT and shown[name] != said.get(name):
                yield f"{place}.{name}: {said.get(name)!r} instead of {shown[name]!r}"
            yield from differs(shown[name], said.get(name), f"{place}.{name}")
    elif isinstance(shown, list) and isinstance(said, list):
        if bool(shown) != bool(said):
            yield f"{place}: {said!r}"
        if shown and said:
            yield from differs(shown[0], said[0], f"{place}[0]")
    elif type(shown) is not type(said) and not (place.endswith("cursor") and said is None):
        yield f"{place}: {said!r} instead of {shown!r}"


def test_every_example_answers_as_shown(cloned_db: str, tmp_path: Path) -> None:
    world = World(tmp_path)
    shim = tmp_path / "bin/curl"
    shim.parent.mkdir()
    shim.write_text(CURL.format(python=sys.executable))
    shim.chmod(0o755)
    statuses = tmp_path / "statuses"
    order = world.owner.get("payments").json()["items"][0]["order_no"]
    wrong = []

    with serving(tmp_path) as served:
        environment = os.environ | {
            "PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}",
            "STATUSES": str(statuses),
            "API": f"{served.address}/api/v1",
            "KEY": world.owner.token,
            "TILL": Caller(None).token,
            "MERCHANT": world.shop.merchant.merchant_no,
            "PAYEE": str(world.shop.account.uuid),
            "ORDER": order,
            **{name.upper(): number for name, number in world.numbers.items()},
        }
        for commands, shown in examples():
            statuses.write_text("")
            told = subprocess.run(
                ["sh", "-euc", commands],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            answered = {int(line) for line in statuses.read_text().split()}
            refused = isinstance(shown, dict) and "status" in shown and "detail" in shown
            if refused != bool([status for status in answered if status >= 400]):
                wrong.append(f"{commands}{answered}: {told.stdout}")
            if shown is not None:
                said = json.loads(told.stdout.strip().splitlines()[-1])
                wrong += [f"{commands}{each}" for each in differs(shown, said)]

    assert wrong == []
    assert len(list(examples())) >= 12


def test_the_table_of_scopes_is_true() -> None:
    rows = re.findall(r"^\| `?([a-z: ]+)`? \| (`(?:GET|POST) .*) \|$", GUIDE, flags=re.MULTILINE)
    shown = {
        (call, "" if scope == "none needed" else scope)
        for scope, calls in rows
        for call in re.findall("`([^`]+)`", calls)
    }
    known = {
        (f"{method} {re.sub(r'<str:(.+?)>', r'{@}', pattern)}", str(scope or ""))
        for pattern, view in routes()
        for method, scope in view.required_scopes.items()
    }

    assert {(re.sub(r"\{.+?\}", "{@}", call), scope) for call, scope in shown} == known


def test_the_table_of_errors_is_true() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (`[a-z_`, ]+) \|", GUIDE, flags=re.MULTILINE)
    shown = {(code, int(status)) for status, codes in rows for code in re.findall("[a-z_]+", codes)}
    known = set(OURS.items())
    known |= {(each.code, each.http_status) for each in below(DomainError)}
    known |= {(str(each.default_code), each.status_code) for each in below(exceptions.APIException)}

    assert len(shown) >= 25
    assert shown - known == set()


def below(kind: Any) -> Iterator[Any]:
    for each in kind.__subclasses__():
        yield each
        yield from below(each)


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.django_db
def test_the_guides_refusals_speak_both_languages(language: str) -> None:
    caller = Caller(None)
    caller.head |= {"Accept-Language": language}

    said = caller.get("balances").json()

    assert said["code"] == "merchant_no_missing"
    assert bool(re.search("[\u4e00-\u9fff]", said["detail"])) == (language == "zh-CN")
