/** A network namespace for tests: made of ip commands, asked through test-run, dumped as users dump theirs, and removed. */

import { spawnSync } from 'node:child_process';
import type { NetworkDescription } from '../../src/engine/network/network.ts';

function ip(args: readonly string[], input = ''): string {
  const result = spawnSync('ip', args, { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.status !== 0) throw new Error(`ip ${args.join(' ')}: ${result.error?.message ?? result.stderr}`);
  return result.stdout;
}

/** Commands of ip, one a line; those of IPv6 begin with -6. What the kernel does not take is left out, as of its dump. */
export function makeNamespace(name: string, commands: readonly string[], settings: readonly string[] = []): void {
  ip(['netns', 'add', name]);
  const set = (setting: string) => ip(['netns', 'exec', name, 'sysctl', '-qe', setting]);
  // No addresses that are tentative for a while. Next hops are weighed anew when a route comes, not when a setting does.
  for (const setting of ['net.ipv6.conf.default.accept_dad=0', ...settings]) set(setting);
  for (const family of ['', '-6 ']) {
    const lines = commands.filter((line) => line.startsWith('-6 ') === (family !== ''));
    const args = [...family.split(' ', 1).filter(Boolean), '-force', '-netns', name, '-batch', '-'];
    spawnSync('ip', args, { input: lines.map((line) => `${line.slice(family.length)}\n`).join('') });
  }
  settings.forEach(set);
}

export function removeNamespace(name: string): void {
  ip(['netns', 'delete', name]);
}

export function describeNamespace(name: string): NetworkDescription {
  const list = (...args: string[]) => JSON.parse(ip(['-netns', name, '-j', ...args]) || '[]') as object[];
  return {
    links: list('link'),
    addresses: list('address'),
    routes: list('route', 'show', 'table', 'all'),
    rules: list('rule'),
    rules6: list('-6', 'rule'),
    neighbours: list('neighbour', 'show', 'nud', 'all'),
    netconf: list('netconf'),
  };
}
