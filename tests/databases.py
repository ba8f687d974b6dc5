"""
Databases of the tests: a template migrated once per state of the code, and clones of it.

Nothing is ever flushed: triggers refuse TRUNCATE. Ordinary tests share one clone per process inside
transactions; `cloned_db` gives a test a database of its own. All code under test connects as the
application's role.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

ROOT = Path(__file__).resolve().parent.parent
_LOCK = 7_426_801  # advisory lock under which a template is made
_PREFIX = "ch_" + hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]


def url(variable: str, name: str) -> str:
    """Return the URL of an environment variable with another database name."""
    parts = conninfo_to_dict(os.environ[variable]) | {"dbname": name}
    user, host = parts.pop("user", ""), parts.pop("host", "")
    password, port = parts.pop("password", ""), parts.pop("port", "")
    dbname = parts.pop("dbname")
    secret = f":{password}" if password else ""
    if str(host).startswith("/"):
        return f"postgresql://{user}{secret}@/{dbname}?host={host}" + (
            f"&port={port}" if port else ""
        )
    return f"postgresql://{user}{secret}@{host}{f':{port}' if port else ''}/{dbname}"


@contextmanager
def _server() -> Iterator[psycopg.Connection]:
    """Connect as the owner to the maintenance database, outside any transaction."""
    conninfo = make_conninfo(os.environ["DATABASE_OWNER_URL"], dbname="postgres")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        yield connection


def _state() -> str:
    """Return a short hash over everything a migrated database depends on."""
    digest = hashlib.sha256()
    for pattern in (
        "*/migrations/*.py",
        "*/sql/*.sql",
        "*/chart.py",
        "*/data/*",
        "config/sql/*.sql",
    ):
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file():
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _exists(server: psycopg.Connection, name: str) -> bool:
    found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    return found.fetchone() is not None


def _drop_old(server: psycopg.Connection, keep: str) -> None:
    """Drop templates of earlier states, and clones that a killed run left behind."""
    rows = server.execute(
        "SELECT datname FROM pg_database d WHERE (datname LIKE %s OR datname LIKE %s)"
        " AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname)",
        [f"{_PREFIX}_template_%", f"{_PREFIX}_clone_{os.getppid()}_%"],
    ).fetchall()
    for (name,) in rows:
        if name != keep:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


def template() -> str:
    """Return the name of the migrated template, making it when this state of the code has none."""
    name = f"{_PREFIX}_template_{_state()}"
    with _server() as server:
        server.execute("SELECT pg_advisory_lock(%s)", [_LOCK])  # one worker makes it, others wait
        if _exists(server, name):
            return name
        _drop_old(server, keep=name)
        building = name + "_building"
        identifier = sql.Identifier(building)
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
        server.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
        with psycopg.connect(url("DATABASE_OWNER_URL", building), autocommit=True) as owner:
            owner.execute((ROOT / "config/sql/grants.sql").read_bytes())
        environment = os.environ | {
            "DATABASE_URL": url("DATABASE_URL", building),
            "DATABASE_OWNER_URL": url("DATABASE_OWNER_URL", building),
        }
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        server.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(identifier, sql.Identifier(name))
        )
    return name


def clone(of: str) -> str:
    """Return the name of a fresh clone of a template."""
    name = f"{_PREFIX}_clone_{os.getppid()}_{uuid.uuid4().hex[:10]}"
    with _server() as server:
        server.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(of)
            )
        )
    return name


def drop(name: str) -> None:
    """Drop a clone, whoever is still connected to it."""
    with _server() as server:
        server.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def use(name: str) -> None:
    """Point Django and the environment, so subprocesses too, at a database."""
    from django.conf import settings
    from django.db import connections

    for alias, variable in (("default", "DATABASE_URL"), ("owner", "DATABASE_OWNER_URL")):
        connections[alias].close()
        settings.DATABASES[alias]["NAME"] = name
        connections[alias].settings_dict["NAME"] = name
        os.environ[variable] = url(variable, name)
