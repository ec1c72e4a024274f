"""/status in a browser: what is seen, by whom, and what it asks for."""
import os
import signal
import subprocess
import time

from support.timing import scaled
from terminal import screen_of_top, svg

GAP = 12  # s without a beat: what the page calls silent


def rows(page, name):
    return page.run("return [...document.getElementById(arguments[0]).rows].map(r => [...r.cells].map(c => c.innerText))",
                    name)


def number(text):
    return float(text.split()[0].replace(",", ""))


def test_it_shows_what_is_so_and_asks_nobody_else(page, site):
    page.wait_for(lambda: len(rows(page, "t-instances")) == 2, "second instance")
    assert page.text("name") == "mintd-1" and page.text("state") == "ready" and page.text("news") == ""
    names = [row[0].split("\n")[0] for row in rows(page, "t-instances")]
    assert names == ["mintd-1", "mintd-2"]
    assert page.text("n-instances") == "2 of 2 up"
    address, role, state, _ = rows(page, "t-redis")[0]
    assert (address, role, state) == ("127.0.0.1:%d" % site.redis.port, "master", "up")
    assert rows(page, "t-troubles") == [["none since the start"]], page.text("t-troubles")
    assert page.console() == []
    origin = site.url.rsplit("/", 1)[0]
    asked = [url for url in page.requests() if not url.startswith("data:")]
    assert set(asked) == {origin + "/status", origin + "/status.json"}, asked


def test_it_updates(page):
    def minted():
        return number(page.run("return document.querySelector('#f-rates dd').innerText"))

    def points():
        return page.run("return document.querySelector('#p-rates polyline').getAttribute('points').split(' ').length")

    page.wait_for(lambda: minted() > 0 and points() >= 2, "rate of mints")
    before = points()
    page.wait_for(lambda: points() > before, "another point")
    assert number(page.run("return document.querySelector('#f-times dd').innerText")) > 0


def test_an_instance_that_was_killed_is_shown(page, site):
    page.wait_for(lambda: len(rows(page, "t-instances")) == 2, "second instance")
    os.kill(site.other.pid, signal.SIGKILL)
    page.wait_for(lambda: rows(page, "t-instances")[1][1] in ("silent", "gone"), "silence", GAP + 30)
    page.wait_for(lambda: "mintd-2" in page.text("news"), "news of it")
    assert page.text("n-instances") == "1 of 2 up"
    page.wait_for(lambda: rows(page, "t-instances")[1][1] == "gone", "end of its record", 40)
    assert page.console() == []


def test_that_redis_is_away_is_shown(page, site):
    site.redis.kill()
    page.wait_for(lambda: "Redis does not answer" in page.text("news"), "news of Redis")
    assert page.text("state") == "not ready: disconnected"
    assert rows(page, "t-redis")[0][2] == "disconnected"
    page.wait_for(lambda: rows(page, "t-troubles")[0][1] == "disconnected", "trouble")
    site.redis.restart()
    page.wait_for(lambda: page.text("state") == "ready" and page.text("news") == "", "end of the trouble")
    assert rows(page, "t-troubles")[0][1] == "disconnected"
    assert page.console() == []


def test_the_page_survives_its_instance(page, site):
    site.instance.kill()
    page.wait_for(lambda: page.text("state") == "not reachable", "word of it")
    assert page.text("news").startswith("This instance does not answer since ")
    assert len(rows(page, "t-instances")) >= 1  # what was known is still there
    site.instance = site.start()
    page.wait_for(lambda: page.text("state") == "ready" and page.text("news") == "", "return")


def overflow(page):
    return page.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_it_fits_a_telephone(page):
    page.wait_for(lambda: len(rows(page, "t-instances")) == 2, "second instance")
    for width in (360, 390, 601, 768):
        page.size(width, 780)
        time.sleep(0.2)  # a resize is drawn on a later frame, and nothing tells of it
        assert overflow(page) == 0, width
        assert page.run("return innerWidth") == width
    page.size(360, 780)
    assert page.barriers() == []


def luminance(page):
    colour = page.run("return getComputedStyle(document.body).backgroundColor")
    return sum(map(int, colour[4:-1].split(","))) / 3


def test_light_and_dark_have_no_barriers(page):
    page.wait_for(lambda: len(rows(page, "t-instances")) == 2, "second instance")
    assert luminance(page) > 200
    assert page.barriers() == []
    page.scheme("dark")
    assert luminance(page) < 60
    assert page.barriers() == []


def test_troubles_have_no_barriers(page, site):
    site.redis.kill()
    os.kill(site.other.pid, signal.SIGKILL)
    page.wait_for(lambda: "Redis does not answer" in page.text("news"), "news of Redis")
    for scheme in ("light", "dark"):
        page.scheme(scheme)
        assert page.barriers() == []
    site.instance.kill()
    page.wait_for(lambda: page.text("state") == "not reachable", "word of it")
    for scheme in ("light", "dark"):
        page.scheme(scheme)
        assert page.barriers() == []


# ---- pictures for the documentation: script/page --pictures ----


def keep(name, picture, most):
    """Where somebody asks for pictures, which then take at most so many bytes."""
    folder = os.environ.get("PAGE_IMAGES")
    if folder:
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(picture)
        if name.endswith(".png"):
            subprocess.run(["optipng", "-quiet", path], check=True)
        assert os.path.getsize(path) < most, (name, os.path.getsize(path))


def test_pictures(page, site):
    """After a while of use: the page in both schemes, and mintctl top, which is both in one."""
    third = site.add("mintd-3")
    site.use(lambda: site.other, 0.12)
    site.use(lambda: third, 0.3)
    page.wait_for(lambda: len(rows(page, "t-instances")) == 3, "third instance")
    wait = 100 if os.environ.get("PAGE_IMAGES") else 4
    page.wait_for(lambda: page.run("return last.history.at.length") * 2 >= wait, "history", wait + 30)
    site.redis.pause()
    page.wait_for(lambda: rows(page, "t-troubles")[0] != ["none since the start"], "trouble")
    site.redis.resume()
    page.wait_for(lambda: page.text("state") == "ready" and page.text("news") == "", "end of the trouble")
    seen = page.run("return last.history.at.at(-1)")
    page.wait_for(lambda: page.run("return last.history.at.at(-1)") > seen + wait * 100, "quiet", 30)
    page.size(1000, 790)
    for scheme in ("light", "dark"):
        page.scheme(scheme)
        keep("status-%s.png" % scheme, page.picture(), 80 * 1024)
    screen = screen_of_top(site.redis)
    names = sorted(line.split()[0] for line in screen.display[4:7])
    assert names == ["mintd-1", "mintd-2", "mintd-3"], screen.display
    keep("top.svg", svg(screen, "mintctl top"), 12 * 1024)
