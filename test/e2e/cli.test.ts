import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';

const BIN = new URL('../../bin/bpfreplay.js', import.meta.url).pathname;
const OBJECT = 'programs/blocklist.bpf.o';
const CAPTURE = 'pcaps/dns.pcap';
const FILL = 'programs/blocklist.maps.json';
const folder = mkdtempSync(join(tmpdir(), 'bpfreplay-cli-'));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function bpfreplay(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

const json = (text: string) => JSON.parse(text) as Record<string, unknown>;
const lines = (text: string) => text.trimEnd().split('\n').map(json);

describe('run', () => {
  it('prints the tally for people', () => {
    const { status, stdout } = bpfreplay('run', OBJECT, CAPTURE, '--map-init', FILL);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^blocklist \(xdp\): 68 packets, [\d,]+ bytes over \d+\.\d{3} s\n\nverdict +packets +bytes +share\n/,
    );
    expect(stdout).toMatch(/^XDP_DROP +\d+ +[\d,]+ +\d+\.\d%$/m);
  });

  it('tells what ran by protocol, length, and interface where there are several', () => {
    const { stdout } = bpfreplay('run', OBJECT, 'pcaps/mixed.pcap');
    expect(stdout).toMatch(/^protocol +packets +bytes +share\nIPv4 TCP +112 +18,154 +48\.1%\n/m);
    expect(stdout).toMatch(/^5 others +5 +234 +2\.1%$/m);
    expect(stdout).toMatch(/^bytes +packets +share\n0–63 +45 +19\.3%\n65–127 +127 +54\.5%\n/m);
    expect(stdout).not.toContain('interface');
    expect(bpfreplay('run', OBJECT, 'pcaps/two-interfaces.pcapng').stdout).toMatch(
      /^interface +packets +bytes +share\n\w+ /m,
    );
  });

  it('--explain tells why a packet got its verdict, for people and as JSON', () => {
    const args = ['run', OBJECT, 'pcaps/mixed.pcap', '--map-init', FILL, '--explain'];
    const { status, stdout } = bpfreplay(...args, '46');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^packet 46, 74 bytes captured at 1795363665\.877843000: XDP_DROP\n/);
    expect(stdout).toMatch(/Where the verdict was set:\n\n +70 \| return rule == RULE_PASS/);
    expect(json(bpfreplay(...args, '46', '--format', 'json').stdout)).toMatchObject({
      index: 46,
      packet: { verdict: 'XDP_DROP' },
      runs: [{ program: 'blocklist', verdict: 'XDP_DROP', decision: { function: 'account', line: 70 } }],
    });
    expect(bpfreplay(...args, '233')).toMatchObject({ status: 2, stderr: expect.stringContaining('packets 0 to 232') });
    expect(bpfreplay(...args, '4', '--maps').stderr).toContain("'--explain <n>' cannot be used with option '--maps'");
  });

  it('--format json --maps gives totals, verdicts, errors and final entries', () => {
    const { stdout } = bpfreplay('run', OBJECT, CAPTURE, '--map-init', FILL, '--format', 'json', '--maps');
    const tally = json(stdout) as {
      packets: number;
      verdicts: Record<string, { packets: number }>;
      maps: { map: string }[];
    };
    const sum = Object.values(tally.verdicts).reduce((total, { packets }) => total + packets, 0);
    expect(sum).toBe(tally.packets);
    expect(tally).toMatchObject({ program: 'blocklist', type: 'xdp', skipped: {}, errors: {}, captureError: null });
    expect(tally.maps).toContainEqual({
      map: 'rule_hits',
      type: 'percpu_array',
      entries: expect.arrayContaining([
        { key: expect.stringMatching(/^[0-9a-f]{8}$/), value: [expect.stringMatching(/^[0-9a-f]{32}$/)] },
      ]),
    });
  });

  it('--tc-ingress and --tc-egress make a pipeline, and tell what each program of it did', () => {
    const stages = ['--tc-ingress', 'programs/vlan.bpf.o:tc_vlan', '--tc-egress', 'programs/redirect.bpf.o:tc_mirror'];
    const args = ['run', 'programs/vlan.bpf.o', 'pcaps/vlan.pcap', '--program', 'xdp_vlan', ...stages];
    expect(bpfreplay(...args).stdout).toMatch(
      /^xdp +xdp_vlan +62 +XDP_PASS +62\ntc-ingress +tc_vlan +62 +TC_ACT_OK +62\ntc-egress +tc_mirror +0/m,
    );
    const tally = json(bpfreplay(...args, '--format', 'json').stdout) as { packets: number; stages: unknown[] };
    expect(tally).toMatchObject({ type: 'pipeline', packets: 62, program: 'xdp_vlan → tc_vlan → tc_mirror' });
    expect(tally.stages[0]).toEqual({
      hook: 'xdp', ifindex: null, program: 'xdp_vlan', type: 'xdp', packets: 62, verdicts: { XDP_PASS: 62 },
    }); // biome-ignore format: one stage
  });

  it('--workers gives the tally of one, and says over how many packets were spread, or why over none', () => {
    const run = (...more: string[]) =>
      json(
        bpfreplay('run', 'programs/vlan.bpf.o', 'pcaps/vlan.pcap', '--program', 'xdp_vlan', '--format', 'json', ...more)
          .stdout,
      );
    const { sharing, ...tally } = run('--workers', '2');
    expect(sharing).toEqual({ workers: 2, by: 'records', relaxed: false, because: null });
    expect(tally).toEqual(run());
    expect(run('--workers', '2', '--packets', at('one.ndjson'))['sharing']).toEqual({
      workers: 1,
      by: null,
      relaxed: false,
      because: '--packets writes packets in their order',
    });
    const { stdout } = bpfreplay('run', 'programs/synflood.bpf.o', 'pcaps/syn-flood.pcap', '--workers', '2');
    expect(stdout).toMatch(/^run by one worker: map \w+ \(instruction \d+ of \w+\) carries state/m);
  });

  it('--packets writes one line a packet in the promised shape', () => {
    bpfreplay('run', OBJECT, CAPTURE, '--map-init', FILL, '--packets', at('packets.ndjson'));
    const records = lines(readFileSync(at('packets.ndjson'), 'utf8'));
    expect(records.length).toBe(68);
    expect(Object.keys(records[0]!)).toEqual([
      'index', 'ts_ns', 'caplen', 'verdict', 'retval', 'out_len', 'out_fnv1a64', 'redirect', 'error',
    ]); // biome-ignore format: a list
    expect(records.map(({ index }) => index)).toEqual(records.map((_, index) => index));
    for (const record of records) {
      expect(record.out_fnv1a64).toMatch(/^[0-9a-f]{16}$/);
      expect(record.ts_ns).toMatch(/^\d{19}$/);
    }
  });

  it('--format ndjson gives packets as they go and the tally at the end', () => {
    const { stdout } = bpfreplay('run', OBJECT, CAPTURE, '--format', 'ndjson');
    const all = lines(stdout);
    expect(all.length).toBe(69);
    expect(all[0]).toHaveProperty('packet.verdict');
    expect(all[68]).toHaveProperty('tally.packets', 68);
  });

  it('two runs give the same bytes, and the seed decides what is random', () => {
    const run = (seed: string) =>
      bpfreplay('run', 'programs/sampler.bpf.o', CAPTURE, '--program', 'sampler', '--format', 'json', '--maps', '--packets', at(`s${seed}`), '--events', at(`e${seed}`), '--seed', seed).stdout +
      readFileSync(at(`s${seed}`), 'utf8') + readFileSync(at(`e${seed}`), 'utf8'); // biome-ignore format: one sum
    expect(run('1')).toBe(run('1'));
    expect(run('1')).not.toBe(run('2'));
  });

  it.each([
    ['as it is', (bytes: Uint8Array) => bytes],
    ['compressed by gzip', gzipSync],
    ['compressed by zstd', zstdCompressSync],
  ])('reads a capture from standard input, %s', async (_, compress) => {
    const child = spawn(process.execPath, [BIN, 'run', OBJECT, '-', '--format', 'json'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.end(compress(readFileSync(CAPTURE)));
    let stdout = '';
    for await (const chunk of child.stdout) stdout += String(chunk);
    expect(json(stdout)).toMatchObject({ packets: 68 });
  });

  it.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('reads a capture that is compressed by %s, by one worker, whatever it is called', (_, compress) => {
    writeFileSync(at('packed'), compress(readFileSync(CAPTURE)));
    const run = (capture: string, ...more: string[]) =>
      json(bpfreplay('run', OBJECT, capture, '--map-init', FILL, '--format', 'json', ...more).stdout);
    const { sharing, ...tally } = run(at('packed'), '--workers', '2', '--cpus', '2');
    expect(sharing).toMatchObject({ workers: 1, because: 'a compressed capture is read by one' });
    expect(tally).toEqual(run(CAPTURE, '--cpus', '2'));
    const explained = ['run', OBJECT, at('packed'), '--explain', '67'];
    expect(bpfreplay(...explained).stdout).toMatch(/^packet 67, /);
  });

  it('a compressed capture that is cut is counted as far as it goes, and said to be cut', () => {
    writeFileSync(at('cut.pcap.gz'), gzipSync(readFileSync(CAPTURE)).subarray(0, -1));
    const { status, stdout, stderr } = bpfreplay('run', OBJECT, at('cut.pcap.gz'), '--format', 'json');
    expect(status).toBe(2);
    expect(json(stdout)).toMatchObject({ packets: 68, captureError: { code: 'unreadable' } });
    expect(stderr).toMatch(
      /^capture: the gzip stream cannot be read any further \(.*\) at .* after 68 good packets\n$/,
    );
  });

  it('Ctrl-C ends it behind the last whole packet, and is no fault of the capture', async () => {
    const child = spawn(process.execPath, [BIN, 'run', OBJECT, '-', '--format', 'ndjson'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    child.stdin.write(readFileSync(CAPTURE).subarray(0, 5000));
    let stdout = '';
    for await (const chunk of child.stdout) {
      // A second one would kill it.
      if (stdout === '') child.kill('SIGINT');
      stdout += String(chunk);
    }
    expect(await ended).toEqual([0, null]);
    const all = lines(stdout);
    expect(all.at(-1)).toMatchObject({ tally: { packets: all.length - 1, captureError: null } });
  });

  it('a cut capture is counted as far as it goes, and said to be cut', () => {
    writeFileSync(at('cut.pcap'), readFileSync(CAPTURE).subarray(0, 5000));
    const { status, stdout, stderr } = bpfreplay('run', OBJECT, at('cut.pcap'), '--format', 'json');
    const tally = json(stdout) as { packets: number; captureError: { code: string } };
    expect(status).toBe(2);
    expect(tally.packets).toBeGreaterThan(10);
    expect(tally.captureError.code).toBe('truncated');
    expect(stderr).toMatch(/^capture: .* good packets/);
  });

  it('an expectation that fails is exit 1', () => {
    expect(bpfreplay('run', OBJECT, CAPTURE, '--expect', 'XDP_PASS=68').status).toBe(0);
    const { status, stderr } = bpfreplay('run', OBJECT, CAPTURE, '--expect', 'XDP_DROP>=1');
    expect([status, stderr]).toEqual([1, 'expected XDP_DROP>=1, got 0\n']);
  });

  const tshark = spawnSync('tshark', ['--version']).error === undefined;
  it.skipIf(!tshark)('--write gives packets whose verdict tshark shows (skipped where tshark is missing)', () => {
    bpfreplay('run', OBJECT, CAPTURE, '--map-init', FILL, '--write', at('out.pcapng'), '--packets', at('w.ndjson'));
    const shown = spawnSync(
      'tshark',
      ['-r', at('out.pcapng'), '-T', 'fields', '-e', 'frame.verdict.ebpf_xdp', '-e', 'frame.comment'],
      { encoding: 'utf8' },
    );
    const records = lines(readFileSync(at('w.ndjson'), 'utf8'));
    expect(shown.stdout.trimEnd().split('\n')).toEqual(records.map(({ retval, verdict }) => `${retval}\t${verdict}`));
  });
});

describe('verify, inspect, disasm', () => {
  it('verify --format ndjson gives a line a program in the promised shape', () => {
    const { status, stdout } = bpfreplay('verify', 'programs/vlan.bpf.o', '--format', 'ndjson');
    expect(status).toBe(0);
    expect(lines(stdout)).toEqual(
      [['xdp_vlan', 'xdp', 'xdp'], ['tc_vlan', 'tc', 'sched_cls']].map(([program, section, type]) => ({
        file: 'programs/vlan.bpf.o', program, section, type, instructions: expect.any(Number), verdict: 'accept', pc: null, code: null, message: null,
      })),
    ); // biome-ignore format: a table
  });

  it('a program of the wrong type is refused: exit 1, and the reason names the source line', () => {
    const { status, stdout } = bpfreplay(
      'verify',
      'programs/vlan.bpf.o',
      '--program',
      'tc_vlan',
      '--type',
      'xdp',
      '--format',
      'ndjson',
    );
    expect(status).toBe(1);
    expect(lines(stdout)[0]).toMatchObject({
      verdict: 'reject',
      code: 'context-access',
      message: expect.stringMatching(
        /of struct xdp_md cannot be read by a program of type xdp \(\.\/vlan\.bpf\.c:\d+: /,
      ),
    });
    const told = bpfreplay('verify', 'programs/vlan.bpf.o', '--program', 'tc_vlan', '--type', 'xdp').stdout;
    // The help names what this program may read, not what programs of a devmap may.
    expect(told).toMatch(/only: data, data_end, data_meta, ingress_ifindex,\s+rx_queue_index\.$/m);
    expect(bpfreplay('run', 'programs/vlan.bpf.o', CAPTURE, '--program', 'tc_vlan', '--type', 'xdp').status).toBe(1);
  });

  it('inspect tells what is there', () => {
    const { stdout } = bpfreplay('inspect', 'programs/lb.bpf.o', '--format', 'json');
    expect(json(stdout)).toMatchObject({
      license: 'GPL',
      programs: [{ name: 'lb', section: 'xdp', type: 'xdp' }],
      maps: expect.arrayContaining([expect.objectContaining({ name: 'reals', type: 'array', maxEntries: 64 })]),
    });
    expect(bpfreplay('inspect', 'programs/lb.bpf.o').stdout).toMatch(/^rings +array +4 +61/m);
  });

  it('disasm --source shows the source between the instructions', () => {
    const { stdout } = bpfreplay('disasm', 'programs/vlan.bpf.o', '--program', 'xdp_vlan', '--source');
    expect(stdout).toMatch(
      /^xdp_vlan: ; xdp\n; \.\/vlan\.bpf\.c:\d+ {2}int xdp_vlan\(struct xdp_md \*ctx\)\n {5}0: r6 = r1\n/,
    );
    expect(stdout).toMatch(/call bpf_xdp_adjust_head$/m);
  });
});

describe('mistakes', () => {
  it.each([
    ['no such object', ['run', 'nothing.o', CAPTURE], 2, /ENOENT.*nothing\.o/],
    ['no object', ['run', 'package.json', CAPTURE], 2, /^bpfreplay: elf: /],
    ['no such capture', ['run', OBJECT, 'nothing.pcap'], 2, /ENOENT.*nothing\.pcap/],
    [
      'no such program',
      ['run', OBJECT, CAPTURE, '--program', 'x'],
      2,
      /^bpfreplay: the object has no program x; it has blocklist/,
    ],
    [
      'several programs',
      ['run', 'programs/vlan.bpf.o', CAPTURE, '--type', 'xdp'],
      2,
      /several programs: name one of xdp_vlan, tc_vlan/,
    ],
    ['a folder as object', ['run', 'programs', CAPTURE], 2, /programs is a folder, not an object/],
    ['a folder as capture', ['run', OBJECT, 'pcaps'], 2, /pcaps is a folder, not a capture/],
    ['no workers', ['run', OBJECT, CAPTURE, '--workers', '0'], 2, /1 or more is wanted/],
    ['a daemon without workers', ['serve', '--workers', '0'], 2, /1 or more is wanted/],
    ['a port that is none', ['serve', '--port', '99999'], 2, /a port is wanted, 0 to 65535/],
    ['a type that cannot be replayed', ['run', OBJECT, CAPTURE, '--type', 'kprobe'], 2, /these can: xdp, sched_cls/],
    [
      'a verdict that is none',
      ['run', OBJECT, CAPTURE, '--expect', 'XDP_DORP=0'],
      2,
      /xdp has no verdict XDP_DORP; it has XDP_ABORTED, XDP_DROP, /,
    ],
    [
      'a type that is none',
      ['verify', OBJECT, '--type', 'xpd', '--log'],
      2,
      /xpd are not known here; there are: xdp, /,
    ],
    ['a wrong option', ['run', OBJECT, CAPTURE, '--cpus', 'two'], 2, /whole number/],
    ['a wrong format', ['run', OBJECT, CAPTURE, '--format', 'xml'], 2, /Allowed choices are table, json, ndjson/],
    ['no command', ['fly'], 2, /unknown command 'fly'/],
    [
      'initial contents that are not JSON',
      ['run', OBJECT, CAPTURE, '--map-init', 'README.md'],
      2,
      /README\.md is not JSON/,
    ],
    [
      'a network that is none',
      ['run', OBJECT, CAPTURE, '--network', FILL],
      2,
      /network: there is no part blocked_v4; the parts are links, addresses, routes, /,
    ],
  ])('%s', (_, args, status, message) => {
    const answer = bpfreplay(...args);
    expect(answer.stderr).toMatch(message);
    expect(answer.stderr).not.toMatch(/\n\s+at /);
    expect([answer.status, answer.stdout]).toEqual([status, '']);
  });
});

const KERNEL_BTF = '/sys/kernel/btf/vmlinux';
const CORE_OBJECT = '/usr/lib/x86_64-linux-gnu/bpf/xdpdump_bpf.o';
it.skipIf(!existsSync(KERNEL_BTF) || !existsSync(CORE_OBJECT))(
  "--btf resolves CO-RE against a kernel's types (skipped without one, or without xdp-tools)",
  () => {
    const offsets = (...args: string[]) =>
      (
        json(bpfreplay('inspect', CORE_OBJECT, '--format', 'json', ...args).stdout).relocations as {
          type: string;
          resolved: string;
        }[]
      )
        .filter(({ type }) => type.startsWith('CO-RE'))
        .map(({ resolved }) => resolved);
    expect(offsets('--btf', KERNEL_BTF).length).toBeGreaterThan(0);
    // The object was built against another kernel than this one.
    expect(offsets('--btf', KERNEL_BTF)).not.toEqual(offsets());
    expect(bpfreplay('inspect', CORE_OBJECT, '--btf', 'package.json').stderr).toMatch(/^bpfreplay: btf: /);
  },
);
