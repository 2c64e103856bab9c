"""An emulated 64-bit ARM board with the kernel of Debian: its memory disk, its start, and its console."""
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

SETUP = Path(__file__).with_name("setup")
FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "http-sse" / "board"
HOST = FOLDER / "host"


def prepare():
    """Unpacks emulator, kernel and tools, unless they are there."""
    status = subprocess.run([SETUP]).returncode
    if status != 0:
        sys.exit(status)


def environment():
    """What the unpacked programs need to find their libraries and each other."""
    libraries = [str(HOST / folder) for folder in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")]
    programs = [str(HOST / folder) for folder in ("usr/bin", "usr/sbin", "sbin")]
    path = ":".join(programs + [os.environ["PATH"], "/usr/sbin", "/sbin"])
    return dict(os.environ, LD_LIBRARY_PATH=":".join(libraries), PATH=path)


class Archive:
    """A memory disk in the format newc, without root, cpio or kmod."""

    def __init__(self):
        self.data, self.inode, self.folders = bytearray(), 0, set()

    def add(self, name, mode, content=b"", device=(0, 0)):
        self._folder(os.path.dirname(name))
        self.inode += 1
        encoded = name.encode() + b"\0"
        fields = [self.inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(encoded), 0]
        self.data += b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        self._pad()
        self.data += content
        self._pad()

    def _folder(self, name):
        if name and name not in self.folders:
            self.folders.add(name)
            self.add(name, 0o40755)

    def folder(self, name):
        self._folder(name)

    def finish(self):
        self.add("TRAILER!!!", 0)
        return bytes(self.data)

    def _pad(self):
        self.data += b"\0" * (-len(self.data) % 4)


def kernel():
    return next(FOLDER.glob("board/boot/vmlinuz*"))


def modules(wanted):
    """The files of the modules and of those they need, in the order in which they are to be loaded."""
    files = {path.name.split(".")[0].replace("-", "_"): path for path in FOLDER.glob("board/lib/modules/*/kernel/**/*.ko")}
    order = []

    def need(name):
        # Some are asked for by what they do: crypto-crc32c.
        name = name.replace("-", "_").removeprefix("crypto_")
        path = files.get(name) or files.get(name + "_generic")
        if path is None or path in order:
            return  # built in
        fields = path.read_bytes().split(b"\0")
        for field in fields:
            match = re.match(rb"(?:depends=|softdep=pre: )([\w ,-]*)", field)
            for other in re.split(r"[ ,]+", match[1].decode() if match else ""):
                if other:
                    need(other)
        order.append(path)

    for name in wanted:
        need(name)
    return order


def memory_disk(init, wanted_modules, programs):
    """The archive of a system that runs the script `init`; `programs` are files to be put beside it."""
    archive = Archive()
    for folder in ("bin", "dev", "proc", "sys", "tmp", "mnt", "modules"):
        archive.folder(folder)
    archive.add("dev/console", 0o20600, device=(5, 1))
    archive.add("dev/null", 0o20666, device=(1, 3))
    archive.add("bin/busybox", 0o100755, (FOLDER / "board/bin/busybox").read_bytes())
    archive.add("bin/sh", 0o120777, b"busybox")
    names = []
    for path in modules(wanted_modules):
        names.append(path.name)
        archive.add("modules/" + path.name, 0o100644, path.read_bytes())
    archive.add("modules/order", 0o100644, "".join(name + "\n" for name in names).encode())
    for program in programs:
        archive.add(Path(program).name, 0o100755, Path(program).read_bytes())
    archive.add("init", 0o100755, init.encode())
    return archive.finish()


class Board:
    """A running board. Its console is read line by line; it ends with the `with` block."""

    def __init__(self, memory_disk, arguments="", disks=(), options=()):
        command = [
            "qemu-system-aarch64", "-L", HOST / "usr/share/qemu", "-machine", "virt", "-cpu", "cortex-a53",
            "-m", "128", "-nographic", "-nodefaults", "-no-reboot", "-serial", "stdio",
            "-kernel", kernel(), "-initrd", memory_disk,
            "-append", f"console=ttyAMA0 quiet panic=-1 -- {arguments}", *options,
        ]
        for disk in disks:
            command += ["-drive", f"driver=nbd,server.type=unix,server.path={disk.path},if=virtio"]
        self.lines, self.changed, self.has_ended = [], threading.Condition(), False
        self.process = subprocess.Popen(
            command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.decode("latin1").strip())
                self.changed.notify_all()
        with self.changed:
            self.has_ended = True
            self.changed.notify_all()

    def wait_for(self, text, limit=120):
        """Takes the lines of the console up to the one with `text`, and returns them."""
        end = time.monotonic() + limit
        with self.changed:
            while True:
                for number, line in enumerate(self.lines):
                    if text in line:
                        taken, self.lines = self.lines[:number], self.lines[number + 1:]
                        return taken
                if self.has_ended or not self.changed.wait(end - time.monotonic()):
                    raise RuntimeError(f"the board did not say {text!r} in {limit} s, but: {self.lines[-15:]}")

    def say(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()
