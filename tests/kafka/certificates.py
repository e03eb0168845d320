"""Certificates for a broker and its clients, made on the spot by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """Hold the files: an authority, a broker's key and certificate, and a client's."""

    folder: Path

    @property
    def authority(self) -> Path:
        """The certificate of the authority that both sides believe."""
        return self.folder / "ca.pem"

    def key(self, name: str) -> Path:
        """The private key of one."""
        return self.folder / f"{name}.key"

    def certificate(self, name: str) -> Path:
        """The certificate of one."""
        return self.folder / f"{name}.pem"

    def keystore(self, name: str) -> Path:
        """Both in one file, as a broker reads them."""
        return self.folder / f"{name}.store.pem"


def make_certificates(folder: Path) -> Certificates:
    """Make an authority, and certificates for `broker`, which is 127.0.0.1, and `client`."""
    folder.mkdir(parents=True)
    made = Certificates(folder)
    _openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority"),
        *("-keyout", str(folder / "ca.key"), "-out", str(made.authority)),
    )
    for name in ("broker", "client"):
        request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
        extensions.write_text("subjectAltName=IP:127.0.0.1\n")
        _openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", str(made.key(name)), "-out", str(request)),
        )
        _openssl(
            *("x509", "-req", "-in", str(request), "-days", "2", "-extfile", str(extensions)),
            *("-CA", str(made.authority), "-CAkey", str(folder / "ca.key"), "-CAcreateserial"),
            *("-out", str(made.certificate(name))),
        )
        made.keystore(name).write_text(made.key(name).read_text() + made.certificate(name).read_text())
    return made


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)  # noqa: S607
