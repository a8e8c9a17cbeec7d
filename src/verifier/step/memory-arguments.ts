import type { MapSpec } from '../../object/spec.ts';
import { withinBounds } from '../regions/bounds.ts';
import { mapAllows, valueCovers } from '../regions/map-value.ts';
import { packetCovers } from '../regions/packet.ts';
import type { Access } from '../regions/region.ts';
import { frameOf, helperTouchesStack, stackSpan } from '../regions/stack.ts';
import { describeKind } from '../report/words.ts';
import { isZero, READ_ONLY, type RegisterKind } from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';
import type { HelperCall } from './arguments.ts';

/** What a helper does with memory: reads it, writes it (perhaps only in part), or fills all of it. */
export type Use = 'read' | 'write' | 'fill';

type Rule = (v: Verification, call: HelperCall, access: Access, use: Use, emptyAllowed: boolean) => boolean;

const packet: Rule = (v, _call, access, _use, emptyAllowed) => packetCovers(v, access, emptyAllowed);

const RULES: { readonly [Kind in RegisterKind]?: Rule } = {
  packet,
  'packet-meta': packet,
  'map-key': (v, _call, access, use) => {
    if (use !== 'read')
      return v.refuse('write-read-only', `r${access.index} points to a key of a map, which cannot be written`);
    return withinBounds(v, access, (access.base.target as MapSpec).keySize);
  },
  'map-value': (v, _call, access, use, emptyAllowed) =>
    mapAllows(v, access.base.target as MapSpec, use === 'read' ? 'read' : 'write') &&
    valueCovers(v, access, emptyAllowed),
  memory: (v, _call, access, use, emptyAllowed) => {
    if (use !== 'read' && (access.base.flags & READ_ONLY) !== 0) {
      return v.refuse('write-read-only', `r${access.index} (${describeKind(access.base)}) can only be read`);
    }
    return withinBounds(v, access, access.base.extent, emptyAllowed);
  },
  stack: (v, call, access, use, emptyAllowed) => {
    if (access.size === 0 && !emptyAllowed) {
      return v.refuse('helper-argument', `no byte of stack is given through r${access.index}`);
    }
    const span = stackSpan(v, access);
    if (span === undefined) return false;
    const frame = frameOf(v, access);
    if (use === 'fill' && span.first === span.last) {
      call.buffer = { access, offset: span.first };
      return true;
    }
    return helperTouchesStack(v, frame, span.first, span.last + access.size, use !== 'read');
  },
};

/** Whether the memory behind an argument has `size` bytes for the helper. */
export function checkMemory(
  v: Verification,
  call: HelperCall,
  index: number,
  size: number,
  use: Use,
  emptyAllowed: boolean,
): boolean {
  const base = v.register(index);
  const rule = RULES[base.kind];
  if (rule !== undefined) {
    const access: Access = { base, index, offset: 0, size };
    if (!rule(v, call, access, use, emptyAllowed)) return false;
    v.accesses.noteArgument(v.pc, v.frame.number, access, use !== 'read');
    return true;
  }
  if (size === 0 && emptyAllowed && isZero(base)) return true;
  return v.refuse('helper-argument', `r${index} is ${describeKind(base)} where ${size} bytes of memory are needed`);
}
