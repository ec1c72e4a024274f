# shellcheck shell=sh
# debian.sh: taking packages out of another Debian release, through the mirror this machine's apt
# already uses, checked by apt against Debian's archive key. Neither apt's configuration nor any
# installed package is changed; no root is needed. Sourced; needs die().

donor=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The mirrors of this release's "main", one a line. Another vendor's may be among them.
# DEBIAN_MIRROR overrules.
debian_mirrors() {
    if [ -n "${DEBIAN_MIRROR:-}" ]; then
        echo "$DEBIAN_MIRROR"
        return
    fi
    # shellcheck source=/dev/null
    . /etc/os-release
    [ "${ID:-}" = debian ] || return 0
    # shellcheck disable=SC2016 # apt's variables
    apt-get indextargets --no-release-info \
        --format '$(CREATED_BY) $(COMPONENT) $(RELEASE) $(REPO_URI)' |
        awk -v code="${VERSION_CODENAME:-}" '$1 == "Packages" && $2 == "main" && $4 !~ /^cdrom:/ &&
             ($3 == code || $3 == "stable" || $3 == "oldstable") && !seen[$4]++ { print $4 }'
}

# fetch_debs FOLDER PACKAGE...: downloads the donor release's .deb files into FOLDER/debs/, with apt
# state of its own in FOLDER, which the caller made and removes.
fetch_debs() {
    state=$1
    shift
    command -v apt-get >/dev/null || die "apt-get is missing"
    [ -r "$keyring" ] || die "install the package debian-archive-keyring, then run this again"
    mirrors=$(debian_mirrors)
    [ -n "$mirrors" ] || die "apt has no source for Debian's main archive; DEBIAN_MIRROR=URI names one"
    chmod 755 "$state"
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/debs"
    : >"$state/status"
    if [ "$(id -u)" = 0 ]; then chown _apt "$state/debs" 2>/dev/null || :; fi
    write_apt_conf
    for mirror in $mirrors; do
        if fetch_from "$mirror" "$@" 2>>"$state/errors"; then return; fi
    done
    cat "$state/errors" >&2
    die "could not fetch $*"
}

write_apt_conf() {
    cat >"$state/apt.conf" <<CONF
Dir::Etc::sourcelist "$state/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::status "$state/status";
Dir::State::lists "$state/lists";
Dir::Cache "$state/cache";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Update::Error-Mode "any";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
CONF
}

fetch_from() {
    from=$1
    shift
    echo "deb [arch=$(dpkg --print-architecture) signed-by=$keyring] $from $donor main" \
        >"$state/sources.list"
    apt-get -qq -c "$state/apt.conf" update &&
        (cd "$state/debs" && rm -f ./*.deb && apt-get -qq -c "$state/apt.conf" download "$@")
}
