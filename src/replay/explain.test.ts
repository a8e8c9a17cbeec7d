import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Instance, type InstanceOptions } from '../engine/instance.ts';
import { Pipeline } from '../engine/pipeline.ts';
import { readObject } from '../engine/read-object.ts';
import { ReplayControl } from './control.ts';
import { Explained, explanationText } from './explain.ts';
import { packetRecord } from './records.ts';
import { Replay } from './replay.ts';
import type { Subject } from './subject.ts';
import type { PacketRecord } from './tally.ts';

const ROOT = new URL('../../', import.meta.url);
const program = (name: string) => readObject(readFileSync(new URL(`programs/${name}.bpf.o`, ROOT)));
const capture = (name: string) => readFileSync(new URL(`pcaps/${name}`, ROOT));
const mapsOf = (name: string): Pick<InstanceOptions, 'mapInit'> => {
  const file = `${name}.maps.json`;
  if (!readdirSync(new URL('programs/', ROOT)).includes(file)) return {};
  return { mapInit: JSON.parse(readFileSync(new URL(`programs/${file}`, ROOT), 'utf8')) };
};

function records(subject: Subject, bytes: Uint8Array): Map<number, PacketRecord> {
  const all = new Map<number, PacketRecord>();
  const replay = new Replay(subject, {
    packet: (frame, result) => all.set(frame.index, packetRecord(frame, result, subject)),
  });
  replay.push(bytes);
  replay.end();
  return all;
}

function explained(subject: Subject, bytes: Uint8Array, index: number, control?: ReplayControl) {
  const explain = new Explained(subject, index, control);
  explain.replay.push(bytes);
  return explain.end();
}

const objects = readdirSync(new URL('programs/', ROOT)).flatMap((file) => file.match(/^(.+)\.bpf\.o$/)?.[1] ?? []);
const runnable = objects.flatMap((name) => {
  const object = program(name);
  return object.programs.map((spec) => ({ name, object, entry: spec.name }));
});

describe('an explanation is of what happened', () => {
  it.each(runnable)('$name $entry: the packet does what it did in the replay', ({ name, object, entry }) => {
    const make = () => new Instance(object, { program: entry, ...mapsOf(name), seed: 7, cpus: 2 });
    const bytes = capture('mixed.pcap');
    const all = records(make(), bytes);
    for (const index of [0, 46, 100, 232]) {
      const { packet, runs, skipped } = explained(make(), bytes, index);
      expect(packet).toEqual(all.get(index) ?? null);
      if (packet === null) expect(skipped).not.toBeNull();
      else expect(runs.at(-1)!.verdict ?? 'ERROR').toBe(packet.verdict);
    }
  });

  it('of a pipeline, program by program', () => {
    const stages = [{ object: program('blocklist') }, { object: program('vlan'), program: 'tc_vlan' }];
    const make = () => new Pipeline(stages, mapsOf('blocklist'));
    const bytes = capture('mixed.pcap');
    const all = records(make(), bytes);
    const passed = explained(make(), bytes, 0);
    expect(passed.packet).toEqual(all.get(0));
    expect(passed.runs.map(({ program, verdict }) => [program, verdict])).toEqual([
      ['blocklist', 'XDP_PASS'],
      ['tc_vlan', 'TC_ACT_OK'],
    ]);
    expect(explained(make(), bytes, 46).runs.map(({ verdict }) => verdict)).toEqual(['XDP_DROP']);
  });

  it('with the edits that were made before it', () => {
    const instance = new Instance(program('blocklist'));
    const edit = { before: 20, map: 'blocked_v4', key: '0000000000000000', value: '01000000', mode: 'any' } as const;
    const verdictOf = (index: number) => {
      const control = new ReplayControl(instance.desk, { edits: [edit] });
      return explained(instance, capture('http.pcap'), index, control).packet?.verdict;
    };
    expect([verdictOf(19), verdictOf(20)]).toEqual(['XDP_PASS', 'XDP_DROP']);
  });

  it('names what a filter looked up, the line and the verdict', () => {
    const instance = new Instance(program('blocklist'), mapsOf('blocklist'));
    const text = explanationText(explained(instance, capture('mixed.pcap'), 46));
    expect(text).toContain('packet 46, 74 bytes captured at 1795363665.877843000: XDP_DROP');
    expect(text).toMatch(
      /bpf_map_lookup_elem\(map blocked_ports, key 01bb0600 \(.*\)\) gave\s[\s|]*a value: 05000000 \(5\)/,
    );
    expect(text).toMatch(
      /70 \| return rule == RULE_PASS .*\n.*w1 == 0 is false: w1 is 5, from value of map blocked_ports/,
    );
  });

  it('a packet that is not there is an error that says what is', () => {
    const instance = new Instance(program('blocklist'));
    expect(() => explained(instance, capture('dns.pcap'), 68)).toThrow(
      'there is no packet 68: the capture has packets 0 to 67',
    );
    expect(() => explained(instance, capture('dns.pcap').subarray(0, 5000), 60)).toThrow(
      /packets 0 to 43, as it cannot be read any further: .*the capture ends/,
    );
  });
});
