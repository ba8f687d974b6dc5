"""The servers one command needs: embedded ones, shared by all runs of this checkout, or outside."""

from __future__ import annotations

import hashlib
import os
from types import TracebackType

from config.embedded import locks, preconditions, processes
from config.embedded.broker import TRANSPORT_OPTIONS, Broker
from config.embedded.caretaker import Caretaker
from config.embedded.environment import Interpreter, Place, variables
from config.embedded.postgres import (
    APPLICATION,
    DURABLE,
    FORGETFUL,
    OWNER,
    SUPERUSER,
    Cluster,
)
from config.embedded.preconditions import CannotGoOn


class Servers:
    """
    A context in which the servers run and the database is ready; `environment` leads to them.

    DATABASE_URL and CELERY_BROKER_URL from outside win: then that part is not embedded. The last
    run of the group to leave stops what is embedded. `for_tests` has a cluster of its own, fast and
    forgetful, and no broker: a test that needs one starts its own.
    """

    def __init__(self, place: Place, *, for_tests: bool = False, development: bool = False) -> None:
        self.place, self.for_tests = place, for_tests
        self.interpreter = Interpreter(place, development=development or for_tests)
        self.group = "test" if for_tests else "main"
        self.attendance = locks.Attendance(place.var / "running", self.group)
        self.cluster = Cluster(
            place,
            self.interpreter,
            name="test-postgres" if for_tests else "postgres",
            settings=FORGETFUL if for_tests else DURABLE,
        )
        self.broker = Broker(place, self.interpreter)
        self.caretaker = Caretaker(place, self.group)
        self.environment: dict[str, str] = {}

    @property
    def embeds_database(self) -> bool:
        return "DATABASE_URL" not in os.environ

    @property
    def embeds_broker(self) -> bool:
        return "CELERY_BROKER_URL" not in os.environ and not self.for_tests

    def require(self) -> None:
        """Raise CannotGoOn for the first pre-condition that fails."""
        preconditions.writable(self.place.var)
        if "DATABASE_OWNER_URL" in os.environ and self.embeds_database:
            raise CannotGoOn("DATABASE_OWNER_URL is set without DATABASE_URL; set both or none.")
        if self.embeds_database or self.embeds_broker:
            preconditions.supported_platform()
        if self.embeds_database:
            preconditions.user_namespace()

    def __enter__(self) -> Servers:
        self.require()
        self.interpreter.make()
        entered = False
        try:
            with self.set_up_lock():
                self.attendance.enter()
                entered = True
                self._start()
        except BaseException:
            if entered:
                self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        processes.stop_listening()
        with self.set_up_lock():
            if self.attendance.is_last():
                self.stop()
                self.caretaker.dismiss()
            self.attendance.leave()

    def set_up_lock(self) -> locks.Exclusive:
        """Return the lock under which servers start and stop, and runs come and go."""
        return locks.exclusive(
            self.place.var / f"{self.group}.lock",
            waiting="Waiting for another ./run in this checkout to finish its set-up.",
        )

    def stop(self) -> None:
        """Stop the embedded servers that run, whichever run of the group started them."""
        if not self.for_tests:
            self.broker.stop()
        self.cluster.stop()

    def _start(self) -> None:
        settings = "config.settings.test" if self.for_tests else "config.settings.local"
        self.environment = variables(self.place, self.interpreter, settings=settings)
        if self.embeds_database or self.embeds_broker:
            self.caretaker.hire()
        new = self._start_database() if self.embeds_database else False
        self.environment.setdefault("DATABASE_OWNER_URL", self.environment["DATABASE_URL"])
        if self.embeds_broker:
            self.broker.start()
            self.environment["CELERY_BROKER_URL"] = self.broker.url
            self.environment.setdefault("CACHE_URL", self.broker.cache_url)
            self.environment["CELERY_BROKER_TRANSPORT_OPTIONS"] = TRANSPORT_OPTIONS
        self._prepare(new=new)

    def _start_database(self) -> bool:
        new = self.cluster.start()
        self.cluster.make_roles()
        if not self.for_tests:
            self.cluster.make_database()
        self.environment["DATABASE_URL"] = self.cluster.url(APPLICATION)
        self.environment["DATABASE_OWNER_URL"] = self.cluster.url(OWNER)
        superuser = self.cluster.url(SUPERUSER, "postgres")
        self.environment["DATABASE_SUPERUSER_URL"] = superuser
        programs = self.cluster.program("psql")[-1]
        self.environment["PATH"] += f"{os.pathsep}{os.path.dirname(programs)}"  # noqa: PTH120
        return new

    def _prepare(self, *, new: bool) -> None:
        """Compile the catalogues and migrate, unless nothing changed since it was done."""
        done = self.place.var / f"{self.group}.prepared"
        facts = f"{self.place.state()} {self.interpreter.python} {self.environment['DATABASE_URL']}"
        state = hashlib.sha256(facts.encode()).hexdigest()
        if self.embeds_database and not new and done.exists() and done.read_text() == state:
            return
        done.unlink(missing_ok=True)
        words = self.interpreter.words
        compile_catalogues = words("manage.py", "compile_catalogues", "--verbosity", "0")
        self.place.step(compile_catalogues, "Compiling the catalogues", self.environment)
        if not self.for_tests:  # tests migrate a template of their own
            migrate = words("manage.py", "migrate", "--verbosity", "0")
            self.place.step(migrate, "Migrating the database", self.environment)
        done.write_text(state)
