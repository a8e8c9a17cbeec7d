#!/usr/bin/python3
"""One end of a tunnel, between a tap or tun device and the wire under it.

usage: tunnel.py KIND DEVICE UNDERLAY LOCAL REMOTE

A kernel built without 8021q, ip_gre, ipip, sit or ip6_tunnel has no such device, so the header is put on and taken off
here. Everything above it is the kernel's own IP stack, and everything below it is a real wire. Runs until killed.
LOCAL and REMOTE are outer addresses; the two VLAN kinds do not use them.
"""

import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF, IFF_TUN, IFF_TAP, IFF_NO_PI = 0x400454CA, 1, 2, 0x1000  # linux/if_tun.h
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6, ETH_P_TEB, ETH_P_8021Q, ETH_P_8021AD = 3, 0x0800, 0x86DD, 0x6558, 0x8100, 0x88A8
SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 263, 8, 4  # linux/if_packet.h
TP_STATUS_VLAN_VALID = 1 << 4
GRE_CSUM, GRE_KEY, GRE_SEQ = 0x8000, 0x2000, 0x1000  # RFC 2784, RFC 2890


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def open_device(name, flags):
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags | IFF_NO_PI))
    return device


class Vlan:
    """Tags between the MAC addresses and the EtherType, outermost first."""

    device = IFF_TAP

    def __init__(self, *tags):
        self.tags = b"".join(struct.pack("!HH", tpid, tci) for tpid, tci in tags)

    def open(self, underlay, _local, _remote):
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.wire.bind((underlay, 0))

    def send(self, frame):
        self.wire.send(frame[:12] + self.tags + frame[12:])

    def receive(self):
        frame, ancillary, _, address = self.wire.recvmsg(65536, 64)
        if address[2] == PACKET_OUTGOING:
            return None
        # The kernel takes the outermost tag out of the frame and hands it over beside it.
        for _, _, data in ancillary:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data)
            if status & TP_STATUS_VLAN_VALID:
                frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
        end = 12 + len(self.tags)
        return frame[:12] + frame[end:] if frame[12:end] == self.tags else None


class OverIp:
    """A raw IP socket: the kernel writes the outer header, and hands over IPv4 with it and IPv6 without."""

    def __init__(self, family, device):
        self.family, self.device = family, device

    def bind(self, protocol, local, remote):
        wire = socket.socket(self.family, socket.SOCK_RAW, protocol)
        wire.bind((local, 0))
        wire.connect((remote, 0))
        return wire

    def payload(self, wire):
        data = wire.recv(65536)
        return data[(data[0] & 15) * 4 :] if self.family == socket.AF_INET else data


class Gre(OverIp):
    def __init__(self, family, device, flags=0, key=0):
        super().__init__(family, device)
        self.flags, self.key, self.sequence = flags, key, 0

    def open(self, _underlay, local, remote):
        self.wire = self.bind(socket.IPPROTO_GRE, local, remote)

    def send(self, inner):
        if self.device == IFF_TAP:
            protocol = ETH_P_TEB
        else:
            protocol = ETH_P_IPV6 if inner[0] >> 4 == 6 else ETH_P_IP
        options = b""
        if self.flags & GRE_KEY:
            options += struct.pack("!I", self.key)
        if self.flags & GRE_SEQ:
            options += struct.pack("!I", self.sequence)
            self.sequence += 1
        start = struct.pack("!HH", self.flags, protocol)
        if self.flags & GRE_CSUM:
            options = struct.pack("!HH", checksum(start + b"\0\0\0\0" + options + inner), 0) + options
        self.wire.send(start + options + inner)

    def receive(self):
        data = self.payload(self.wire)
        flags, protocol = struct.unpack("!HH", data[:4])
        if flags != self.flags or (protocol == ETH_P_TEB) != (self.device == IFF_TAP):
            return None  # for another tunnel between the same two hosts
        offset = 4
        if flags & GRE_CSUM:
            if checksum(data) != 0:
                return None
            offset += 4
        if flags & GRE_KEY:
            if struct.unpack_from("!I", data, offset) != (self.key,):
                return None
            offset += 4
        if flags & GRE_SEQ:
            offset += 4
        return data[offset:]


class IpInIp(OverIp):
    def __init__(self, family, protocol):
        super().__init__(family, IFF_TUN)
        self.protocol = protocol

    def open(self, _underlay, local, remote):
        self.wire = self.bind(self.protocol, local, remote)

    def send(self, inner):
        if inner[0] >> 4 == (6 if self.protocol == socket.IPPROTO_IPV6 else 4):
            self.wire.send(inner)

    def receive(self):
        return self.payload(self.wire)


KINDS = {
    "vlan": Vlan((ETH_P_8021Q, 100)),
    "vlan-priority": Vlan((ETH_P_8021Q, 5 << 13 | 100)),
    "qinq": Vlan((ETH_P_8021AD, 200), (ETH_P_8021Q, 100)),
    "gre": Gre(socket.AF_INET, IFF_TUN),
    "gre-key": Gre(socket.AF_INET, IFF_TUN, GRE_CSUM | GRE_KEY | GRE_SEQ, 47),
    "gretap": Gre(socket.AF_INET, IFF_TAP),
    "ip6gre": Gre(socket.AF_INET6, IFF_TUN),
    "ipip": IpInIp(socket.AF_INET, socket.IPPROTO_IPIP),
    "sit": IpInIp(socket.AF_INET, socket.IPPROTO_IPV6),
    "ipip6": IpInIp(socket.AF_INET6, socket.IPPROTO_IPIP),
    "ip6tnl": IpInIp(socket.AF_INET6, socket.IPPROTO_IPV6),
}


def main():
    kind, name, underlay, local, remote = sys.argv[1:]
    tunnel = KINDS[kind]
    tunnel.open(underlay, local, remote)
    device = open_device(name, tunnel.device)
    while True:
        readable, _, _ = select.select([device, tunnel.wire], [], [])
        try:
            if device in readable:
                tunnel.send(os.read(device, 65536))
            if tunnel.wire in readable and (inner := tunnel.receive()):
                os.write(device, inner)
        except OSError as error:  # the device is down, or the other end is not there yet
            print(f"tunnel {kind}: {error}", file=sys.stderr)


main()
