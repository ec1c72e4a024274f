"""What each Redis wrote, by its own append-only file: it tells what a fail-over lost from what mintd did wrong.

Redis copies to its replica without waiting. A mint or a revocation that was acknowledged and is in the file of the
old master, and not in that of the new one, was lost by Redis. One that is in neither was never written, one that
came to the old master when every instance had to know the new one was written to the wrong one: nothing excuses
either of them.
"""
import glob
import os

from history import EVERYBODY, Change
from support.clients import token_key

OPTIONS = ("--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0",
           "--aof-use-rdb-preamble", "no")
MOMENT = 1e-6


def commands(data):
    """The commands of an append-only file, each a list of bytes; a last one that is cut off is left out."""
    at = 0
    while at < len(data):
        end = data.find(b"\r\n", at)
        if end < 0:
            return
        if data[at:at + 1] == b"#":  # an annotation
            at = end + 2
            continue
        words, count, at = [], int(data[at + 1:end]), end + 2
        for _ in range(count):
            end = data.find(b"\r\n", at)
            if end < 0:
                return
            size = int(data[at + 1:end])
            words.append(data[end + 2:end + 2 + size])
            at = end + 2 + size + 2
        if at > len(data):
            return
        yield words


WRITES = (b"SET", b"SETEX", b"RESTORE", b"RESTORE-ASKING")  # the last two: it came with its slot


class Log:
    """Of one Redis, from the moment that it copied all from its master, or began. deleted: and not written since."""

    def __init__(self, written=(), deleted=()):
        self.written, self.deleted = set(written), set(deleted)

    def add(self, data):
        for words in commands(data):
            name = words[0].upper()
            if name in WRITES:
                self.written.add(words[1].decode())
                self.deleted.discard(words[1].decode())
            elif name in (b"DEL", b"UNLINK"):
                self.deleted.update(key.decode() for key in words[1:])


class Files:
    """The files of one Redis at a time, held open: what it writes into them later counts too, also when Redis
    has removed them."""

    def __init__(self, server):
        self._folder, self._names, self._files = os.path.join(server.directory, "appendonlydir"), set(), []
        self.look_again()

    def look_again(self):
        """Whether there are others by now, as where it has copied a master anew. Their first one has all that it has."""
        names = sorted(set(glob.glob(os.path.join(self._folder, "*.aof"))) - self._names)
        self._names.update(names)
        self._files += [open(name, "rb") for name in names]
        return bool(names)

    def read(self):
        log = Log()
        for file in self._files:
            with file:
                log.add(file.read())
        return log


def tell_losses(history):
    """Adds to the history what its fail-overs lost: a token whose record was not copied has ended, and a
    revocation that was not copied holds no longer."""
    _doubt_what_was_written_meanwhile(history)
    if history.in_parts:
        _doubt_what_a_flush_brings_back(history)
    before = {}
    for failover in sorted(history.failovers, key=lambda f: f.start):
        _tell_losses(history, failover, before.get(failover.group, float("-inf")))
        before[failover.group] = failover.until


def _doubt_what_a_flush_brings_back(history):
    """Its generation is gone, and the token is not yet: for a moment it is on the terms of before."""
    flushes = [c for c in history.changes if c.kind == "flush"]
    for change in history.changes:
        if change.kind == "everybody":
            change.until = min((f.start for f in flushes if f.end >= change.start), default=change.until)


def _doubt_what_was_written_meanwhile(history):
    """While a slot was handed over at once: behind the copy of its keys the old owner still took some."""
    for move in (m for m in history.moves if m.at_once):
        for mint in history.asks:
            if mint.op == "mint" and mint.token and mint.end >= move.start and mint.start <= move.end \
                    and move.is_about(mint.places[:1]):
                history.changes.append(Change("lost", EVERYBODY, mint.token, mint.client, mint.end + MOMENT,
                                              move.end, False))
        for change in history.changes:
            if change.kind in ("revoke", "delete") and change.end >= move.start and change.start <= move.end \
                    and move.is_about(change.places):
                change.acknowledged = False


def _tell_losses(history, failover, before):
    old, new = failover.old, failover.new
    for mint in history.asks:
        if mint.op == "mint" and mint.token and before < mint.start <= failover.until:
            key = token_key(mint.token)
            if key in old.written and key not in new.written:
                start = max(failover.start, mint.end + MOMENT)
                history.changes.append(Change("lost", EVERYBODY, mint.token, mint.client, start,
                                              max(start, failover.until)))
                failover.lost_mints += 1
    for change in history.changes:
        if change.kind in ("revoke", "delete") and change.acknowledged and before < change.start <= failover.until:
            key = token_key(change.token)
            # The old master may have acknowledged the end of a token that only the new one knew.
            # And what the new one did before it went back is undone.
            on_the_new = key not in old.written or failover.went_back
            undone = key in old.deleted or (on_the_new and failover.overlaps(change))
            if undone and key in new.written and key not in new.deleted:
                if not history.waits:  # else it holds, whatever Redis has lost
                    change.until = failover.start
                failover.lost_revocations += 1
                failover.undone.append(change)


