"""A Jupyter server of one's own, for tests: JupyterLab, Notebook or Voila."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

FIRST, LATER = 90, 30  # s to wait for what starts something, and for anything else
HOME = Path(__file__).parent.parent
SETTINGS: dict[str, dict[str, Any]] = {  # no questions, no writing by itself, every cell in the page
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
NOT_FOR_VOILA = ("@jupyter-notebook/lab-extension", "jupyterlab-jupytext")  # these want a whole Lab, where they are installed
PROGRAMS = {
    "lab": ("jupyterlab", "--allow-root", "--expose-app-in-browser", "--ServerApp.port_retries=0", "--LabApp.news_url="),
    "notebook": ("notebook", "--allow-root", "--expose-app-in-browser", "--ServerApp.port_retries=0"),
    "voila": (
        *("voila", "--Voila.ip=127.0.0.1", "--Voila.port_retries=0", "--show_tracebacks=True"),
        *(f"--VoilaConfiguration.extension_denylist={name}" for name in NOT_FOR_VOILA),
    ),
}


class Server:
    """A Jupyter server that knows no other: own settings, own port, own token; its kernels go with it."""

    def __init__(self, folder: Path, program: str = "lab", env: Mapping[str, str] | None = None) -> None:
        self.folder, self.program, self._more = folder, program, dict(env or {})
        self.token = secrets.token_hex(16)
        self._home = tempfile.TemporaryDirectory(prefix="ptycho_nb_jupyter_", ignore_cleanup_errors=True)
        self._log = Path(self._home.name, "log.txt")

    def __enter__(self) -> Self:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        common = ("--no-browser", f"--port={port}", f"--IdentityProvider.token={self.token}")
        place = [str(self.folder)] if self.program == "voila" else ["--ip=127.0.0.1", f"--ServerApp.root_dir={self.folder}"]
        command = [sys.executable, "-m", *PROGRAMS[self.program], *common, *place]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, env=self._environment(), stdout=log, stderr=log)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the server, which ends its kernels."""
        kernels = [int(p) for p in Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()]
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(LATER)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for kernel in kernels:
            with suppress(ProcessLookupError):
                os.kill(kernel, signal.SIGKILL)
        self._home.cleanup()

    @property
    def log(self) -> str:
        """What it wrote."""
        return self._log.read_text(errors="replace")

    def _environment(self) -> dict[str, str]:
        home = self._home.name
        for plugin, values in SETTINGS.items():
            file = Path(home, "settings", f"{plugin}.jupyterlab-settings")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))
        foreign = ("JUPYTER", "JPY_", "IPYTHON", "PYTEST", "MPLBACKEND")
        env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        own = {f"JUPYTER_{kind}_DIR": f"{home}/{kind.lower()}" for kind in ("CONFIG", "DATA", "RUNTIME")}
        own |= {
            "JUPYTERLAB_SETTINGS_DIR": f"{home}/settings",
            "JUPYTERLAB_WORKSPACES_DIR": f"{home}/spaces",
            "IPYTHONDIR": f"{home}/ipython",
        }
        path = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", "")])
        return env | own | {"PATH": path, "PYTHONPATH": str(HOME), "OMP_NUM_THREADS": "1"} | self._more

    def _wait(self) -> None:
        end = time.monotonic() + FIRST
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/api?token={self.token}", timeout=5).close()
                return
            except urllib.error.HTTPError:
                return  # it answers, if only that there is no such page
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"The server did not start:\n{self.log}") from error
                time.sleep(0.1)
