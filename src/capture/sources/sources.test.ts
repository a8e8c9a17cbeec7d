import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { captureOn } from './network-interface.ts';
import { type Attempt, runSource, type SourceSink } from './source.ts';

/** Takes whatever comes, and notes what is told. */
function notes() {
  const told = { bytes: 0, dropped: 0, failures: [] as string[] };
  const sink: SourceSink = {
    async feed({ bytes }) {
      bytes.on('data', (piece: Uint8Array) => (told.bytes += piece.length));
      await finished(bytes).catch(() => {});
      return true;
    },
    refused: () => {},
    dropped: (packets) => {
      told.dropped += packets;
    },
    failed: ({ message }) => told.failures.push(message),
  };
  return { told, sink };
}

async function until(isReached: () => boolean): Promise<void> {
  for (const start = performance.now(); !isReached(); await sleep(10)) {
    if (performance.now() - start > 60_000) expect.fail(`in vain waited for ${isReached}`);
  }
}

describe('a tool that captures', () => {
  const path = process.env.PATH;
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bpfreplay-tools-'));
    process.env.PATH = folder;
  });
  afterEach(() => {
    process.env.PATH = path;
    rmSync(folder, { recursive: true, force: true });
  });

  /** In the place of the real one, which drops nothing when one wants it to. */
  function install(name: string, script: string): void {
    writeFileSync(join(folder, name), `#!/bin/bash\nPATH=${path}\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }

  it('tells while it runs, and when it ends, how much it lost', async () => {
    install(
      'tcpdump',
      `trap 'echo "tcpdump: 9 packets captured, 20 packets received by filter, 4 packets dropped by kernel" >&2' USR1
       trap 'printf "9 packets captured\\n20 packets received by filter\\n7 packets dropped by kernel\\n" >&2; exit 0' INT
       printf header; echo "tcpdump: listening on eth0, link-type EN10MB" >&2
       while true; do sleep 0.05; done`,
    );
    const { told, sink } = notes();
    const source = runSource(captureOn({ interface: 'eth0' }), sink);
    await source.opened;
    await until(() => told.dropped === 4);
    await source.stop();
    expect(told).toEqual({ bytes: 6, dropped: 7, failures: [] });
  });

  it('is asked for in its own words', async () => {
    install('dumpcap', `printf '%s|' "$@"; exec sleep 60`);
    const { told, sink } = notes();
    const capture = { interface: 'eth0', filter: 'tcp port 80', snapLength: 96, tool: 'dumpcap' } as const;
    let text = '';
    sink.feed = async ({ bytes }) => {
      bytes.on('data', (piece) => (text += String(piece)));
      await finished(bytes).catch(() => {});
      return true;
    };
    const source = runSource(captureOn(capture), sink);
    await source.opened;
    await until(() => text.endsWith('80|'));
    await source.stop();
    expect(text).toBe('-q|-i|eth0|-w|-|-p|-s|96|-f|tcp port 80|');
    expect(told.dropped).toBe(0);
  });

  it('that is nowhere is named, and so is what one says that cannot capture', async () => {
    const { sink } = notes();
    const nowhere = runSource(captureOn({ interface: 'eth0' }), sink);
    await expect(nowhere.opened).rejects.toThrow('tcpdump and dumpcap cannot be found on PATH');
    await nowhere.stop();
    install('dumpcap', 'echo "dumpcap: The capture session could not be initiated (Permission denied)" >&2; exit 1');
    const refused = runSource(captureOn({ interface: 'eth0' }), sink);
    await expect(refused.opened).rejects.toThrow(
      'dumpcap on eth0 ended: dumpcap: The capture session could not be initiated (Permission denied)',
    );
    await refused.stop();
  });

  it('that does not end when it is told to is killed', async () => {
    install('tcpdump', `trap '' INT; printf header; while true; do sleep 0.05; done`);
    const { sink } = notes();
    const source = runSource(captureOn({ interface: 'eth0' }), sink);
    await source.opened;
    const start = performance.now();
    await source.stop();
    expect(performance.now() - start).toBeGreaterThan(1_900);
  });
});

describe('a source', () => {
  it('that fails is tried again, less and less often, and at once after it was good', async () => {
    const { told, sink } = notes();
    const times: number[] = [];
    const outcomes = ['bad', 'bad', 'good', 'bad'];
    const attempt: Attempt = async (_sink, opened) => {
      times.push(performance.now());
      const outcome = outcomes.shift();
      if (outcome === 'bad') throw new Error(`try ${times.length}`);
      opened();
    };
    const source = runSource(attempt, sink);
    await expect(source.opened).rejects.toThrow('try 1');
    await until(() => times.length === 5);
    await source.stop();
    const waits = times.slice(1).map((time, i) => time - times[i]!);
    expect(waits[0]).toBeGreaterThan(240);
    expect(waits[1]).toBeGreaterThan(490);
    expect(told.failures).toEqual(['try 1', 'try 2', 'try 4']);
  });
});
