"""Fixtures of the tests of /status in a browser: the real mintd, a real Redis, a headless Chromium.

    script/page                             # installs them, builds mintd, runs this
    /usr/bin/python3 -m pytest tests/page   # MINTD_BINARY; PAGE_IMAGES: a folder for the pictures

    site         two instances on a Redis of their own, and requests all the time; site.url is the page;
                 site.add(name) is one more, site.use(…) more requests
    page         that page in a browser window: page.text(), page.wait_for(…), page.console()
"""
import json
import os
import threading
import time

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from support.clients import BA, G, bearer, install_clients
from support.http import Connection, form_request, request_bytes
from support.mintd import Mintd, binary
from support.redis_server import RedisServer, free_port
from support.timing import scaled

AXE = os.path.join(os.path.dirname(__file__), "node", "node_modules", "axe-core", "axe.min.js")


def pytest_sessionstart(session):
    if not os.access(binary(), os.X_OK) and not session.config.option.collectonly:
        pytest.exit("no mintd at %s: build it, or set MINTD_BINARY" % binary(), returncode=2)
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"


class Site:
    """Two instances, and somebody who uses the first one."""

    def __init__(self):
        self.redis = RedisServer()
        install_clients(self.redis)
        self.port = free_port()
        self.instance = self.start()
        self._others, self._users = [], []
        self._stop = threading.Event()
        self.other = self.add("mintd-2")
        self.use(lambda: self.instance, 0.05)
        self.url = "http://127.0.0.1:%d/status" % self.port

    def start(self):
        instance = Mintd("--metrics-listen", "127.0.0.1:%d" % self.port, redis=self.redis, name="mintd-1",
                         workers=2)
        instance.wait_for_store()
        return instance

    def add(self, name):
        instance = Mintd(redis=self.redis, name=name)
        self._others.append(instance)
        instance.wait_for_store()
        return instance

    def use(self, which, pause):
        """Requests to the instance that which() returns: some, a pause in seconds, and again."""
        self._users.append(threading.Thread(target=self._use, args=(which, pause), daemon=True))
        self._users[-1].start()

    def _use(self, which, pause):
        turn = 0
        while not self._stop.is_set():
            try:
                with Connection(which().address) as connection:
                    connection.send(form_request("/token", G, [BA]))
                    token = connection.read_response().json().get("access_token", "none")
                    for _ in range(3 + turn % 40 // 10):
                        connection.send(request_bytes("GET", "/secret", [bearer(token)]))
                        connection.read_response()
                    if turn % 6 == 0:
                        connection.send(request_bytes("GET", "/secret", [bearer("nope")]))
                        connection.read_response()
            except Exception:  # it may be away: that is what is looked at
                pass
            turn += 1
            self._stop.wait(pause)

    def close(self):
        self._stop.set()
        for user in self._users:
            user.join()
        for instance in (*self._others, self.instance):
            instance.kill()
        self.redis.stop()


class Page:
    def __init__(self):
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                         "--hide-scrollbars", "--force-device-scale-factor=1", "--disable-lcd-text"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_page_load_timeout(scaled(60))
        self.size(1180, 900)
        self.scheme("light")

    def size(self, width, height):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})

    def scheme(self, name):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": name}]})

    def open(self, url):
        self.driver.get(url)
        self.wait_for(lambda: "connecting" not in self.text("state"), "an answer")

    def text(self, name):
        return self.driver.find_element(By.ID, name).get_attribute("textContent")

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait_for(self, check, what, within=20):
        deadline = time.monotonic() + scaled(within)
        while not check():
            assert time.monotonic() < deadline, "no %s within %d s; the page:\n%s" % (
                what, within, self.driver.find_element(By.TAG_NAME, "body").text)
            time.sleep(0.1)

    def console(self):
        """What it has said since this was asked last: warnings and errors."""
        return [entry for entry in self.driver.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]

    def requests(self):
        """The URLs that were asked for since this was asked last."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent"]

    def barriers(self):
        """What axe-core finds: one line for each."""
        with open(AXE, encoding="utf-8") as file:
            self.run(file.read())
        found = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations), e => done([String(e)]));")
        return ["%s: %s" % (one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found]

    def picture(self):
        return self.driver.get_screenshot_as_png()


@pytest.fixture
def site():
    site = Site()
    yield site
    site.close()


@pytest.fixture(scope="session")
def browser():
    page = Page()
    yield page
    page.driver.quit()


@pytest.fixture
def page(browser, site):
    browser.size(1180, 900)
    browser.scheme("light")
    browser.console(), browser.requests()
    browser.open(site.url)
    yield browser
    browser.driver.get("about:blank")  # else it asks an instance that is gone, and the next test sees that
