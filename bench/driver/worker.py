"""Worker processes: one builds an index and ends, one holds an index and answers a JSON line with a JSON line."""

from __future__ import annotations

import json
import os
import pathlib
import selectors
import subprocess
import time
from typing import Any, cast

from engines import Engine, Programs

PATIENCE_S = 900.0  # for one answer


class WorkerError(Exception):
    """What is reported in the engine's place."""


def last_words(log: pathlib.Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "it said nothing"


def start(engine: Engine, command: list[str], log: pathlib.Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **dict(engine.environment)}
    with open(log, "wb") as errors:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment, cwd=log.parent
        )


class Worker:
    def __init__(self, engine: Engine, programs: Programs, spec: dict[str, object], log: pathlib.Path) -> None:
        self.engine = engine
        self.log = log
        try:
            self.process = start(engine, programs.command(engine, "serve", spec), log)
        except OSError as error:
            raise WorkerError(f"does not start: {error}") from error
        self.buffer = b""
        self.about = self.read_line()

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, **request: Any) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self.died() from None

    def receive(self) -> dict[str, Any]:
        answer = self.read_line()
        if "error" in answer:
            raise WorkerError(str(answer["error"]))
        return answer

    def ask(self, **request: Any) -> dict[str, Any]:
        self.send(**request)
        return self.receive()

    def read_line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        deadline = time.monotonic() + PATIENCE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.buffer:
                if not selector.select(deadline - time.monotonic()):
                    self.process.kill()
                    raise WorkerError(f"no answer within {PATIENCE_S:.0f} s")
                read = os.read(self.process.stdout.fileno(), 1 << 20)
                if not read:
                    raise self.died()
                self.buffer += read
        line, _, self.buffer = self.buffer.partition(b"\n")
        return cast("dict[str, Any]", json.loads(line))

    def died(self) -> WorkerError:
        return WorkerError(f"ended with status {self.process.wait()}: {last_words(self.log)}")

    def close(self) -> None:
        if self.process.stdin is not None and not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run_build(engine: Engine, programs: Programs, spec: dict[str, object], log: pathlib.Path) -> dict[str, Any]:
    """What the build cost, with the most memory that it held."""
    load = os.getloadavg()[0]
    try:
        process = start(engine, programs.command(engine, "build", spec), log)
    except OSError as error:
        raise WorkerError(f"does not start: {error}") from error
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0 or not output.strip():
        raise WorkerError(f"build ended with status {process.returncode}: {last_words(log)}")
    cost = cast("dict[str, Any]", json.loads(output.splitlines()[-1]))
    return {**cost, "peak_rss_bytes": usage.ru_maxrss * 1024, "load_average": load}
