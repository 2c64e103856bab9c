#!/usr/bin/env python3
"""Runs a program, and has the kernel fail one of its system calls: by seccomp's user notification, Linux 5.6 on x86-64.

    fail.py REPORT record PROGRAM [ARGUMENT...]                       lists the calls that can be made to fail
    fail.py REPORT NAME ERRNO COUNT LENGTH PROGRAM [ARGUMENT...]    fails the call of that name and number
    fail.py serve                                     takes many such runs from its input

LENGTH is how long, in ms, all further calls of that name fail as well, 0 for one call.

Of all threads together, unlike the counts of `strace -e inject`, which are those of a thread: there the first call of
each thread fails, and a retry on another thread fails like the first attempt. Calls count between a stat of
/failing-calls/start and one of /failing-calls/end, which the program makes, or from its first call of START on.
The program is killed after 10 s, and the report then says where its threads were.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import select
import signal
import socket
import struct
import sys
import time

CALLS = {
    "read": 0, "write": 1, "lseek": 8, "mmap": 9, "mprotect": 10, "ioctl": 16, "writev": 20, "socket": 41, "connect": 42,
    "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47, "bind": 49, "getsockname": 51, "getpeername": 52,
    "socketpair": 53, "setsockopt": 54, "getsockopt": 55, "clone": 56, "fcntl": 72, "fsync": 74, "fdatasync": 75,
    "ftruncate": 77, "rename": 82, "mkdir": 83, "unlink": 87, "futex": 202, "clock_nanosleep": 230, "openat": 257,
    "mkdirat": 258, "newfstatat": 262, "unlinkat": 263, "renameat": 264, "ppoll": 271, "poll": 7, "fallocate": 285,
    "pipe2": 293, "sendmmsg": 307, "getrandom": 318, "renameat2": 316, "statx": 332, "clone3": 435, "openat2": 437,
}
NAMES = {number: name for name, number in CALLS.items()}
# Without any mark of the program: what a tool does first that can fail.
START = {"socket", "socketpair", "pipe2", "clone3", "clone"}
DEADLINE = 10

SECCOMP, SECCOMP_SET_MODE_FILTER, NEW_LISTENER, PIDFD_GETFD = 317, 1, 8, 438
NOTIF_RECV, NOTIF_SEND, CONTINUE = 0xC0502100, 0xC0182101, 1
ALLOW, NOTIFY, ARCH_X86_64 = 0x7FFF0000, 0x7FC00000, 0xC000003E
PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG = 38, 1
# After these a connection is dead: the next call must not find it alive.
DEAD = {errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT}
MAP_STACK, PROT_NONE = 0x20000, 0
F_DUPFD, F_DUPFD_CLOEXEC = 0, 1030
FUTEX_WAIT, FUTEX_WAIT_BITSET = 0, 9

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def checked(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), what)
    return result


def install_filter():
    """Returns the descriptor of the notifications."""
    load, equal, give = 0x20, 0x15, 0x06
    program = [(load, 0, 0, 4), (equal, 1, 0, ARCH_X86_64), (give, 0, 0, ALLOW), (load, 0, 0, 0)]
    for number in CALLS.values():
        program += [(equal, 0, 1, number), (give, 0, 0, NOTIFY)]
    program.append((give, 0, 0, ALLOW))
    text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(text)))
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return checked(libc.syscall(SECCOMP, SECCOMP_SET_MODE_FILTER, NEW_LISTENER, filter_), "seccomp")


def start(arguments, output):
    """Starts the program, and returns its process and the descriptor of its notifications.

    Its standard output and error go to files of the folder `output`, if there is one.
    """
    # The child shows its descriptor here, and waits until it is taken: the next program has it no more.
    shared = mmap.mmap(-1, mmap.PAGESIZE)
    child = os.fork()
    if child == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if output:
            for number, name in ((0, "/dev/null"), (1, f"{output}/stdout"), (2, f"{output}/stderr")):
                os.dup2(os.open(name, os.O_RDWR | os.O_CREAT, 0o666), number)
        try:
            shared[:4] = struct.pack("i", install_filter())
        except OSError as error:
            shared[:4] = struct.pack("i", -error.errno)
            os._exit(127)
        while not shared[4]:
            select.select([], [], [], 0.0005)  # Is not in the filter.
        os.execvp(arguments[0], arguments)
    while (number := struct.unpack("i", shared[:4])[0]) == 0:
        time.sleep(0.0005)
    if number < 0:
        raise OSError(-number, os.strerror(-number))
    process = os.pidfd_open(child)
    listener = checked(libc.syscall(PIDFD_GETFD, process, number, 0), "pidfd_getfd")
    shared[4] = 1
    os.close(process)
    return child, listener


def shut_down(thread, descriptor):
    """Ends the socket of the thread in both directions."""
    with open(f"/proc/{thread}/status") as file:
        child = next(int(line.split()[1]) for line in file if line.startswith("Tgid:"))
    process = os.pidfd_open(child)
    copy = libc.syscall(PIDFD_GETFD, process, descriptor, 0)
    os.close(process)
    if copy < 0:
        return
    with socket.socket(fileno=copy) as end:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # It was not connected.


def text_at(thread, address):
    try:
        with open(f"/proc/{thread}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            return memory.read(256).split(b"\0")[0].decode(errors="replace")
    except OSError:
        return ""


def comm(thread):
    try:
        with open(f"/proc/{thread}/comm") as file:
            return file.read().strip()
    except OSError:
        return "?"


def is_fallible(name, values):
    """Left out: memory that is not a thread's stack, and its stack for signals, without which every Rust program aborts;
    and what cannot fail as it is called."""
    if name == "mmap":
        return values[2] == PROT_NONE and values[3] & MAP_STACK != 0
    if name == "mprotect":
        return values[2] != PROT_NONE
    if name == "fcntl":
        return values[1] in (F_DUPFD, F_DUPFD_CLOEXEC)
    if name == "futex":
        return values[1] & 0x7F in (FUTEX_WAIT, FUTEX_WAIT_BITSET)
    return True


def detail(name, thread, values):
    if name in ("openat", "newfstatat", "statx", "renameat", "unlinkat", "mkdirat"):
        return text_at(thread, values[1])
    if name in ("rename", "unlink", "mkdir"):
        return text_at(thread, values[0])
    if name in ("setsockopt", "getsockopt"):
        return f"level {values[1]} option {values[2]}"
    if name in ("read", "write", "recvfrom", "sendto"):
        return f"fd {values[0]}, {values[2]} bytes"
    return ""


class Supervisor:
    def __init__(self, plan, report):
        self.plan, self.report = plan, report
        self.counting, self.counts, self.failing_until = False, {}, None

    def verdict(self, number, thread, values):
        """Returns the number of the error that the call is to get, or 0."""
        name = NAMES[number]
        if name == "statx":
            path = text_at(thread, values[1])
            if path.startswith("/failing-calls/"):
                self.counting = path.endswith("start")
                return 0
        if not self.counting and self.plan.get("from first") and name in START:
            self.counting, self.plan["from first"] = True, False
        if not self.counting or not is_fallible(name, values):
            return 0
        count = self.counts[name] = self.counts.get(name, 0) + 1
        if "record" in self.plan:
            print("call", name, count, comm(thread), detail(name, thread, values), sep="\t", file=self.report)
            return 0
        if name != self.plan["name"]:
            return 0
        is_one = count == self.plan["count"]
        if is_one and self.plan["length"]:
            self.failing_until = time.monotonic() + self.plan["length"] / 1000
        if is_one or (self.failing_until and time.monotonic() < self.failing_until):
            print("failed", name, count, comm(thread), detail(name, thread, values), sep="\t", file=self.report)
            if name in ("sendto", "sendmsg", "recvfrom", "recvmsg") and self.plan["errno"] in DEAD:
                shut_down(thread, values[0])
            return self.plan["errno"]
        return 0

    def run(self, child, listener):
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        deadline = time.monotonic() + DEADLINE
        while True:
            left = deadline - time.monotonic()
            ready = poll.poll(max(0, left * 1000))
            if left <= 0:
                return self.kill(child)
            if not ready or not ready[0][1] & select.POLLIN:
                if ready:
                    return None
                continue
            notice = bytearray(80)
            try:
                fcntl.ioctl(listener, NOTIF_RECV, notice, True)
                ident, thread, _, number, _, _, *values = struct.unpack("QIIiIQ6Q", bytes(notice))
                failure = self.verdict(number, thread, values)
                fcntl.ioctl(listener, NOTIF_SEND, struct.pack("QqiI", ident, 0, -failure, 0 if failure else CONTINUE))
            except FileNotFoundError:
                pass  # The thread was killed, or a signal took it out of the call.

    def kill(self, child):
        for thread in os.listdir(f"/proc/{child}/task"):
            with open(f"/proc/{child}/task/{thread}/syscall") as file:
                where = file.read().split()[0]
            print("hangs", comm(thread), NAMES.get(int(where) if where.isdigit() else -1, where), sep="\t", file=self.report)
        os.kill(child, signal.SIGKILL)


def run(report, unmarked, what, *rest, output=None):
    """Returns the exit code; a signal is 128 more than its number."""
    plan = {"from first": unmarked}
    if what == "record":
        plan["record"] = True
    else:
        number, count, length, *rest = rest
        plan.update(name=what, errno=int(number), count=int(count), length=int(length))
    with open(report, "w") as file:
        child, listener = start(rest, output)
        Supervisor(plan, file).run(child, listener)
        _, status = os.waitpid(child, 0)
    os.close(listener)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def serve():
    """Each line is a folder, whether the program makes no marks, and the other arguments; the answer is the exit code."""
    for line in sys.stdin:
        folder, unmarked, arguments = json.loads(line)
        print(run(f"{folder}/report", unmarked, *arguments, output=folder), flush=True)


if sys.argv[1:] == ["serve"]:
    serve()
else:
    sys.exit(run(sys.argv[1], "FAILING_CALLS_UNMARKED" in os.environ, *sys.argv[2:]))
