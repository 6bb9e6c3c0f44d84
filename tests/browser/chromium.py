"""A real browser for tests: Chromium in one file out of the npm registry, told what to do through a pair of pipes.

`package-lock.json` pins it by hash. It brings the libraries and the font that a bare Linux lacks, so nothing has to be installed by root.
It is put into `.road/browser` on first use; on other systems than Linux on x86-64 a Chrome or Chromium of the machine is taken.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import platform
import select
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib

from cli.tree import CACHE, HERE

PINS = Path(__file__).parent
FLAGS = (
    "--headless=shell",
    "--remote-debugging-pipe",
    "--no-sandbox",  # it opens pages of our own, and a sandbox cannot be had as root or in a container
    "--no-zygote",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # which is small in a container
    "--hide-scrollbars",
)
INSTALLED = ("chromium", "google-chrome", "chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
UNPACK = """
const fs = require("fs"), { brotliDecompressSync } = require("zlib"), [from, to] = process.argv.slice(1);
for (const name of ["chromium", "al2023.tar", "fonts.tar"])
    fs.writeFileSync(`${to}/${name}`, brotliDecompressSync(fs.readFileSync(`${from}/${name}.br`)));
"""
FONTS = '<?xml version="1.0"?><fontconfig><dir>{0}/fonts</dir><dir>{1}</dir><cachedir>{0}/cache</cachedir></fontconfig>'
PATIENCE = 60  # seconds for one answer
READ, WRITE = 3, 4  # the file descriptors that Chromium listens and answers on


@dataclass
class Page:
    """One open page. `said` is what the console got from the page, `asked` the addresses that were requested for it."""

    browser: Browser
    session: str
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited; what JSON can hold."""
        answer = self.tell("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, *, whole: bool = False) -> bytes:
        """A PNG of what is seen, or of the whole page."""
        return base64.b64decode(self.tell("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"])

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self.tell("Page.printToPDF", preferCSSPageSize=True)["data"])

    def tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol and its result."""
        return self.browser.tell(method, self, **parameters)


@dataclass
class Browser:
    """A running Chromium and both ends of its pipes."""

    requests: int
    answers: int
    log: Path
    count: int = 0
    unread: bytes = b""

    def open(self, address: str, *, width: int, height: int, dark: bool = False) -> Page:
        """Load a page in a window of this size; a narrow one is a phone's."""
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        page = Page(self, self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.tell(f"{domain}.enable")
        page.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=width < 600)
        page.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        page.tell("Page.navigate", url=address)
        page.run("new Promise(done => document.readyState == 'complete' ? done() : addEventListener('load', done))")
        return page

    def tell(self, method: str, page: Page | None = None, **parameters: Any) -> dict[str, Any]:
        """One command and its result; what is told meanwhile goes to the page."""
        self.count += 1
        command = {"id": self.count, "method": method, "params": parameters, **({"sessionId": page.session} if page else {})}
        os.write(self.requests, json.dumps(command).encode() + b"\0")
        while (answer := self._read()).get("id") != self.count:
            if page and answer.get("sessionId") == page.session:
                _note(page, answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return dict(answer["result"])

    def _read(self) -> dict[str, Any]:
        parts = [self.unread]
        while b"\0" not in parts[-1]:
            ready, _, _ = select.select([self.answers], [], [], PATIENCE)
            parts.append(os.read(self.answers, 1 << 20) if ready else b"")
            assert parts[-1], f"the browser {'ended' if ready else f'said nothing for {PATIENCE} s'}: {self.log.read_text()[-1000:]}"
        message, _, self.unread = b"".join(parts).partition(b"\0")
        return dict(json.loads(message))


@contextmanager
def browser() -> Iterator[Browser]:
    """A running browser, gone at the end with everything it started.

    Raises:
        FileNotFoundError: there is none, and none can be had.
    """
    program, variables = _program()
    theirs, requests = (_high(end) for end in os.pipe())
    answers, ours = (_high(end) for end in os.pipe())
    with tempfile.TemporaryDirectory() as profile:
        log = Path(profile) / "log"
        streams = [(os.POSIX_SPAWN_OPEN, 2, str(log), os.O_WRONLY | os.O_CREAT, 0o600)]
        pipes = [(os.POSIX_SPAWN_DUP2, theirs, READ), (os.POSIX_SPAWN_DUP2, ours, WRITE)]
        arguments = [program, *FLAGS, f"--user-data-dir={profile}/data", "about:blank"]
        pid = os.posix_spawn(program, arguments, {**os.environ, **variables}, file_actions=[*streams, *pipes], setpgroup=0)
        os.close(theirs)
        os.close(ours)
        try:
            yield Browser(requests, answers, log)
        finally:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(requests)
            os.close(answers)


def _high(descriptor: int) -> int:
    """The same end of a pipe, out of the way of the numbers that the browser uses."""
    high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return high


def _note(page: Page, event: dict[str, Any]) -> None:
    told = event.get("params", {})
    match event.get("method"):
        case "Network.requestWillBeSent":
            page.asked.append(told["request"]["url"])
        case "Log.entryAdded":
            page.said.append(told["entry"]["text"])
        case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
            page.said.append(json.dumps(told))


def _program() -> tuple[str, dict[str, str]]:
    """The browser's program and the variables it needs."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        found = next(filter(None, map(shutil.which, INSTALLED)), None)
        if found is None:
            raise FileNotFoundError(f"no browser: on this system the tests take the machine's: install one of {', '.join(INSTALLED[:3])}")
        return found, {}
    home = installed()
    return f"{home}/chromium", {"LD_LIBRARY_PATH": f"{home}/lib", "FONTCONFIG_FILE": f"{home}/fonts.conf"}


def installed() -> Path:
    """The folder of the pinned packages; made on first use, and when a pin has changed."""
    pins = b"".join((PINS / name).read_bytes() for name in ("package.json", "package-lock.json"))
    home = CACHE / "browser" / hashlib.sha256(pins).hexdigest()[:12]
    if not home.is_dir():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as folder:
            _install(Path(folder), home)
            try:
                Path(folder, "made").rename(home)
            except OSError:
                assert home.is_dir()  # another test was faster, and made the same
    return home


def _install(folder: Path, home: Path) -> None:
    """Make `folder/made`, which is to become `home`."""
    for file in (PINS / "package.json", PINS / "package-lock.json", HERE / ".npmrc"):
        shutil.copy(file, folder)
    made = folder / "made"
    made.mkdir()
    packages = folder / "node_modules"
    subprocess.run(["npm", "ci", "--ignore-scripts", "--silent"], cwd=folder, check=True)
    subprocess.run(["node", "-e", UNPACK, packages / "@sparticuz/chromium/bin", made], check=True)
    for name in ("al2023.tar", "fonts.tar"):
        with tarfile.open(made / name) as archive:
            archive.extractall(made, filter="data")
        (made / name).unlink()
    shutil.copy(packages / "axe-core/axe.min.js", made)
    (made / "chromium").chmod(0o755)
    (made / "fonts.conf").write_text(FONTS.format(home, Path(matplotlib.get_data_path(), "fonts/ttf")))
