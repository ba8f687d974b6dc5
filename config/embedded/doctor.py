"""`./run doctor`: the state of every pre-condition, and of the servers. It starts nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict

from config.embedded import preconditions
from config.embedded.environment import Place, variables
from config.embedded.postgres import APPLICATION, OWNER
from config.embedded.preconditions import CannotGoOn, Finding
from config.embedded.servers import Servers


def main(place: Place, arguments: list[str]) -> int:
    """Print what holds and what does not, `--json` for programs; 2 when anything does not."""
    if set(arguments) - {"--json"}:
        raise CannotGoOn("doctor takes --json and nothing else.")
    findings = examine(place)
    if arguments:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            mark = "ok  " if finding.fine else "FAIL"
            sys.stdout.write(f"{mark}  {finding.name:<{width}}  {finding.says}\n")
    return 0 if all(finding.fine for finding in findings) else 2


def examine(place: Place) -> list[Finding]:
    """Return one finding for each pre-condition, in the order in which a start meets them."""
    servers = Servers(place)
    checks: dict[str, Callable[[], str]] = {
        "python": lambda: sys.version.split()[0],
        "venv": preconditions.venv_module,
        "state folder": lambda: preconditions.writable(place.var),
    }
    if servers.embeds_database or servers.embeds_broker:
        checks["platform"] = preconditions.supported_platform
    if servers.embeds_database:
        checks["user namespace"] = preconditions.user_namespace
    checks["libraries"] = lambda: _libraries(servers)
    checks["database"] = lambda: _database(servers)
    checks["broker"] = lambda: _broker(servers)
    checks["web port"] = lambda: f"{preconditions.free_port(8000)} is free on 127.0.0.1"
    checks["product"] = lambda: _product(servers)
    return [preconditions.finding(name, check) for name, check in checks.items()]


def _libraries(servers: Servers) -> str:
    if servers.interpreter.ready:
        return f"{servers.interpreter.python}"
    return "not installed yet; the first command does it"


def _database(servers: Servers) -> str:
    if not servers.embeds_database:
        owner = "DATABASE_OWNER_URL" in os.environ
        return "outside: DATABASE_URL" + (" and DATABASE_OWNER_URL" if owner else " alone")
    if not servers.cluster.data.exists():
        return "embedded, not made yet"
    running = servers.interpreter.ready and servers.cluster.answers()
    return f"embedded, {'running' if running else 'stopped'}, socket in {servers.cluster.socket}"


def _broker(servers: Servers) -> str:
    if not servers.embeds_broker:
        return "outside: CELERY_BROKER_URL"
    return f"embedded, {'running' if servers.broker.answers() else 'stopped'}"


def _product(servers: Servers) -> str:
    """Let Django check itself where its database can be reached; the role guard is part of it."""
    if not servers.interpreter.ready:
        return "not checked: the libraries are not installed"
    if servers.embeds_database and not servers.cluster.answers():
        return "not checked: the database does not run"
    environment = variables(servers.place, servers.interpreter, settings="config.settings.local")
    if servers.embeds_database:
        environment["DATABASE_URL"] = servers.cluster.url(APPLICATION)
        environment["DATABASE_OWNER_URL"] = servers.cluster.url(OWNER)
    command = servers.interpreter.words("manage.py", "check", "--database", "default")
    told = subprocess.run(
        [*command, "--fail-level", "WARNING"],
        cwd=servers.place.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode:
        lines = [line.strip() for line in told.stderr.splitlines() if line.startswith("?:")]
        raise CannotGoOn(" ".join(lines) or told.stderr.strip().splitlines()[-1])
    return "Django's checks and the role guard hold"
