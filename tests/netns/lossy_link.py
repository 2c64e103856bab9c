"""A link that loses and delays packets, for kernels without netem: python3 lossy_link.py NETNS DEVICE LOSS DELAY

Makes a device in the namespace that it runs in and one of the same name in the other, and carries packets between them.
LOSS is the share that is lost, DELAY the time in seconds that the rest takes, both each way. When its input ends it
prints how many packets were lost.
"""

import collections
import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000


def device(name):
    end = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return end


def main():
    namespace, name, loss, delay = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
    far = device("far")
    subprocess.run(["ip", "link", "set", "far", "netns", namespace, "name", name], check=True)
    near = device(name)
    other = {near: far, far: near}
    lost = 0

    print("ready", flush=True)
    chance = random.Random(1)
    under_way = collections.deque()
    while True:
        wait = max(0, under_way[0][0] - time.monotonic()) if under_way else None
        for end in select.select([near, far, sys.stdin], [], [], wait)[0]:
            if end is sys.stdin:
                print("lost", lost)
                return
            try:
                packet = os.read(end, 65536)
            except OSError:
                # The device is not up yet.
                time.sleep(0.001)
                continue
            if chance.random() < loss:
                lost += 1
            else:
                under_way.append((time.monotonic() + delay, other[end], packet))
        while under_way and under_way[0][0] <= time.monotonic():
            _, end, packet = under_way.popleft()
            try:
                os.write(end, packet)
            except OSError:
                lost += 1


main()
