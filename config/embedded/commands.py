"""The commands of `./run`."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from config.embedded import caretaker, doctor, preconditions, processes
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


def _web(servers: Servers, door: socket.socket) -> list[str]:
    words = servers.interpreter.words("-m", "gunicorn", "config.wsgi", "--worker-class", "gthread")
    size = ["--workers", "2", "--threads", "8"]
    return [*words, *size, "--bind", f"fd://{door.fileno()}", "--no-control-socket"]


def _web_door(asked: int | None) -> socket.socket:
    """Return the door of the web server: the port that was asked for, else the first free one."""
    return preconditions.listen(asked) if asked else preconditions.listen_from(WEB_PORT)


def _celery(servers: Servers, *words: str) -> list[str]:
    return servers.interpreter.words("-m", "celery", "-A", "config.celery", *words)


def _foreground(servers: Servers, command: list[str]) -> int:
    return processes.foreground(command, environment=servers.environment, folder=servers.place.root)


def _serving(servers: Servers, command: list[str], *doors: socket.socket) -> int:
    """Run a server in the foreground, which tells what it does."""
    return processes.foreground(
        command,
        environment={**TALKATIVE, **servers.environment},
        folder=servers.place.root,
        doors=doors,
    )


WEB_PORT, SIMULATOR_PORT = 8000, 8090  # or the first free ones behind them
PORT: dict[str, object] = {"type": int, "help": f"instead of the first free one from {WEB_PORT} on"}
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
        servers.environment.setdefault("BENCH_HOME", str(place.var / "bench"))
        words = servers.interpreter.words("-m", "tests.benchmarks", *arguments)
        return _foreground(servers, words)


def worker(place: Place, arguments: list[str]) -> int:
    with Servers(place) as servers:
        return _serving(servers, _celery(servers, *WORKER, *arguments))


def beat(place: Place, arguments: list[str]) -> int:
    with Servers(place) as servers:
        return _serving(servers, _celery(servers, *BEAT, *arguments))


def serve(place: Place, arguments: list[str]) -> int:
    asked = _parse("serve", arguments, port=PORT)
    with Servers(place) as servers, _web_door(asked.port) as door:
        servers.environment.setdefault(
            "SITE_URL", f"http://127.0.0.1:{preconditions.port_of(door)}"
        )
        _say(f"http://127.0.0.1:{preconditions.port_of(door)}/")
        return _serving(servers, _web(servers, door), door)


def demo(place: Place, arguments: list[str]) -> int:
    """Start everything, let `manage.py demo` make the day and print its table, then serve."""
    asked = _parse("demo", arguments, once={"action": "store_true"}, port=PORT)
    with Servers(place) as servers:
        crew = processes.Crew(place.root, place.logs)
        try:
            port = _start_demo(servers, crew, asked.port)
            address = ("--address", f"http://127.0.0.1:{port}/")
            code = processes.foreground(
                servers.interpreter.words("manage.py", "demo", *address),
                environment=servers.environment,
                folder=place.root,
                meanwhile=crew.require_alive,
            )
            if code == 0 and not asked.once:
                _say("Ctrl-C ends it.")
                _watch(crew)
            return code
        finally:
            crew.stop()


def _start_demo(servers: Servers, crew: processes.Crew, asked_port: int | None) -> int:
    """Start simulator, worker, beat and web; return the web's port."""
    web, simulator = _web_door(asked_port), preconditions.listen_from(SIMULATOR_PORT)
    port, simulator_port = preconditions.port_of(web), preconditions.port_of(simulator)
    servers.environment.setdefault("SITE_URL", f"http://127.0.0.1:{port}")  # links in letters
    servers.environment["CHANNEL_SIMULATOR_URL"] = f"http://127.0.0.1:{simulator_port}"
    environment = {**TALKATIVE, **servers.environment}
    book = ["--book", str(servers.place.var / "simulator"), "--fd", str(simulator.fileno())]
    words = servers.interpreter.words("manage.py", "channel_simulator", *book)
    crew.start("simulator", words, environment, simulator)
    crew.start("worker", _celery(servers, *WORKER), environment)
    crew.start("beat", _celery(servers, *BEAT), environment)
    crew.start("web", _web(servers, web), environment, web)
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
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 60
        while others := servers.attendance.others():
            if time.monotonic() > deadline:
                raise CannotGoOn(f"Process {others[0]} does not stop; end it and try again.")
            time.sleep(0.1)
        with servers.set_up_lock():
            servers.stop()
            servers.caretaker.dismiss()
    return 0


def caretake(place: Place, arguments: list[str]) -> int:
    """Stop the servers of a group when every run that used them was killed."""
    caretaker.keep(Servers(place, for_tests=arguments == ["test"]), place)
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
    caretaker.COMMAND: caretake,
}
