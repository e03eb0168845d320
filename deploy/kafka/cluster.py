"""Fetch, format, start and stop Apache Kafka brokers on loopback: `python -m deploy.kafka.cluster --help`.

Java 17 and Maven are needed. The jars are fetched once into `.cache/kafka`; a cluster's storage is a folder
of its own, so that a broker that was killed comes back with what it had.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "kafka"
_CLUSTER_ID = "cmVwbGF5bGFrZS1rYWZrYQ"
_PORTS_BETWEEN = 10  # of one broker and the next; the controller's port comes right after the broker's
_MEMORY = "-Xmx512m"
_children: dict[int, subprocess.Popen[bytes]] = {}  # the brokers that this process has started


class ClusterError(Exception):
    """Report that a broker could not be fetched or started."""


def missing_programs() -> list[str]:
    """Return the programs that a broker needs and this machine lacks."""
    return [program for program in ("java", "mvn") if shutil.which(program) is None]


def fetch() -> Path:
    """Return the folder with the brokers' jars, fetched by Maven where it is not there yet."""
    pom = HERE / "pom.xml"
    libs = CACHE / "libs"
    marker = libs / ".complete"
    if marker.is_file() and marker.read_bytes() == pom.read_bytes():
        return libs
    if missing_programs():
        raise ClusterError(f"A broker needs {' and '.join(missing_programs())}, not found here.")
    shutil.rmtree(libs, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={libs}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ClusterError(f"Maven could not fetch the broker: {done.stdout.strip()[-2000:]}")
    marker.write_bytes(pom.read_bytes())
    return libs


def run_tool(main_class: str, *arguments: str, stdin: bytes | None = None) -> str:
    """Run one of Kafka's own tools, such as `org.apache.kafka.tools.ConsoleProducer`; return what it says."""
    done = subprocess.run(  # noqa: S603
        [*_java(fetch()), main_class, *arguments], input=stdin, capture_output=True, check=False
    )
    if done.returncode:
        raise ClusterError(f"{main_class} failed: {done.stderr.decode()[-2000:]}")
    return done.stdout.decode()


def _java(libs: Path) -> list[str]:
    settings = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
    return ["java", _MEMORY, "-XX:+UseG1GC", settings, "-cp", f"{libs}/*"]


@dataclass
class Broker:
    """Run one broker; `settings` are server properties of its own beside those that every broker has.

    `{port}` and `{controller}` in them stand for the broker's two ports.
    """

    folder: Path
    number: int
    port: int
    voters: str
    brokers: int
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.folder / "broker.log"

    @property
    def pid(self) -> int | None:
        """The process, where it runs."""
        try:
            pid = int((self.folder / "pid").read_text())
        except (OSError, ValueError):
            return None
        if pid in _children:
            return pid if _children[pid].poll() is None else None
        return pid if _is_broker(pid) else None

    def start(self) -> None:
        """Start the process, formatting its storage the first time; see `wait`."""
        if self.pid is not None:
            return
        libs = fetch()
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = self.folder / "server.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in self._properties().items()))
        if not (self.folder / "data" / "meta.properties").is_file():
            format_ = ["kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(properties)]
            done = subprocess.run([*_java(libs), *format_], capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                raise ClusterError(f"The storage cannot be formatted: {done.stderr.strip()[-2000:]}")
        with self.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603
                [*_java(libs), "kafka.Kafka", str(properties)],
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is not for it
            )
        _children[process.pid] = process
        (self.folder / "pid").write_text(str(process.pid))

    def wait(self, seconds: float = 60) -> None:
        """Return once it takes connections; raise ClusterError where it has died or takes too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.pid is None:
                raise ClusterError(f"The broker died: {_tail(self.log)}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise ClusterError(f"The broker did not come up in {seconds:.0f} s: {_tail(self.log)}")

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, and with SIGTERM or SIGKILL return once it is gone."""
        pid = self.pid
        if pid is None:
            return
        os.kill(pid, number)
        while number in (signal.SIGTERM, signal.SIGKILL) and self.pid is not None:
            time.sleep(0.05)

    def _properties(self) -> dict[str, str]:
        copies = str(min(self.brokers, 3))
        own = {
            "process.roles": "broker,controller",
            "node.id": str(self.number),
            "controller.quorum.voters": self.voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{self.port + 1}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "log.dirs": str(self.folder / "data"),
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": "0",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.num.partitions": "4",
            "transaction.state.log.min.isr": str(max(1, int(copies) - 1)),
            "default.replication.factor": copies,
            "min.insync.replicas": str(max(1, int(copies) - 1)),
        }
        ports = {"port": str(self.port), "controller": str(self.port + 1)}
        return own | {name: _filled(value, ports) for name, value in self.settings.items()}


@dataclass
class Cluster:
    """Run brokers beside one another; the first has `port`, each next one ten more."""

    folder: Path
    port: int = 9092
    count: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def brokers(self) -> list[Broker]:
        """The brokers, running or not."""
        ports = [self.port + _PORTS_BETWEEN * number for number in range(self.count)]
        voters = ",".join(f"{number}@127.0.0.1:{port + 1}" for number, port in enumerate(ports, 1))
        return [
            Broker(self.folder / f"broker-{number}", number, port, voters, self.count, self.settings)
            for number, port in enumerate(ports, 1)
        ]

    @property
    def url(self) -> str:
        """The stream URL of the cluster."""
        return f"kafka://{self.servers}"

    @property
    def servers(self) -> str:
        """Where clients find the brokers."""
        return ",".join(broker.address for broker in self.brokers)

    def start(self) -> None:
        """Start what does not run, and return once all take connections."""
        for broker in self.brokers:
            broker.start()
        for broker in self.brokers:
            broker.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop all; what they hold stays in the folder."""
        for broker in self.brokers:
            broker.send_signal(number)


def free_port() -> int:
    """Return a port that nobody listens on, nor on the one after it."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def _is_broker(pid: int) -> bool:
    """Say whether the process runs and is ours: a number may have gone to another program."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and "kafka.Kafka" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def _filled(value: str, ports: Mapping[str, str]) -> str:
    for name, port in ports.items():
        value = value.replace(f"{{{name}}}", port)
    return value


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:] if log.is_file() else "it said nothing"


def main() -> int:
    """Start or stop the brokers of `make kafka`."""
    parser = argparse.ArgumentParser(prog="deploy.kafka.cluster", description=__doc__)
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("--port", type=int, default=9092)
    parser.add_argument("--brokers", type=int, default=1)
    given = parser.parse_args()
    folder = CACHE / f"cluster-{given.port}"
    if given.action == "stop":
        count = max(len(list(folder.glob("broker-*"))), 1)
        Cluster(folder, given.port, count).stop()
        return 0
    cluster = Cluster(folder, given.port, given.brokers)
    try:
        cluster.start()
    except ClusterError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    sys.stdout.write(f"Kafka runs: REPLAYLAKE_STREAM={cluster.url}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
