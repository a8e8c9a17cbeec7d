#!/usr/bin/python3
"""Writes a little-endian pcap again with its headers big-endian, as a big-endian machine would have: pcap, or pcapng.

usage: big_endian.py IN.pcap OUT.pcap|OUT.pcapng
"""

import struct
import sys

NANOSECONDS = 0xA1B23C4D


def packets(data):
    offset = 24
    while offset < len(data):
        header = struct.unpack_from("<IIII", data, offset)
        offset += 16
        yield header, data[offset : offset + header[2]]
        offset += header[2]


def block(kind, body):
    body += bytes(-len(body) % 4)
    length = len(body) + 12
    return struct.pack(">II", kind, length) + body + struct.pack(">I", length)


def option(code, value):
    return struct.pack(">HH", code, len(value)) + value + bytes(-len(value) % 4)


def pcap(data):
    yield struct.pack(">IHHiIII", *struct.unpack_from("<IHHiIII", data))
    for header, frame in packets(data):
        yield struct.pack(">IIII", *header) + frame


def pcapng(data):
    magic, _, _, _, _, snaplen, linktype = struct.unpack_from("<IHHiIII", data)
    units = 10**9 if magic == NANOSECONDS else 10**6
    yield block(0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1))
    options = option(2, b"eth0") + option(9, bytes([9 if magic == NANOSECONDS else 6])) + option(0, b"")
    yield block(1, struct.pack(">HHI", linktype, 0, snaplen) + options)
    for (seconds, fraction, captured, length), frame in packets(data):
        stamp = seconds * units + fraction
        yield block(6, struct.pack(">IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, captured, length) + frame)


with open(sys.argv[1], "rb") as source:
    capture = source.read()
with open(sys.argv[2], "wb") as target:
    target.writelines((pcapng if sys.argv[2].endswith(".pcapng") else pcap)(capture))
