# The captures, one function each, read by record.sh: which wire, which servers, then what happens while it is recorded.
# shellcheck shell=bash disable=SC2154

captures=(arp icmp icmpv6-ndp dns http tls vlan qinq vxlan gre ipip ipv6-ext fragments syn-flood jumbo gso-large
  cooked-v1 cooked-v2 raw-ip mixed snaplen-cut two-interfaces big-endian)

capture_arp() {
  topology
  ip netns exec "$C" sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1
  ip netns exec "$S" sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1
  scene() {
    client arping -c 3 -I eth0 10.0.0.2
    client arping -b -c 2 -I eth0 10.0.0.2 # broadcast only
    client arping -c 2 -w 2 -I eth0 10.0.0.99
    client arping -D -c 2 -w 2 -I eth0 10.0.0.2 # duplicate address detection
    client arping -U -c 2 -I eth0 10.0.0.1      # gratuitous request
    client arping -A -c 2 -I eth0 10.0.0.1      # gratuitous reply
    client ping -n -c 2 -i 0.2 10.0.0.2
    server arping -c 2 -I eth0 10.0.0.1
  }
  record arp.pcap scene
}

capture_icmp() {
  topology
  ip netns exec "$S" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.icmp_echo_ignore_broadcasts=0 net.ipv4.icmp_ratelimit=0
  ip -n "$C" route add 203.0.113.0/24 via 10.0.0.2
  ip -n "$S" route add 203.0.113.128/25 via 10.0.0.1 mtu lock 1280 # back to where it came from: a redirect
  scene() {
    client ping -n -c 5 -i 0.2 10.0.0.2
    client ping -n -c 2 -i 0.2 -s 0 10.0.0.2
    client ping -n -c 2 -i 0.2 -s 1472 -M 'do' 10.0.0.2
    client ping -n -c 2 -i 0.2 -p ff00aa55 -Q 0xb8 10.0.0.2
    client ping -n -c 2 -i 0.2 -R 10.0.0.2        # record route
    client ping -n -c 2 -i 0.2 -T tsonly 10.0.0.2 # timestamp option
    client ping -n -c 1 -b 10.0.0.255
    client ping -n -c 1 -W 1 203.0.113.1                   # net unreachable
    client ping -n -c 1 -W 1 -t 1 203.0.113.129            # time exceeded
    client ping -n -c 1 -W 1 203.0.113.129                 # redirect
    client ping -n -c 1 -W 1 -s 1400 -M 'do' 203.0.113.130 # fragmentation needed
    client hping3 -q -c 2 -i u200000 --icmp --icmptype 13 10.0.0.2
    client hping3 -q -c 2 -i u200000 --udp -p 9 10.0.0.2 # port unreachable
    server ping -n -c 2 -i 0.2 10.0.0.1
  }
  record icmp.pcap scene
}

capture_icmpv6_ndp() {
  topology
  names dhcp
  ip netns exec "$C" sysctl -qw net.ipv6.conf.eth0.accept_dad=1 net.ipv6.conf.eth0.accept_ra=1 \
    net.ipv6.conf.eth0.router_solicitations=2 net.ipv6.conf.eth0.ndisc_notify=1
  scene() {
    client ip addr add fd00::11/64 dev eth0 # duplicate address detection, then an advertisement to all
    client ip addr add fd00::2/128 dev eth0 # this one is the server's
    sleep 2
    client ip addr del fd00::2/128 dev eth0
    client rdisc6 -1 eth0
    client ndisc6 -m fd00::2 eth0
    client ndisc6 -1 -w 500 fd00::99 eth0
    client ping -n -c 4 -i 0.2 fd00::2
    client ping -n -c 2 -i 0.2 -s 1400 -F 0x12345 fd00::2
    client ping -n -c 2 -i 0.2 -I eth0 ff02::1
    client ping -n -c 1 -W 2 fd00::99 # never answered
    client dig +tries=1 +time=1 -p 5353 @fd00::2 www.example.test # port unreachable
    daemon "$C" socat -u 'UDP6-RECV:9999,ipv6-join-group=[ff05::42]:eth0' - # a multicast listener report
    sleep 0.5
    server ping -n -c 2 -i 0.2 fd00::1
  }
  record icmpv6-ndp.pcap scene --time-stamp-precision=nano
}

capture_dns() {
  topology
  names
  scene() {
    local type
    ask www.example.test A
    ask www.example.test AAAA
    ask +noedns www.example.test A
    ask WWW.Example.Test A
    ask blocked.example.test A
    ask blocked.example.test AAAA
    ask alias.example.test A
    ask mail.example.test A
    for type in MX TXT SOA; do ask example.test "$type"; done
    ask _http._tcp.example.test SRV
    ask nothing.example.test A # NXDOMAIN
    ask www.example.org A      # REFUSED
    ask -x 10.0.0.2
    ask +tcp www.example.test A
    ask +bufsize=512 long.example.test TXT # truncated, then once more over TCP
    ask +bufsize=4096 long.example.test TXT
    client dig +tries=1 +time=2 @fd00::2 www.example.test A
    client dig +tries=1 +time=2 @fd00::2 blocked.example.test AAAA
    client dig +tries=1 +time=1 -p 54 @10.0.0.2 www.example.test A # no server there
  }
  record dns.pcap scene
}

browse() {
  get http://www.example.test/
  get -I http://www.example.test/
  get http://www.example.test/missing.html
  get -L http://www.example.test/moved
  get -d 'name=value&other=thing' http://www.example.test/post
  get -H 'Expect: 100-continue' --data-binary "@$work/www/long.txt" http://www.example.test/post
  get http://www.example.test/long.txt
  get -r 100-299 http://www.example.test/long.txt
  get http://www.example.test/ http://www.example.test/index.html # two requests on one connection
  get http://blocked.example.test/
  get --http1.0 http://www.example.test/
  get 'http://[fd00::2]/'
  get http://www.example.test:81/ --connect-to ::10.0.0.2:81 # refused
}

capture_http() {
  topology
  web
  scene() { browse; }
  record http.pcap scene
}

capture_tls() {
  topology
  web
  scene() {
    export SSLKEYLOGFILE=$work/keys
    get --http1.1 --tlsv1.3 https://www.example.test/
    get --http1.1 --tls-max 1.2 https://www.example.test/
    get --http2 https://www.example.test/ https://www.example.test/index.html
    get --http1.1 --tls-max 1.2 https://blocked.example.test/missing.html
    unset SSLKEYLOGFILE
    get https://blocked.example.test/
    get -k 'https://[fd00::2]/'
    client curl -sS --max-time 5 "${hosts[@]}" https://www.example.test/ # does not know the issuer: alert
    client curl -sS --max-time 5 "${hosts[@]}" --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0 https://www.example.test/
    client openssl s_client -connect 10.0.0.2:443 -noservername -tls1_3
  }
  record tls.pcap scene --time-stamp-precision=nano
  editcap --inject-secrets "tls,$work/keys" "$work/tls.pcap" "$work/tls-secrets.pcapng"
  keep tls-secrets.pcapng
}

capture_vlan() {
  topology
  web
  names
  scene() {
    tunnel vlan vlan100 1500 10.0.100. fd00:100::
    through 10.0.100. fd00:100::
    client ping -n -c 2 -i 0.2 -s 1472 10.0.100.2 # full frames: 1518 bytes with the tag
    client ping -n -c 2 -i 0.2 10.0.0.2           # untagged
  }
  record vlan.pcap scene
}

capture_qinq() {
  topology
  web
  names
  scene() {
    tunnel qinq qinq200 1496 10.0.200. fd00:200::
    through 10.0.200. fd00:200::
  }
  record qinq.pcap scene
}

capture_vxlan() {
  topology
  web
  names
  scene() {
    vxlan
    through 192.168.42. fd00:42::
  }
  record vxlan.pcap scene
}

capture_gre() {
  topology
  web
  names
  scene() {
    tunnel gre gre0 1476 192.168.47. fd00:47::
    through 192.168.47. fd00:47::
    tunnel gre-key gre1 1464 192.168.48. fd00:48::
    through 192.168.48. fd00:48::
    tunnel gretap gretap1 1462 192.168.49. fd00:49::
    through 192.168.49. fd00:49::
    tunnel ip6gre ip6gre1 1448 192.168.50. fd00:50:: ip6
    through 192.168.50. fd00:50::
  }
  record_pcapng gre.pcapng scene
}

capture_ipip() {
  topology
  web
  names
  scene() {
    tunnel ipip ipip1 1480 192.168.4. -
    through 192.168.4. -
    tunnel sit sit1 1480 - fd00:4::
    through - fd00:4::
    tunnel ipip6 ipip6 1460 192.168.6. - ip6
    through 192.168.6. -
    tunnel ip6tnl ip6tnl1 1460 - fd00:6:: ip6
    through - fd00:6::
  }
  record ipip.pcap scene
}

capture_ipv6_ext() {
  topology
  web
  names
  echo_service
  ip netns exec "$S" sysctl -qw net.ipv6.conf.all.seg6_enabled=1 net.ipv6.conf.eth0.seg6_enabled=1 net.ipv6.icmp.ratelimit=0
  ip -n "$S" addr add fd00::22/64 dev eth0 nodad preferred_lft 0 # the second segment; never a source
  scene() {
    client ping -n -c 1 fd00::2
    client "$here/recorder/send.py" ipv6-ext
  }
  record ipv6-ext.pcap scene
}

capture_fragments() {
  topology
  web
  echo_service
  scene() {
    client ping -n -c 2 -i 0.2 -s 3000 10.0.0.2
    client ping -n -c 2 -i 0.2 -s 3000 fd00::2
    client ping -n -c 1 -s 20000 10.0.0.2
    client "$here/recorder/send.py" fragments
    client hping3 -q -c 2 -i u100000 -S -p 80 -f -d 60 10.0.0.2          # TCP header in pieces of 16 bytes
    client hping3 -q -c 2 -i u100000 --icmp -f -m 8 -d 60 10.0.0.2
    client hping3 -q -c 1 --udp -p 7 -s 7000 -g 185 -x -d 8 10.0.0.2 # a lone fragment in the middle
  }
  record fragments.pcap scene
}

capture_syn_flood() {
  topology
  web
  ip -n "$S" route add default via 10.0.0.1
  scene() {
    get http://www.example.test/
    client hping3 -q -c 150 -i u1000 -S -p 80 --rand-source 10.0.0.2
    client hping3 -q -c 100 -i u1000 -S -p 80 -a 10.0.0.66 10.0.0.2
    get http://www.example.test/
    client hping3 -q -c 50 -i u1000 -S -p 80 10.0.0.2
    client hping3 -q -c 10 -i u1000 -F -P -U -p 80 10.0.0.2 # FIN, PSH, URG
    client hping3 -q -c 10 -i u1000 -Y -p 80 10.0.0.2       # no usual flag
  }
  record syn-flood.pcap scene --time-stamp-precision=nano
}

capture_jumbo() {
  topology 9000
  web
  scene() {
    client ping -n -c 2 -i 0.2 -s 8972 -M 'do' 10.0.0.2
    client ping -n -c 1 -s 8952 fd00::2
    client ping -n -c 1 -s 4000 10.0.0.2
    get http://www.example.test/long.txt
  }
  record jumbo.pcap scene
}

capture_gso_large() {
  topology
  for ns in $C $S; do ip netns exec "$ns" ethtool -K eth0 tx on sg on tso on gso on >/dev/null 2>&1; done
  web
  scene() { get http://www.example.test/longer.txt; }
  record gso-large.pcap scene
}

everyday() {
  client ping -n -c 2 -i 0.2 10.0.0.2
  client ping -n -c 2 -i 0.2 fd00::2
  client ping -n -c 1 127.0.0.1
  client ping -n -c 1 ::1
  client ping -n -c 1 -W 1 -b 10.0.0.255
  ask www.example.test
  get http://www.example.test/
  client arping -c 1 -I eth0 10.0.0.2
}

capture_cooked_v1() {
  topology
  web
  names
  scene() {
    tunnel vlan vlan100 1500 10.0.100. fd00:100::
    everyday
    client ping -n -c 1 10.0.100.2
  }
  record cooked-v1.pcap scene -i any -y LINUX_SLL
}

capture_cooked_v2() {
  topology
  web
  names
  scene() {
    tunnel ipip ipip1 1480 192.168.4. -
    everyday
    client ping -n -c 1 192.168.4.2
  }
  record cooked-v2.pcap scene -i any -y LINUX_SLL2
}

capture_raw_ip() {
  topology
  web
  names
  tunnel gre gre0 1476 192.168.47. fd00:47::
  scene() { through 192.168.47. fd00:47::; }
  record raw-ip.pcap scene -i gre0
}

capture_mixed() {
  topology 1500 switch
  web
  names dhcp
  echo_service
  daemon "$S" iperf3 -s
  daemon "$S" /usr/lib/usrsctp/daytime_server
  scene() {
    client udhcpc -i eth0 -n -q -f -t 2 -T 1 -s /bin/true
    everyday
    ask +tcp www.example.test
    get --http1.1 https://www.example.test/
    client tracepath -n -m 2 10.0.0.2
    client ping -n -c 1 -s 2000 10.0.0.2
    client iperf3 -c 10.0.0.2 -n 6K -l 1K
    client iperf3 -c 10.0.0.2 -u -n 6K -l 512 -b 2M
    client timeout 3 /usr/lib/usrsctp/client 10.0.0.2 13 0
    vxlan
    client ping -n -c 1 192.168.42.2
    tunnel vlan-priority vlan100 1500 10.0.100. fd00:100::
    client ping -n -c 1 10.0.100.2
    tunnel gre gre0 1476 192.168.47. fd00:47::
    client ping -n -c 1 192.168.47.2
    tunnel ipip ipip1 1480 192.168.4. -
    client ping -n -c 1 192.168.4.2
    client "$here/recorder/send.py" mixed
    sleep 2 # two more of the bridge's hellos
  }
  record mixed.pcap scene
}

capture_snaplen_cut() {
  topology
  web
  names
  scene() {
    everyday
    get http://www.example.test/missing.html
    client ping -n -c 1 -s 1400 10.0.0.2
  }
  record snaplen-cut.pcap scene -s 64
}

capture_two_interfaces() {
  topology
  web
  names
  tunnel gre gre0 1476 192.168.47. fd00:47::
  scene() {
    everyday
    through 192.168.47. fd00:47::
  }
  record_pcapng two-interfaces.pcapng scene -i eth0 -i gre0 -i lo
}

# The same packets as big-endian machines write them, and a file of two sections, of one byte order each.
capture_big_endian() {
  "$here/recorder/big_endian.py" "$out/icmp.pcap" "$work/big-endian.pcap"
  "$here/recorder/big_endian.py" "$out/icmpv6-ndp.pcap" "$work/big-endian-ns.pcap"
  "$here/recorder/big_endian.py" "$out/arp.pcap" "$work/big-endian.pcapng"
  editcap -F pcapng "$out/arp.pcap" "$work/arp.pcapng"
  cat "$work/arp.pcapng" "$work/big-endian.pcapng" >"$work/two-sections.pcapng"
  for file in big-endian.pcap big-endian-ns.pcap big-endian.pcapng two-sections.pcapng; do keep "$file"; done
}
