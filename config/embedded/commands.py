"""The commands of `./run`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence

from config.embedded import doctor, locks, preconditions, processes
from config.embedded.environment import Place
from config.embedded.preconditions import CannotGoOn
from config.embedded.servers import Servers

HELP = """\
usage: ./run COMMAND ...

  demo [--once]     a day of a payment institution, then serve it (--once: stop after the table)
  serve [--port N]  the web server, on 127.0.0.1
  worker            a Celery worker
  beat              the clock that asks what is due
  manage CMD ...    a management command
  test [ARGS]       the tests; arguments go to pytest
  bench [ARGS]      our own benchmarks, each beside its physical limit
  stop              stop whatever ./run started here
  doctor [--json]   the state of every pre-condition

State lies in var/ (or COUNTINGHOUSE_VAR). DATABASE_URL with DATABASE_OWNER_URL, and
CELERY_BROKER_URL, lead to servers of your own; nothing is embedded then.
"""


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 2 when a pre-condition failed."""
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        sys.stdout.write(HELP)
        return 0 if arguments else 2
    command = COMMANDS.get(arguments[0])
    if command is None:
        sys.stderr.write(f"run: There is no command {arguments[0]!r}; ./run --help lists them.\n")
        return 2
    processes.listen()
    try:
        return command(Place.here(), list(arguments[1:]))
    except CannotGoOn as reason:
        sys.stderr.write(f"run: {reason}\n")
        return 2
    except processes.Stopped as stopped:
        return 128 + stopped.number
    except OSError as error:
        sys.stderr.write(f"run: {error.strerror or error}: {error.filename or ''}\n")
        return 2


def _parse(name: str, arguments: list[str], **options: dict[str, object]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"./run {name}")
    for option, details in options.items():
        parser.add_argument(f"--{option}", **details)  # type: ignore[arg-type]
    return parser.parse_args(arguments)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _web(servers: Servers, port: int) -> list[str]:
    words = servers.interpreter.words("-m", "gunicorn", "config.wsgi", "--worker-class", "gthread")
    return [*words, "--workers", "2", "--threads", "8", "--bind", f"127.0.0.1:{port}"]


def _celery(servers: Servers, *words: str) -> list[str]:
    return servers.interpreter.words("-m", "celery", "-A", "config.celery", *words)


def _foreground(servers: Servers, command: list[str], *, talkative: bool = False) -> int:
    environment = {**TALKATIVE, **servers.environment} if talkative else servers.environment
    return processes.foreground(command, environment=environment, folder=servers.place.root)


TALKATIVE = {"LOG_LEVEL": "INFO"}  # servers tell what they do, commands only what went wrong
WORKER = ("worker", "--concurrency", "2", "--loglevel", "INFO", "--without-gossip")
BEAT = ("beat", "--loglevel", "INFO", "--pidfile=")


def manage(place: Place, arguments: list[str]) -> int:
    with Servers(place) as servers:
        return _foreground(servers, servers.interpreter.words("manage.py", *arguments))


def test(place: Place, arguments: list[str]) -> int:
    with Servers(place, for_tests=True) as servers:
        return _foreground(servers, servers.interpreter.words("-m", "pytest", *arguments))


def bench(place: Place, arguments: list[str]) -> int:
    with Servers(place, development=True) as servers:
        words = servers.interpreter.words("-m", "tests.benchmarks", *arguments)
        return _foreground(servers, words)


def worker(place: Place, arguments: list[str]) -> int:
    with Servers(place) as servers:
        return _foreground(servers, _celery(servers, *WORKER, *arguments), talkative=True)


def beat(place: Place, arguments: list[str]) -> int:
    with Servers(place) as servers:
        return _foreground(servers, _celery(servers, *BEAT, *arguments), talkative=True)


def serve(place: Place, arguments: list[str]) -> int:
    asked = _parse("serve", arguments, port={"type": int, "default": 8000})
    with Servers(place) as servers:
        port = preconditions.free_port(asked.port)
        _say(f"http://127.0.0.1:{port}/")
        return _foreground(servers, _web(servers, port), talkative=True)


def demo(place: Place, arguments: list[str]) -> int:
    """Start everything, let `manage.py demo` make the day and print its table, then serve."""
    asked = _parse(
        "demo", arguments, once={"action": "store_true"}, port={"type": int, "default": 8000}
    )
    with Servers(place) as servers:
        crew = processes.Crew(place.root, place.logs)
        try:
            port = _start_demo(servers, crew, asked.port)
            address = ("--address", f"http://127.0.0.1:{port}/")
            words = servers.interpreter.words("manage.py", "demo", *address)
            code = _foreground(servers, words)
            if code == 0 and not asked.once:
                _say("Ctrl-C ends it.")
                _watch(crew)
            return code
        finally:
            crew.stop()


def _start_demo(servers: Servers, crew: processes.Crew, first_port: int) -> int:
    """Start simulator, worker, beat and web; return the web's port."""
    simulator, port = preconditions.free_port(8090), preconditions.free_port(first_port)
    servers.environment["CHANNEL_SIMULATOR_URL"] = f"http://127.0.0.1:{simulator}"
    environment = {**TALKATIVE, **servers.environment}
    words = servers.interpreter.words("manage.py", "channel_simulator", "--port", str(simulator))
    crew.start("simulator", [*words, "--book", str(servers.place.var / "simulator")], environment)
    crew.start("worker", _celery(servers, *WORKER), environment)
    crew.start("beat", _celery(servers, *BEAT), environment)
    crew.start("web", _web(servers, port), environment)
    return port


def _watch(crew: processes.Crew) -> None:
    """Serve until Ctrl-C, which is the ordinary end and no failure."""
    try:
        crew.watch()
    except processes.Stopped:
        _say("Stopping ...")


def stop(place: Place, arguments: list[str]) -> int:
    """Ask the other runs of this checkout to end, wait for them, and stop servers left behind."""
    _parse("stop", arguments)
    if not place.var.exists():
        return 0
    for servers in (Servers(place), Servers(place, for_tests=True)):
        for pid in servers.attendance.others():
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 60
        while others := servers.attendance.others():
            if time.monotonic() > deadline:
                raise CannotGoOn(f"Process {others[0]} does not stop; end it and try again.")
            time.sleep(0.1)
        lock = place.var / f"{servers.group}.lock"
        with locks.exclusive(lock, waiting="Waiting for another ./run to finish its set-up."):
            servers.stop()
    return 0


COMMANDS: dict[str, Callable[[Place, list[str]], int]] = {
    "demo": demo,
    "test": test,
    "manage": manage,
    "serve": serve,
    "worker": worker,
    "beat": beat,
    "bench": bench,
    "stop": stop,
    "doctor": doctor.main,
}
