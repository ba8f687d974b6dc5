"""
Databases of the tests: a template migrated once per state of the code, and clones of it.

Clones lie in memory where that can be. Nothing is ever flushed: triggers refuse TRUNCATE. Ordinary
tests share one clone per process inside transactions; `cloned_db` gives a test a database of its
own. All code under test connects as the application's role.

Names: `ch_<checkout>_template_<state>` and `ch_<checkout>_clone_<session>_<number>`. A session
holds an advisory lock on its token and a shared one on its template; what nobody holds is left over
from a run that was killed, or from an earlier state of the code, and is dropped.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import secrets
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("config", "foundation", "merchants", "ledger", "channels", "settlement")
# What a migrated database does not depend on, so that a change there keeps the template.
DOORS = {"admin", "api", "portal", "selectors", "services", "adapters", "simulator", "embedded"}

_PREFIX = "ch_" + hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
_MAKING, _SESSION, _TEMPLATE = 7_426_801, 7_426_802, 7_426_803  # classes of advisory locks
_MEMORY, _ROOM = Path("/dev/shm"), 4 << 30
_token = secrets.randbits(31)
_numbers = itertools.count(1)


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


@cache
def _server() -> psycopg.Connection:
    """Connect as the owner to the maintenance database for the session, and lock its token."""
    conninfo = make_conninfo(os.environ["DATABASE_OWNER_URL"], dbname="postgres")
    server = psycopg.connect(conninfo, autocommit=True)
    server.execute("SELECT pg_advisory_lock(%s, %s)", [_SESSION, _token])
    return server


def _state() -> str:
    """Return a short hash over everything a migrated database depends on."""
    digest = hashlib.sha256((ROOT / "requirements-dev.lock").read_bytes())
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            inner = path.relative_to(ROOT)
            if path.is_file() and path.suffix != ".pyc" and not DOORS & set(inner.parts[:2]):
                digest.update(str(inner).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _lock_of(name: str) -> tuple[int, int]:
    """Return the advisory lock that users of this template or clone hold."""
    kind, token = name.removeprefix(_PREFIX + "_").split("_")[:2]
    return (_TEMPLATE, int(token[:7], 16)) if kind == "template" else (_SESSION, int(token))


def _drop_left_over(server: psycopg.Connection, *, keep: str) -> None:
    """Drop this checkout's templates of earlier states and the clones of runs that are no more."""
    rows = server.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [_PREFIX + "_"]
    ).fetchall()
    for name in {name for (name,) in rows} - {keep}:
        lock = _lock_of(name)
        if lock == (_SESSION, _token):
            continue
        row = server.execute("SELECT pg_try_advisory_lock(%s, %s)", lock).fetchone()
        if row == (True,):
            drop(name)
            server.execute("SELECT pg_advisory_unlock(%s, %s)", lock)


def template() -> str:
    """Return the name of the migrated template, making it when this state of the code has none."""
    name = f"{_PREFIX}_template_{_state()}"
    server = _server()
    server.execute("SELECT pg_advisory_lock(%s, 0)", [_MAKING])  # one worker makes it, others wait
    try:
        server.execute("SELECT pg_advisory_lock_shared(%s, %s)", _lock_of(name))
        found = server.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone()
        if found is None:
            _make(server, name)
        _drop_left_over(server, keep=name)
        _tablespace()  # under the lock, so that one process makes it
    finally:
        server.execute("SELECT pg_advisory_unlock(%s, 0)", [_MAKING])
    return name


def _make(server: psycopg.Connection, name: str) -> None:
    """Create and migrate under another name, so that a half-made template is never used."""
    building = name + "_building"
    drop(building)
    server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(building)))
    environment = os.environ | {
        "DATABASE_URL": url("DATABASE_URL", building),
        "DATABASE_OWNER_URL": url("DATABASE_OWNER_URL", building),
    }
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    _let_factories_make_staff(building)
    server.execute(
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
            sql.Identifier(building), sql.Identifier(name)
        )
    )
    # Nobody may connect, autovacuum neither: a clone is refused while its template is in use.
    closed = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false")
    server.execute(closed.format(sql.Identifier(name)))


def _let_factories_make_staff(name: str) -> None:
    """
    Give the product's role the right to make staff without a proposal (ROL-13), in tests alone.

    Thousands of tests begin with somebody of staff, made inside the transaction of the test, so by
    the product's role. tests/foundation/test_staff_guards.py takes the right away again.
    """
    role = conninfo_to_dict(os.environ["DATABASE_URL"]).get("user")
    if role:  # else the system's own user, who then owns the tables too
        with psycopg.connect(url("DATABASE_OWNER_URL", name), autocommit=True) as owner:
            grant = sql.SQL("GRANT EXECUTE ON FUNCTION foundation_staff_by_hand() TO {}")
            owner.execute(grant.format(sql.Identifier(str(role))))


def clone(of: str) -> str:
    """Return the name of a fresh clone of a template."""
    name = f"{_PREFIX}_clone_{_token}_{next(_numbers)}"
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    parts = [statement.format(sql.Identifier(name), sql.Identifier(of))]
    if where := _tablespace():
        parts.append(sql.SQL("TABLESPACE {}").format(sql.Identifier(where)))
    _server().execute(sql.SQL(" ").join(parts))
    return name


@cache
def _tablespace() -> str:
    """
    Return where clones are put: in memory, if the server is on this machine and lets us; else "".

    On disk each clone makes and removes a thousand files, and a file system without a journal
    looks through all that were removed in the last minutes whenever it makes another one: after a
    few hundred clones one took half a second of processor instead of a twentieth.
    """
    url_of_superuser = os.environ.get("DATABASE_SUPERUSER_URL", "")
    if not _MEMORY.is_dir() or shutil.disk_usage(_MEMORY).free < _ROOM or not url_of_superuser:
        return ""
    try:
        with psycopg.connect(url_of_superuser, autocommit=True) as superuser:
            return _made_in_memory(superuser)
    except (psycopg.Error, OSError):  # another machine's server, or one that may not write there
        return ""


def _made_in_memory(superuser: psycopg.Connection) -> str:
    """Make this checkout's tablespace of this cluster, unless it is there and whole."""
    row = superuser.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
    name = f"{_PREFIX}_{row[0] if row else ''}"
    folder = _MEMORY / name
    known = superuser.execute("SELECT 1 FROM pg_tablespace WHERE spcname = %s", [name]).fetchone()
    if known and any(folder.glob("PG_*")):
        return name
    if known:  # the machine was started anew, and its memory with it
        superuser.execute(sql.SQL("DROP TABLESPACE {}").format(sql.Identifier(name)))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    statement = sql.SQL("CREATE TABLESPACE {} LOCATION {}")
    superuser.execute(statement.format(sql.Identifier(name), sql.Literal(str(folder))))
    grant = sql.SQL("GRANT CREATE ON TABLESPACE {} TO PUBLIC").format(sql.Identifier(name))
    superuser.execute(grant)
    return name


def drop(name: str) -> None:
    """Drop a database, whoever is still connected to it."""
    _end_connections(name)
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    for pause in (0.05, 0.2, 1.0):
        try:
            _server().execute(statement)
            return
        except psycopg.errors.InsufficientPrivilege:  # a superuser's session that is just ending
            time.sleep(pause)
    _server().execute(statement)


def _end_connections(name: str) -> None:
    """End the connections that the owner may not end: the application's role ends its own."""
    conninfo = make_conninfo(os.environ["DATABASE_URL"], dbname="postgres")
    with psycopg.connect(conninfo, autocommit=True) as application:
        application.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = %s AND usename = current_user",
            [name],
        )


def use(name: str) -> None:
    """Point Django and the environment, so subprocesses too, at a database."""
    from django.conf import settings
    from django.db import connections

    for alias, variable in (("default", "DATABASE_URL"), ("owner", "DATABASE_OWNER_URL")):
        connections[alias].close()
        settings.DATABASES[alias]["NAME"] = name  # threads started later read this dictionary
        connections[alias].settings_dict["NAME"] = name
        os.environ[variable] = url(variable, name)
