"""Where things lie, which interpreter runs the product, and the variables it is given."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from config.embedded import locks, preconditions, processes
from config.embedded.preconditions import CannotGoOn

SOCKET_BYTES = 100  # a UNIX socket's path must be shorter than 108
# What pip says, among much else, when the network is to blame.
UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ProxyError|\(from versions: (?:none)?\)"
)
PACKAGES = ("config", "foundation", "merchants", "ledger", "channels", "settlement", "locale")


@dataclass(frozen=True)
class Place:
    """One checkout and the folder of its state."""

    root: Path
    var: Path

    @classmethod
    def here(cls) -> Place:
        """Return this checkout; COUNTINGHOUSE_VAR moves the state elsewhere."""
        root = Path(__file__).resolve().parent.parent.parent
        named = os.environ.get("COUNTINGHOUSE_VAR")
        return cls(root, Path(named).absolute() if named else root / "var")

    @property
    def logs(self) -> Path:
        return self.var / "log"

    def step(
        self,
        command: Sequence[str | Path],
        doing: str,
        environment: dict[str, str] | None = None,
        *,
        folder: Path | None = None,
    ) -> None:
        """Run one step of the set-up, quietly; its output is in `var/log/setup.log`."""
        processes.step(
            command,
            environment=os.environ if environment is None else environment,
            folder=folder or self.root,
            log=self.logs / "setup.log",
            doing=doing,
        )

    def state(self) -> str:
        """Return a hash over the code and catalogues: while it stays, set-up stays valid."""
        digest = hashlib.sha256()
        for package in PACKAGES:
            for path in sorted((self.root / package).rglob("*")):
                if path.suffix in {".py", ".sql", ".po", ".csv", ".json"}:
                    inner = path.relative_to(self.root)
                    digest.update(str(inner).encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()


def socket_folder(wanted: Path) -> Path:
    """
    Return a folder, open to us alone, for a server's socket: `wanted`, or a short one of this user.

    Long paths do not fit a socket's address, and unusual letters do not fit every server's setting.
    """
    folder = _short(wanted) or wanted
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _require_ours(folder)
    return folder


def forget_socket_folder(wanted: Path) -> None:
    """Remove the short folder again, when its server has stopped."""
    short = _short(wanted)
    if short:
        with suppress(OSError):
            short.rmdir()


def _short(wanted: Path) -> Path | None:
    """Return the short folder that stands for one whose path is no socket's, else nothing."""
    longest = str(wanted / ".s.PGSQL.5432.lock")
    if len(os.fsencode(longest)) < SOCKET_BYTES and re.fullmatch(r"[\w./-]+", longest, re.ASCII):
        return None
    mark = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:12]
    return Path("/tmp") / f"countinghouse-{os.geteuid()}-{mark}"


def _require_ours(folder: Path) -> None:
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.geteuid():
        raise CannotGoOn(f"{folder} is not ours, so no socket can be put there; remove it.")
    folder.chmod(0o700)


class Interpreter:
    """
    The Python that has the locked libraries.

    `var/venv/<hash of the lock>` is made once, under a lock, and counts only when its last file is
    there: a set-up that was cut off is begun anew. COUNTINGHOUSE_PYTHON names an interpreter that
    has the libraries already; then nothing is installed.
    """

    def __init__(self, place: Place, *, development: bool) -> None:
        self.place = place
        self.given = os.environ.get("COUNTINGHOUSE_PYTHON")
        full, small = (
            self._folder("requirements-dev.lock"),
            self._folder("requirements.lock"),
        )
        lock = "requirements-dev.lock" if development or _complete(full) else "requirements.lock"
        self.lock = place.root / lock
        self.folder = full if lock == "requirements-dev.lock" else small

    def _folder(self, lock: str) -> Path:
        content = (self.place.root / lock).read_bytes() + sys.version.encode()
        return self.place.var / "venv" / hashlib.sha256(content).hexdigest()[:12]

    @property
    def python(self) -> Path:
        return Path(self.given) if self.given else self.folder / "bin/python"

    def words(self, *words: str | Path) -> list[str]:
        """Return the command that runs this interpreter with these words."""
        return [str(self.python), *map(str, words)]

    @property
    def ready(self) -> bool:
        return bool(self.given) or _complete(self.folder)

    def make(self) -> None:
        """Install the locked libraries, every file checked against its hash, unless they are."""
        if self.ready:
            return
        preconditions.venv_module()
        waiting = "Waiting for another ./run that installs the libraries."
        with locks.exclusive(self.place.var / "venv.lock", waiting=waiting):
            if self.ready:
                return
            sys.stderr.write(f"run: Installing the libraries of {self.lock.name} ...\n")
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self.place.step([sys.executable, "-m", "venv", self.folder], "Making the environment")
            pip = self.words("-m", "pip", "--disable-pip-version-check", "--no-input", "install")
            hashed = ["--quiet", "--no-cache-dir", "--require-hashes", "-r", str(self.lock)]
            self._install([*pip, *hashed])
            (self.folder / "complete").touch()

    def _install(self, command: Sequence[str]) -> None:
        try:
            self.place.step(command, "Installing the libraries")
        except CannotGoOn as failed:
            told = (self.place.logs / "setup.log").read_text(errors="replace")[-20_000:]
            if UNREACHABLE.search(told):
                raise CannotGoOn(
                    "The libraries cannot be fetched: no package index that has them can be reached"
                    f" (all of it in {self.place.logs / 'setup.log'})."
                ) from failed
            raise

    @cached_property
    def packages(self) -> Path:
        """Where the libraries lie."""
        program = "import sysconfig; print(sysconfig.get_path('platlib'))"
        told = subprocess.run([self.python, "-c", program], stdout=subprocess.PIPE, check=True)
        return Path(os.fsdecode(told.stdout).strip())


def _complete(folder: Path) -> bool:
    return (folder / "complete").is_file()


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def own_secrets(place: Place) -> dict[str, str]:
    """Return this state folder's random secrets, made at the first call; readable by us alone."""
    path = place.var / "secrets"
    if not path.exists():
        made = {
            "SECRET_KEY": secrets.token_urlsafe(64),
            "FIELD_KEYS": json.dumps({"k1": _key()}),
            "LOOKUP_KEY": _key(),
            "PASSWORD_PEPPER": _key(),
            "CHANNEL_SIMULATOR_SECRET": _key(),
        }
        new = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(made, file)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    stored: dict[str, str] = json.loads(path.read_text())
    return stored


def variables(place: Place, interpreter: Interpreter, *, settings: str) -> dict[str, str]:
    """Return the environment of the product's processes; what was given from outside wins."""
    given = dict(os.environ)
    given.setdefault("DJANGO_SETTINGS_MODULE", settings)
    given.setdefault("PYTHONUNBUFFERED", "1")
    given["PATH"] = f"{interpreter.python.parent}{os.pathsep}{given.get('PATH', os.defpath)}"
    if not interpreter.given:
        given["VIRTUAL_ENV"] = str(interpreter.folder)
    given.pop("PYTHONHOME", None)
    if settings != "config.settings.test":  # tests have fixed keys
        given = own_secrets(place) | given
    return given
