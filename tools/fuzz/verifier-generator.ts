import type { Random } from '../../src/base/random.ts';
import type { Fuzzed } from './verifier-objects.ts';
import { STATEMENTS } from './verifier-statements.ts';
import { CONTEXT, DEEPEST, type Kind, STACK, Writer } from './verifier-writer.ts';

/** A program by its random source: the same source gives the same program. About half are taken by Linux. */
export function generate(random: Random): Fuzzed {
  const type = (['xdp', 'sched_cls', 'socket_filter'] as const)[Math.min(2, random.below(5) >> 1)]!;
  const writer = new Writer(random, type, random.below(5) === 0 ? 0 : 3 + random.below(20), STATEMENTS);
  writer.code.mov(CONTEXT, 1);
  writer.kinds[1] = 'context';
  writer.kinds[CONTEXT] = 'context';
  writer.kinds[STACK] = 'stack';
  writer.reserved.add(CONTEXT);
  writer.statements(4 + random.below(16));
  writer.end();
  for (const { label, kinds } of writer.functions) {
    writer.code.place(label);
    writer.kinds = [
      'none',
      ...kinds,
      'none',
      'none',
      'none',
      'none',
      'none',
      'none',
      'none',
      'none',
      'none',
      'none',
    ].slice(0, 10) as Kind[];
    writer.kinds[STACK] = 'stack';
    writer.stack = new Set();
    writer.proven = 0;
    writer.depth = DEEPEST;
    writer.reserved.clear();
    writer.out = writer.code.label();
    writer.statements(1 + random.below(5));
    writer.end();
  }
  return { type, bytes: writer.code.bytes() };
}
