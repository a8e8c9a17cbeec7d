#!/bin/bash
# Records the captures of this folder again: real clients and servers in two network namespaces, joined by a veth pair.
#
# usage: record.sh [NAME…]     as root on Debian 12; all captures, or the named ones
#
# Nothing leaves the namespaces: they have no way out. Every namespace, process and file made here is gone at the end.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-$here}
work=$(mktemp -d)
C=pcaps-client-$$ S=pcaps-server-$$ W=pcaps-switch-$$
wanted=("$@")

cleanup() {
  teardown
  rm -rf "$work"
  if [[ -f $work.policy ]]; then rm -f "$work.policy" /usr/sbin/policy-rc.d; fi
}

# ---- What is needed -------------------------------------------------------------------------------------------------

# package:program
needs=(tcpdump:tcpdump tshark:tshark wireshark-common:dumpcap ethtool:ethtool iproute2:ip procps:sysctl xxd:xxd python3:/usr/bin/python3
  nginx:/usr/sbin/nginx curl:curl openssl:openssl dnsmasq-base:/usr/sbin/dnsmasq bind9-dnsutils:dig iputils-ping:ping
  iputils-arping:arping iputils-tracepath:tracepath ndisc6:ndisc6 hping3:/usr/sbin/hping3 iperf3:iperf3 socat:socat
  udhcpc:/usr/sbin/udhcpc libusrsctp-examples:/usr/lib/usrsctp/client)

install_packages() {
  local missing=() need
  for need in "${needs[@]}"; do command -v "${need#*:}" >/dev/null || missing+=("${need%%:*}"); done
  ((${#missing[@]})) || return 0
  # A package must not start its daemon on the host: this is what policy-rc.d is for.
  if [[ ! -e /usr/sbin/policy-rc.d ]]; then
    touch "$work.policy"
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# ---- The wire -------------------------------------------------------------------------------------------------------

client() { ip netns exec "$C" timeout 30 "$@" >>"$work/client.log" 2>&1 </dev/null || echo "  client: exit $? from: $*" >>"$work/client.log"; }
server() { ip netns exec "$S" timeout 30 "$@" >>"$work/server.log" 2>&1 </dev/null || echo "  server: exit $? from: $*" >>"$work/server.log"; }
daemon() { ip netns exec "$1" timeout 120 "${@:2}" >>"$work/daemon.log" 2>&1 </dev/null & disown; }

# Waits until a command succeeds, five seconds at most.
eventually() {
  for _ in $(seq 100); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.05
  done
  echo "record.sh: waited in vain for: $*" >&2
  return 1
}

teardown() {
  local ns
  for ns in $C $S $W; do
    [[ -e /run/netns/$ns ]] || continue
    ip netns pids "$ns" | xargs -r kill -9 2>/dev/null || true
    ip netns del "$ns" || true
  done
}

no_offload() { # namespace device
  ip netns exec "$1" ethtool -K "$2" tx off sg off tso off gso off gro off >/dev/null 2>&1 || true
}

# topology [MTU] [switch]: client eth0 — server eth0, or with a bridge that speaks STP between them
topology() {
  local mtu=${1:-1500} ns
  teardown
  for ns in $C $S ${2:+$W}; do
    ip netns add "$ns"
    ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0 \
      net.ipv6.conf.default.accept_ra=0 net.ipv6.conf.lo.disable_ipv6=0
    ip -n "$ns" link set lo up
    no_offload "$ns" lo
  done
  if [[ ${2:-} ]]; then
    ip netns exec "$W" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
    ip -n "$W" link add br0 address 02:00:00:00:00:b0 type bridge stp_state 1 forward_delay 200 hello_time 100 mcast_snooping 0
    ip link add eth0 netns "$C" type veth peer name port1 netns "$W"
    ip link add eth0 netns "$S" type veth peer name port2 netns "$W"
    for port in port1 port2; do
      ip -n "$W" link set "$port" mtu "$mtu" master br0 up
      no_offload "$W" "$port"
    done
    ip -n "$W" link set br0 up
  else
    ip link add eth0 netns "$C" type veth peer name eth0 netns "$S"
  fi
  host "$C" 1 "$mtu"
  host "$S" 2 "$mtu"
  if [[ ${2:-} ]]; then sleep 6; fi # the bridge listens and learns first
}

host() { # namespace number mtu
  no_offload "$1" eth0
  ip -n "$1" link set eth0 address "02:00:00:00:00:0$2" mtu "$3" up
  ip -n "$1" addr add "10.0.0.$2/24" brd + dev eth0
  ip -n "$1" addr add "fd00::$2/64" dev eth0 nodad
}

# tunnel KIND DEVICE MTU NET4 NET6 [ip6]: the same device at both ends, NET.1 and NET.2 on it
tunnel() {
  local ns end outer
  for end in 1 2; do
    ns=$C && [[ $end == 1 ]] || ns=$S
    outer=10.0.0. && [[ -z ${6:-} ]] || outer=fd00::
    daemon "$ns" "$here/recorder/tunnel.py" "$1" "$2" eth0 "$outer$end" "$outer$((3 - end))"
  done
  for end in 1 2; do
    ns=$C && [[ $end == 1 ]] || ns=$S
    eventually ip -n "$ns" link show "$2"
    case $1 in
      vlan* | qinq) ip -n "$ns" link set "$2" address "02:00:00:00:00:0$end" ;;
      gretap) ip -n "$ns" link set "$2" address "02:00:00:00:47:0$end" ;;
      *) ip -n "$ns" link set "$2" addrgenmode none ;;
    esac
    address "$ns" "$2" "$3" "$4$end" "$5$end"
  done
}

address() { # namespace device mtu address4 address6
  no_offload "$1" "$2"
  ip -n "$1" link set "$2" mtu "$3" up
  [[ $4 == -* ]] || ip -n "$1" addr add "$4/24" brd + dev "$2"
  [[ $5 == -* ]] || ip -n "$1" addr add "$5/64" dev "$2" nodad
}

vxlan() {
  local ns end
  for end in 1 2; do
    ns=$C && [[ $end == 1 ]] || ns=$S
    ip -n "$ns" link add vxlan42 address "02:00:00:00:42:0$end" type vxlan id 42 dstport 4789 local "10.0.0.$end" remote "10.0.0.$((3 - end))"
    address "$ns" vxlan42 1450 "192.168.42.$end" "fd00:42::$end"
  done
}

# ---- The servers ----------------------------------------------------------------------------------------------------

web() {
  mkdir -p "$work/www"
  echo '<!doctype html><title>example.test</title><p>It works.</p>' >"$work/www/index.html"
  seq -f 'line %06g of the long answer' 1 1300 >"$work/www/long.txt"  # 42 kB
  seq -f 'line %06g of the long answer' 1 3700 >"$work/www/longer.txt" # 118 kB
  [[ -f $work/key.pem ]] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=www.example.test \
    -addext subjectAltName=DNS:www.example.test,DNS:blocked.example.test -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
  cat >"$work/nginx.conf" <<CONF
user root; daemon off; worker_processes 1; pid $work/nginx.pid; error_log $work/nginx.log;
events { worker_connections 256; }
http {
  access_log off; client_body_temp_path $work/body; proxy_temp_path $work/proxy; fastcgi_temp_path $work/fastcgi;
  uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi; default_type text/plain;
  server {
    listen [::]:80 ipv6only=off; listen [::]:443 ipv6only=off ssl http2;
    server_name www.example.test blocked.example.test; root $work/www;
    ssl_certificate $work/cert.pem; ssl_certificate_key $work/key.pem; ssl_protocols TLSv1.2 TLSv1.3;
    location /post { return 200 "thank you\n"; }
    location /moved { return 301 /; }
  }
}
CONF
  daemon "$S" /usr/sbin/nginx -e "$work/nginx.log" -c "$work/nginx.conf"
  ready -tln :80
}

names() {
  cat >"$work/dnsmasq.conf" <<CONF
keep-in-foreground
user=root
no-resolv
no-ping
no-hosts
pid-file=$work/dnsmasq.pid
dhcp-leasefile=$work/leases
local=/example.test/
local=/in-addr.arpa/
host-record=www.example.test,10.0.0.2,fd00::2
host-record=mail.example.test,10.0.0.25
host-record=blocked.example.test,10.0.0.66,fd00::66
cname=alias.example.test,www.example.test
mx-host=example.test,mail.example.test,10
txt-record=example.test,v=spf1 mx -all
srv-host=_http._tcp.example.test,www.example.test,80
$(for i in $(seq 12); do echo "txt-record=long.example.test,record $i of an answer too long for a datagram of five hundred bytes"; done)
$([[ ${1:-} != dhcp ]] || printf '%s\n' dhcp-range=10.0.0.100,10.0.0.120,1h dhcp-range=fd00::,ra-only,64 enable-ra)
CONF
  daemon "$S" /usr/sbin/dnsmasq --conf-file="$work/dnsmasq.conf"
  ready -uln :53
}

echo_service() {
  daemon "$S" socat -b 65536 UDP6-RECVFROM:7,ipv6only=0,fork PIPE
  ready -uln :7
}

listening() { [[ $(ip netns exec "$S" ss -H "$1" "sport = $2") ]]; }
ready() { eventually listening "$@"; } # ss's flags, port

hosts=()
for host in {www,blocked}.example.test:{80,443}; do hosts+=(--resolve "$host:10.0.0.2"); done

get() { client curl -sS --max-time 10 -o "$work/answer" "${hosts[@]}" --cacert "$work/cert.pem" "$@"; }
ask() { client dig +tries=1 +time=2 @10.0.0.2 "$@"; }
# Every kind of traffic that a tunnel carries: through() NET4 NET6
through() {
  if [[ $1 != - ]]; then
    client ping -n -c 3 -i 0.2 "$1"2
    client ping -n -c 1 -s 1200 "$1"2
    get "http://${1}2/"
    client dig +tries=1 +time=2 "@${1}2" www.example.test
  fi
  [[ $2 == - ]] || { client ping -n -c 3 -i 0.2 "$2"2 && get "http://[${2}2]/index.html"; }
}

# ---- Recording ------------------------------------------------------------------------------------------------------

# record FILE SCENE [tcpdump options]: what eth0 of the client sees while the scene plays
record() {
  start tcpdump -U --immediate-mode -n -w "$work/$1" "${@:3}"
  play "$1" "$2"
}

# record_pcapng FILE SCENE [dumpcap options]
record_pcapng() {
  start dumpcap -q -n -w "$work/$1" "${@:3}"
  play "$1" "$2"
}

start() {
  case " $* " in *" -i "*) ;; *) set -- "$@" -i eth0 ;; esac
  ip netns exec "$C" timeout 120 "$@" 2>"$work/capture.log" &
  recorder=$!
  eventually grep -qE 'listening on|^File:' "$work/capture.log"
}

play() {
  "$2"
  sleep 1.2 # what is still on its way
  kill -INT "$recorder"
  wait "$recorder" || true
  if grep -E '^[1-9][0-9]* packets? dropped|: [0-9]+/[1-9]' "$work/capture.log"; then
    echo "record.sh: $1 is not complete" >&2
    return 1
  fi
  keep "$1"
}

keep() {
  install -m 644 "$work/$1" "$out/$1"
  capinfos -Trm -c -s "$out/$1" | awk -F, '{ print $1 ": " $2 " packets, " $3 " bytes" }' | sed 's|.*/||'
}

# Writes format, link type, packets and bytes of the files in README.md's table again, as measured.
measure() {
  local line file rest format links counts
  while IFS= read -r line; do
    if [[ $line =~ ^\|\ \`([^\`]+)\`\ \|.*\|([^|]+\|[^|]+\|)$ && -f $out/${BASH_REMATCH[1]} ]]; then
      file=${BASH_REMATCH[1]} rest=${BASH_REMATCH[2]}
      case $(xxd -p -l 12 "$out/$file") in
        d4c3b2a1*) format='pcap, µs' ;;
        4d3cb2a1*) format='pcap, ns' ;;
        a1b2c3d4*) format='pcap, µs, big-endian' ;;
        a1b23c4d*) format='pcap, ns, big-endian' ;;
        0a0d0d0a????????1a2b3c4d) format='pcapng, big-endian' ;;
        0a0d0d0a*) format=pcapng ;;
      esac
      links=$(capinfos "$out/$file" | sed -n 's/^ *Encapsulation = \([^(]*[^( ]\) (.*/\1/p' | sort -u | paste -sd, | sed 's/,/, /g')
      counts=$(capinfos -Trm -c -s "$out/$file" | awk -F, '{ print $2 " | " $3 }')
      line="| \`$file\` | $format | $links | $counts |$rest"
    fi
    printf '%s\n' "$line"
  done <"$here/README.md" >"$work/README.md"
  cat "$work/README.md" >"$out/README.md"
}

. "$here/recorder/scenes.sh"

[[ $EUID == 0 ]] || { echo 'record.sh: must be root, to make network namespaces' >&2; exit 1; }
trap cleanup EXIT
trap 'exit 130' INT TERM
install_packages
for name in "${captures[@]}"; do
  [[ ${#wanted[@]} == 0 || " ${wanted[*]} " == *" $name "* ]] || continue
  "capture_${name//-/_}"
done
measure
[[ -z ${LOGS:-} ]] || cp "$work"/*.log "$LOGS"
