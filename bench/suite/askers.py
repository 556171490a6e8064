"""A hundred leaves that lost the same packets: each asks a repair server for each of them, from an
address of its own.

    askers.py SERVER PORT SESSION ADDRESS...    until it is told to end; then {"asked":..,"answered":..}
"""

import json
import signal
import socket
import struct
import sys
import time

EVERY = 0.02  # seconds: how often a packet is lost
STEP = 500  # messages from one to the next that is lost


def main():
    server, port, session, *addresses = sys.argv[1:]
    sockets = []
    for address in addresses:
        asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asker.bind((address, 0))
        asker.connect((server, int(port)))
        asker.setblocking(False)
        sockets.append(asker)
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    asked = answered = 0
    sequence = 1
    while not ended:
        request = struct.pack(">10sQH", session.ljust(10).encode(), sequence, 1)
        for asker in sockets:
            try:
                asker.send(request)
            except OSError:
                continue  # the server is not there yet, or not any more
            asked += 1
        time.sleep(EVERY)
        for asker in sockets:
            try:
                while len(asker.recv(2048)) > 20:
                    answered += 1
            except OSError:
                pass  # no more
        sequence += STEP
    print(json.dumps({"asked": asked, "answered": answered}), flush=True)


if __name__ == "__main__":
    main()
