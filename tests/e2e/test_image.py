"""deploy/image-root: what the image is made of. (script/compose-test builds and runs the image itself.)"""
import json
import os
import re
import subprocess

import pytest

from support.mintctl import binary as mintctl_binary
from support.mintd import REPOSITORY, binary, environment
from support.timing import scaled

SCRIPT = os.path.join(REPOSITORY, "deploy", "image-root")


def source(*path):
    with open(os.path.join(REPOSITORY, *path), encoding="utf-8") as file:
        return file.read()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("image"))
    subprocess.run([SCRIPT, folder, "0.1.0", binary(), mintctl_binary()], check=True, timeout=scaled(60),
                   env={**os.environ, "SOURCE_DATE_EPOCH": "1795479129"})
    return folder


def libraries_of(program):
    told = subprocess.run(["ldd", program], capture_output=True, text=True, check=True, timeout=scaled(10)).stdout
    return {path for path in re.findall(r"(/\S+) \(0x", told)}


def test_it_has_what_the_loader_loads(root):
    wanted = libraries_of(binary()) | libraries_of(mintctl_binary())
    assert len(wanted) > 3
    for path in wanted:
        assert os.path.isfile(root + path) and not os.path.islink(root + path), path
    found = {os.path.join(folder, name)[len(root):] for folder, _, names in os.walk(root) for name in names
             if re.search(r"\.so(\.|$)", name)}
    assert found == wanted


def test_the_programs_load_from_it(root):
    """With its own loader, and nothing from beside it."""
    loader = next(path for path in libraries_of(binary()) if os.path.basename(path).startswith("ld-"))
    folders = {root + os.path.dirname(path) for path in libraries_of(binary())}
    for program in ("mintd", "mintctl"):
        done = subprocess.run([root + loader, "--inhibit-cache", "--library-path", ":".join(sorted(folders)), "--list",
                               "%s/usr/local/bin/%s" % (root, program)],
                              capture_output=True, text=True, check=True, timeout=scaled(20))
        found = re.findall(r"=> (\S+)", done.stdout)
        assert len(found) > 3 and all(path.startswith(root) for path in found if "/ld-" not in path), done.stdout


def test_authorities_stand_where_openssl_looks(root):
    for link, target in (("cert.pem", "/etc/ssl/certs/ca-certificates.crt"), ("certs", "/etc/ssl/certs")):
        assert os.readlink(os.path.join(root, "usr/lib/ssl", link)) == target
    with open(root + "/etc/ssl/certs/ca-certificates.crt", encoding="utf-8") as bundle:
        assert bundle.read().count("BEGIN CERTIFICATE") > 50


def test_its_packages_are_listed(root):
    """SPDX 2.3: each package that a file is from, with its version; and its licence lies beside."""
    listed = json.loads(open(root + "/usr/share/doc/mintd/sbom.spdx.json", encoding="utf-8").read())
    assert (listed["spdxVersion"], listed["dataLicense"]) == ("SPDX-2.3", "CC0-1.0")
    assert listed["creationInfo"]["created"] == "2026-11-24T00:12:09Z"
    packages = {one["name"]: one for one in listed["packages"]}
    assert {"mintd", "libc6", "ca-certificates"} <= packages.keys()
    names = [name for path in libraries_of(binary()) for name in (path, os.path.realpath(path))]
    told = subprocess.run(["dpkg-query", "-S", *names], capture_output=True, text=True, check=False,
                          timeout=scaled(30)).stdout
    owners = {line.split(":")[0] for line in told.splitlines() if not line.startswith("diversion by ")}
    assert "libc6" in owners
    assert owners <= packages.keys()
    for name, one in packages.items():
        assert re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", one["SPDXID"]) and one["versionInfo"], one
        if name != "mintd":
            assert one["externalRefs"][0]["referenceLocator"].startswith("pkg:deb/debian/%s@" % name), one
            assert os.path.getsize("%s/usr/share/doc/%s/copyright" % (root, name)) > 0
    related = {one["relatedSpdxElement"] for one in listed["relationships"]}
    assert related == {one["SPDXID"] for one in listed["packages"]}


def test_it_fails_where_nothing_is_loaded(tmp_path):
    """A script is no program that the loader knows."""
    done = subprocess.run([SCRIPT, str(tmp_path / "image"), "1", SCRIPT], capture_output=True, text=True, check=False,
                          timeout=scaled(20))
    assert done.returncode != 0 and "image-root" in done.stderr


def test_the_label_has_the_version_of_the_sources():
    version = re.search(r"project\(mintd VERSION (\S+)", source("CMakeLists.txt"))[1]
    assert "ARG VERSION=%s\n" % version in source("Dockerfile")


def test_no_architecture_is_named():
    """One Dockerfile for all."""
    for path in (("Dockerfile",), ("deploy", "image-root")):
        assert not re.search(r"x86.64|amd64|aarch64|arm64|linux-gnu", source(*path)), path
