#!/usr/bin/python3
"""Traffic that no Debian client sends, from real sockets where one can and from whole frames where not.

usage: send.py SCENE, inside the client's namespace. Every scene sends a bounded number of packets.
"""

import socket
import struct
import sys
import time

CLIENT_MAC, SERVER_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
CLIENT4, SERVER4 = "10.0.0.1", "10.0.0.2"
CLIENT6, SERVER6 = "fd00::1", "fd00::2"
HOP_BY_HOP, ROUTING, FRAGMENT, ICMPV6, NO_NEXT, DESTINATION = 0, 43, 44, 58, 59, 60
# Options without their first two bytes (next header, length): RFC 8200 section 4.2, RFC 2711.
ROUTER_ALERT = bytes.fromhex("05020000" + "0100")
PAD_6 = bytes.fromhex("010400000000")
EXPERIMENT = bytes.fromhex("1e0c") + bytes(12)  # RFC 4727: skipped where it is not known (Linux drops longer padding)
# Segment routing header (RFC 8754): fd00::2 first, then fd00::22, which is the server too.
SEGMENTS = [socket.inet_pton(socket.AF_INET6, a) for a in ("fd00::22", "fd00::2")]
SEGMENT_ROUTING = bytes([0, 4, 4, 1, 1, 0, 0, 0]) + b"".join(SEGMENTS)
QUERY = bytes.fromhex("1234010000010000000000000377777707") + b"example" + b"\x04test" + bytes.fromhex("0000010001")


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def wire():
    frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    frames.bind(("eth0", 0))
    return frames


def extension(options):
    return bytes([0, (len(options) + 2) // 8 - 1]) + options


def ask(family, server, options, payload=QUERY, port=53):
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        for name, value in options:
            udp.setsockopt(socket.IPPROTO_IPV6, name, value)
        udp.settimeout(2)
        udp.sendto(payload, (server, port))
        try:
            return udp.recv(65536)
        except OSError as error:
            print(f"no answer: {error}", file=sys.stderr)


def ipv6(next_header, payload):
    source, target = (socket.inet_pton(socket.AF_INET6, a) for a in (CLIENT6, SERVER6))
    header = struct.pack("!IHBB", 6 << 28, len(payload), next_header, 64) + source + target
    return SERVER_MAC + CLIENT_MAC + b"\x86\xdd" + header + payload


def echo6(identifier, final=SERVER6):
    source, target = (socket.inet_pton(socket.AF_INET6, a) for a in (CLIENT6, final))
    body = struct.pack("!BBHHH", 128, 0, 0, identifier, 1) + b"extension headers"
    pseudo = source + target + struct.pack("!II", len(body), ICMPV6)
    return body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]


def chain(headers, last, payload):
    """Joins extension headers, each naming the next, before `payload` of protocol `last`."""
    kinds = [kind for kind, _ in headers] + [last]
    joined = b"".join(bytes([kinds[i + 1]]) + body[1:] for i, (_, body) in enumerate(headers))
    return ipv6(kinds[0], joined + payload)


def ipv6_ext():
    hop, destination = (socket.IPV6_HOPOPTS, extension(ROUTER_ALERT)), (socket.IPV6_DSTOPTS, extension(EXPERIMENT))
    routing = (socket.IPV6_RTHDR, SEGMENT_ROUTING)
    for options in ([hop], [destination], [hop, destination], [routing], [hop, routing, destination]):
        ask(socket.AF_INET6, SERVER6, options)
    # Echo service on port 7: 3000 bytes leave in fragments, with the other headers before and after.
    for options in ([], [hop], [hop, destination]):
        ask(socket.AF_INET6, SERVER6, options, bytes(i & 255 for i in range(3000)), 7)
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as tcp:
        tcp.settimeout(2)
        tcp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, extension(PAD_6))
        tcp.connect((SERVER6, 80))
        tcp.sendall(b"GET / HTTP/1.0\r\nHost: www.example.test\r\n\r\n")
        while tcp.recv(65536):
            pass
    pad, alert = extension(PAD_6), extension(ROUTER_ALERT)
    atomic = struct.pack("!BBHI", 0, 0, 0, 0xB0F)  # RFC 6946: a fragment header, and nothing to wait for
    spent = bytes([0, 2, 0, 0]) + bytes(4) + socket.inet_pton(socket.AF_INET6, CLIENT6)  # type 0, no segment left
    frames = wire()
    for headers, last, payload in (
        ([(FRAGMENT, atomic)], ICMPV6, echo6(1)),
        ([(HOP_BY_HOP, alert), (DESTINATION, pad), (ROUTING, spent), (FRAGMENT, atomic), (DESTINATION, pad)], ICMPV6, echo6(2)),
        ([(DESTINATION, pad)] * 8, ICMPV6, echo6(3)),
        ([(DESTINATION, pad)], NO_NEXT, b""),
        ([(DESTINATION, pad)], 253, b"unknown protocol: the server answers with a parameter problem"),
        ([(DESTINATION, extension(bytes.fromhex("c20400000000")))], ICMPV6, echo6(4)),  # unknown option, "tell me"
        ([(ROUTING, bytes([0, 2, 0, 1]) + spent[4:])], ICMPV6, echo6(5, CLIENT6)),  # type 0, one segment left: deprecated
    ):
        frames.send(chain(headers, last, payload))
        time.sleep(0.05)


def fragments():
    for family, server in ((socket.AF_INET, SERVER4), (socket.AF_INET6, SERVER6)):
        for size in (1473, 4000, 8000):
            ask(family, server, [], bytes(i & 255 for i in range(size)), 7)
    # One UDP datagram to the echo service in four pieces: in order, in reverse, and without its last piece.
    data = struct.pack("!HHHH", 7777, 7, 72, 0) + bytes(range(64))
    pieces = [(offset, data[offset : offset + 24]) for offset in range(0, len(data), 24)]
    frames = wire()
    for identifier, order in ((1, pieces), (2, pieces[::-1]), (3, pieces[:-1])):
        for offset, piece in order:
            more = 0x2000 if offset + len(piece) < len(data) else 0
            header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(piece), identifier, more | offset // 8, 64, 17, 0)
            header += socket.inet_aton(CLIENT4) + socket.inet_aton(SERVER4)
            header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
            frames.send(SERVER_MAC + CLIENT_MAC + b"\x08\x00" + header + piece)
        time.sleep(0.05)


def mixed():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")  # there is no route to 255.255.255.255
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.1.1") + socket.inet_aton(CLIENT4))
        for _ in range(2):
            udp.sendto(b"to everyone", ("255.255.255.255", 9999))
            udp.sendto(b"to the subnet", ("10.0.0.255", 9999))
            udp.sendto(b"to the group", ("239.1.1.1", 9999))
        udp.sendto(b"", (SERVER4, 9))
        time.sleep(1)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        interface = socket.if_nametoindex("eth0")
        udp.sendto(b"to all nodes", ("ff02::1", 9999, 0, interface))
    frames = wire()
    there, everyone = SERVER_MAC + CLIENT_MAC, b"\xff" * 6 + CLIENT_MAC
    for frame in (
        there + b"\x08\x00",  # a header and nothing more: 14 bytes
        there + b"\x08\x00" + b"\x45",  # 15
        there + b"\x08\x00" + b"\x45" + bytes(18),  # one byte short of an IPv4 header
        there + b"\x86\xdd" + b"\x60" + bytes(10),  # a short IPv6 header
        there + b"\x08\x06" + bytes(20),  # a short ARP
        there + b"\x81\x00\x00",  # half a VLAN tag
        there + b"\x88\xb5" + b"local experiment".ljust(46, b"\0"),  # minimum size: 60 bytes
        there + bytes([0, 3, 0xFE, 0xFE, 3]) + bytes(43),  # 802.3 length, LLC of OSI
        everyone + bytes([0, 8, 0xAA, 0xAA, 3, 0, 0, 0, 8, 0]) + bytes(38),  # LLC and SNAP, IPv4 inside and empty
        everyone + b"\x90\x00" + bytes([0, 0, 1, 0]) + bytes(42),  # configuration test (loopback) protocol
    ):
        frames.send(frame)


{"ipv6-ext": ipv6_ext, "fragments": fragments, "mixed": mixed}[sys.argv[1]]()
