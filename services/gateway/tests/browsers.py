"""A real browser, told what to do over the protocol of its own tools, through a pipe: no port, no library."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 120.0
"""Seconds that only a defect takes."""
_COMPLAINTS = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Audits.issueAdded"}
_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowDown": 40}
_SHIFT, _CTRL = 8, 2


def needs_a_browser(test: Any) -> Any:
    reason = "there is no Chromium on this machine; Debian's package chromium is one"
    return pytest.mark.peer(pytest.mark.skipif(BROWSER is None, reason=reason)(test))


class Tab:
    """A page of a browser.

    Attributes:
        complaints: What the browser has to say against the page: errors, what its policy held back, exceptions.
    """

    def __init__(self, browser: Browser, target: str) -> None:
        self.complaints: list[dict[str, Any]] = []
        self._browser = browser
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        browser.tabs[self._session] = self
        for domain in ("Page", "Runtime", "Log", "Audits"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def run(self, script: str) -> Any:
        """Return what an expression comes to, once its promise is kept."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, condition: str) -> Any:
        """Wait until an expression is true, looking whenever the page has changed; return what it then is."""
        return self.run(
            f"""new Promise((done, failed) => {{
                const value = () => {{ try {{ return ({condition}); }} catch {{ return null; }} }};
                const look = () => {{ const found = value(); if (found) {{ seer.disconnect(); done(found); }} }};
                const seer = new MutationObserver(look);
                seer.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
                setTimeout(() => failed(new Error("never: " + {json.dumps(condition)} + document.body.innerText)), {PATIENCE * 1000});
                look();
            }})"""
        )

    def go(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && document.documentElement.dataset.state !== 'loading'")

    def look_like(self, width: int, scheme: str = "light", height: int = 900) -> None:
        """Have a window of such a size, and a system with such colours."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def press(self, key: str, *, shift: bool = False, ctrl: bool = False) -> None:
        parameters = {
            "key": key,
            "code": "Space" if key == " " else key,
            "windowsVirtualKeyCode": _KEYS[key],
            "modifiers": _SHIFT * shift + _CTRL * ctrl,
        }
        text = {"Enter": "\r", " ": " "}.get(key)
        down = {"type": "rawKeyDown"} if text is None else {"type": "keyDown", "text": text}
        self.call("Input.dispatchKeyEvent", **parameters, **down)
        self.call("Input.dispatchKeyEvent", **parameters, type="keyUp")

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def picture(self, path: Path) -> None:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(found["data"]))


class Browser:
    """A process of it, without a window, a profile that was there before, or anything that it fetches by itself."""

    def __init__(self, profile: Path) -> None:
        asked, told = os.pipe(), os.pipe()
        self.tabs: dict[str, Tab] = {}
        self._answers: dict[int, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._is_over = False
        self._number = 0
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-background-networking",
        ]
        options += ["--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        # The protocol is spoken over 3 and 4, whatever these are here.
        script = f'exec "$@" 3<&{asked[0]} 4>&{told[1]}'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", script, "bash", str(BROWSER), *options],
            pass_fds=(asked[0], told[1]),
            stderr=subprocess.DEVNULL,
        )
        os.close(asked[0])
        os.close(told[1])
        self._out, self._in = os.fdopen(asked[1], "wb", 0), os.fdopen(told[0], "rb", 0)
        threading.Thread(target=self._read, daemon=True).start()

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        with self._changed:
            self._number += 1
            number = self._number
            message = {"id": number, "method": method, "params": parameters}
            if session is not None:
                message["sessionId"] = session
            self._out.write(json.dumps(message).encode() + b"\0")
            arrived: Callable[[], bool] = lambda: number in self._answers or self._is_over
            assert self._changed.wait_for(arrived, PATIENCE + 30), method
            assert number in self._answers, "the browser has ended"
            answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def tab(self) -> Tab:
        """Open a page that shares nothing with others."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        found = self.call("Target.createTarget", url="about:blank", browserContextId=context)
        return Tab(self, found["targetId"])

    def close(self) -> None:
        with suppress(AssertionError, OSError):
            self.call("Browser.close")
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._out.close()

    def _read(self) -> None:
        rest = b""
        while piece := self._in.read(1 << 16):
            *messages, rest = (rest + piece).split(b"\0")
            for each in messages:
                self._hear(json.loads(each))
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        self._in.close()

    def _hear(self, message: dict[str, Any]) -> None:
        with self._changed:
            if "id" in message:
                self._answers[message["id"]] = message
                self._changed.notify_all()
            elif _is_complaint(message) and message.get("sessionId") in self.tabs:
                self.tabs[message["sessionId"]].complaints.append(message)


def _is_complaint(message: dict[str, Any]) -> bool:
    is_about_speed = message["params"].get("issue", {}).get("code") == "PerformanceIssue"
    return message["method"] in _COMPLAINTS and not is_about_speed


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    found = Browser(profile)
    try:
        yield found
    finally:
        found.close()
