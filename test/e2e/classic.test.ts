import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Instance, Replay, readObject } from '../../src/index.ts';

const tcpdump = spawnSync('tcpdump', ['--version']).error === undefined;
const FILTERS = [
  'tcp port 80',
  'udp port 53 and ip6',
  'icmp or icmp6',
  'host 10.0.0.2 and tcp[tcpflags] & tcp-syn != 0',
  'vlan 100 and ip',
  'ip[6:2] & 0x1fff != 0',
  'greater 1000',
  'not arp and not ip6',
];
const CAPTURES = ['mixed', 'http', 'dns', 'vlan', 'fragments', 'syn-flood', 'ipv6-ext'];

/** A filter of tcpdump picks the packets that tcpdump picks. */
describe.skipIf(!tcpdump)('classic BPF as tcpdump -ddd prints it (skipped where tcpdump is missing)', () => {
  it.each(FILTERS)('%s', (filter) => {
    const object = readObject(execFileSync('tcpdump', ['-y', 'EN10MB', '-s', '262144', '-ddd', filter]));
    for (const name of CAPTURES) {
      const file = `pcaps/${name}.pcap`;
      const replay = new Replay(new Instance(object));
      replay.push(readFileSync(file));
      const { ACCEPT } = replay.end().verdicts;
      const lines = execFileSync('tcpdump', ['-nn', '-t', '-r', file, '--count', filter], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      expect(`${name}: ${ACCEPT?.packets ?? 0}`).toBe(`${name}: ${Number.parseInt(lines.toString(), 10)}`);
    }
  });
});
