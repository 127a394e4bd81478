"""A headless Chromium over the DevTools protocol: opens pages, evaluates, presses keys, takes pictures."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

PATIENCE = 30.0
"""Seconds that something may take to become true; a test that passes waits for much less."""
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)


def executable() -> str | None:
    """Where a Chromium is, if there is one."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if (found := shutil.which(name))), None)


def wait_for(condition: Any, what: str, patience: float = PATIENCE, told: Any = str) -> Any:
    """What `condition()` gives once that is true.

    Raises:
        AssertionError: it does not become true.
    """
    until = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < until, f"waited in vain for: {what} {told()}"
        time.sleep(0.02)
    return found


class Page:
    """One tab."""

    def __init__(self, address: str) -> None:
        self._open = ExitStack()
        self._socket: ClientConnection = self._open.enter_context(
            connect(address, max_size=None, max_queue=None, ping_interval=None, proxy=None)
        )
        self._number = 0
        self.requests: list[str] = []
        self.problems: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command, and its answer."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE))
            if message.get("id") == self._number:
                assert "error" not in message, (method, message["error"])
                return dict(message["result"])
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requests.append(params["url"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(params["exceptionDetails"])[:500])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.problems.append(params["entry"]["text"] + " " + params["entry"].get("url", ""))

    def eval(self, script: str) -> Any:
        """The value of an expression; a promise is waited for."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, (script, done["exceptionDetails"])
        return done["result"].get("value")

    def until(self, script: str, patience: float = PATIENCE) -> Any:
        """The value of an expression once it is true."""
        return wait_for(lambda: self.eval(script), script, patience, lambda: self.eval(SHOWN))

    def go(self, url: str) -> Page:
        """Open an address, and wait until it is there."""
        self.call("Page.navigate", url=url)
        self.until(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")
        return self

    def size(self, width: int, height: int, scale: float = 1) -> Page:
        """Of the window."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )
        return self

    def prefer(self, **features: str) -> Page:
        """What the user's system prefers: color_scheme="dark", reduced_motion="reduce"."""
        media = [{"name": f"prefers-{k.replace('_', '-')}", "value": v} for k, v in features.items()]
        self.call("Emulation.setEmulatedMedia", features=media)
        return self

    def click(self, selector: str) -> None:
        """With the mouse, in the middle of an element."""
        place = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y = self.eval(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({place})")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def choose(self, selector: str, value: str) -> None:
        """A value of a select or an input, as a user's change."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.eval(
            f"(e => {{ e.value = {json.dumps(value)}; e.dispatchEvent(new Event('change')); }})({found})"
        )

    def press(self, key: str, modifiers: int = 0) -> None:
        """A key; modifiers: 1 Alt, 2 Ctrl, 8 Shift."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        code = {"Enter": 13, "Tab": 9, " ": 32, "Escape": 27, "ArrowDown": 40}.get(key, 0)
        extra: dict[str, Any] = {"text": text} if text and not modifiers else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                modifiers=modifiers,
                windowsVirtualKeyCode=code,
                **(extra if kind == "keyDown" else {}),
            )

    def give_file(self, selector: str, path: Path) -> None:
        """A file for an <input type=file>."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def picture(self, path: Path) -> None:
        """A PNG of what is seen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def shut(self) -> None:
        """Close the tab."""
        self.call("Page.close")
        self._open.close()


SHOWN = "['main', '#status'].map((s) => document.querySelector(s)?.innerText.slice(-400)).join(' | ')"
"""What the page shows, for a test that fails."""


class Browser:
    """A Chromium with a profile of its own under `folder`; microphone: the recording that it hears."""

    def __init__(self, folder: Path, microphone: Path | None = None, allowed: bool = True) -> None:
        flags: Iterable[str] = FLAGS
        if microphone is not None:
            fake = f"--use-file-for-fake-audio-capture={microphone}%noloop"
            flags = (*FLAGS, "--use-fake-device-for-media-stream", fake)
        if allowed:
            flags = (*flags, "--use-fake-ui-for-media-stream")
        self.downloads = folder / "downloads"
        self._process = subprocess.Popen(
            [executable() or "", *flags, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = folder / "profile" / "DevToolsActivePort"
        wait_for(lambda: port.exists() and len(port.read_text().split()) == 2, "Chromium")
        self._http = f"http://127.0.0.1:{port.read_text().split()[0]}"

    def page(self, url: str = "about:blank") -> Page:
        """A new tab."""
        found = httpx.put(f"{self._http}/json/new?about:blank", trust_env=False).json()
        page = Page(found["webSocketDebuggerUrl"])
        page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))
        return page if url == "about:blank" else page.go(url)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
