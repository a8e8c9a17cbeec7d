import type { MapSpec } from '../../object/spec.ts';
import { OTHER_TYPES } from '../other-types.ts';
import { hasField } from '../regions/context.ts';
import { isPacket, type Register, signedMin, unsignedMax } from '../state/register.ts';
import { type AccessAt, accessOf, bytes, type Case, count, type Sentences } from './case.ts';
import { EXPLANATIONS } from './codes.ts';
import { nameState } from './states.ts';

export function packetBounds(about: Case): Sentences {
  const access = accessOf(about);
  if (access === null || !isPacket(access.base)) return {};
  const { base, offset, size, verb } = access;
  const known = Math.max(0, base.extent);
  if (!base.value.isConst) {
    const there =
      known === 0
        ? `no comparison has shown ${size === 1 ? 'it' : 'them'} to be there`
        : `of what follows there, only ${count(known)} are known to be there`;
    return {
      reason: `the program ${verb} ${count(size)} at ${nameState(base)}${offset === 0 ? '' : `, ${offset} further`}: ${there}`,
      help: `A comparison counts for the pointer it was made with. Compare this one: if ((void *)pointer + ${offset + size} > data_end) return …`,
    };
  }
  const first = base.offset + offset;
  const edge = base.kind === 'packet' ? 'data_end' : 'data';
  const there =
    known === 0
      ? `no comparison with ${edge} has shown any byte to be there`
      : `only the first ${known} are known to be there`;
  return {
    reason: `the program ${verb} ${bytes(first, size)} of the packet, and ${there}`,
    help: `Check that the packet is long enough: if (${base.kind === 'packet' ? 'data' : 'data_meta'} + ${first + size} > ${edge}) return …`,
  };
}

/** Memory of a known size, by name. */
function memoryOf({ kind, target, extent }: Register): { readonly name: string; readonly size: number } | null {
  if (kind === 'map-value')
    return { name: `a value of map ${(target as MapSpec).name}`, size: (target as MapSpec).valueSize };
  return kind === 'memory' ? { name: 'the memory', size: extent } : null;
}

export function outOfBounds(about: Case): Sentences {
  const access = accessOf(about);
  const memory = access === null ? null : memoryOf(access.base);
  if (access === null || memory === null) return {};
  const { base, offset, size, verb } = access;
  const start = base.offset + offset;
  const least = start + signedMin(base.value);
  const has = `${memory.name}, which has ${count(memory.size)} (0 to ${memory.size - 1})`;
  if (base.value.isConst) {
    const room = memory.size - size;
    const help = room < 0 ? undefined : `${count(size)} fit at offset 0 to ${room}.`;
    return { reason: `the program ${verb} ${bytes(least, size)} of ${has}`, help };
  }
  const far = least < 0 ? `${-least} bytes before the start` : `byte ${start + unsignedMax(base.value) + size - 1}`;
  return {
    reason: `the program ${verb} ${count(size)} at a place that is not known exactly, and may reach ${far} of ${has}`,
    help:
      least < 0
        ? 'Use an unsigned index, or check that it is not negative'
        : 'Check the index before the access, so that even its greatest value stays within',
  };
}

/** An access at a known place of the stack: bytes from r10, which is the end. */
function stackPlace(about: Case): (AccessAt & { readonly at: number; readonly sentence: string }) | null {
  const access = accessOf(about);
  if (access?.base.kind !== 'stack' || !access.base.value.isConst) return null;
  const at = access.base.offset + access.offset + signedMin(access.base.value);
  const address = at === 0 ? 'r10' : at < 0 ? `r10 - ${-at}` : `r10 + ${at}`;
  return {
    ...access,
    at,
    sentence: `the program ${access.verb} ${count(access.size)} at the stack address ${address}`,
  };
}

export function misaligned(about: Case): Sentences {
  const place = stackPlace(about);
  if (place === null) return {};
  return {
    reason: `${place.sentence}, and ${Math.abs(place.at)} is no multiple of ${place.size}`,
    help: EXPLANATIONS['misaligned-access'].help,
  };
}

/** Bytes of a function's stack. */
export const STACK = 512;

export function stackAccess(about: Case): Sentences {
  const place = stackPlace(about);
  if (place !== null && about.refusal.message.includes('of a spilled pointer')) {
    return {
      reason: `${place.sentence}, where a pointer is kept: it can only be read whole`,
      help: 'Read all 8 bytes of it, at the address at which it was written.',
    };
  }
  if (place === null || (place.at >= -STACK && place.at + place.size <= 0)) return {};
  return {
    reason: `${place.sentence}; the stack is from r10 - ${STACK} to r10 - 1`,
    help:
      place.at < -STACK
        ? 'Keep large data in a map: an array of one element, per CPU.'
        : 'The stack is below r10: use a negative offset, or check the index before the access.',
  };
}

export function readOnly(about: Case): Sentences {
  const base = accessOf(about)?.base;
  if (base?.kind !== 'map-value') return {};
  const { name, data } = base.target as MapSpec;
  if (data !== null) {
    return {
      reason: `the program writes to ${name}, which holds the constants of the object`,
      help: 'Leave const away where the variable is defined, or write to another one.',
    };
  }
  return {
    reason: `the program writes to a value of map ${name}, which programs can only read`,
    help: 'The map is made with BPF_F_RDONLY_PROG: leave that flag away, or write to another map.',
  };
}

export function contextAccess({ program, catalogue, end, ...about }: Case): Sentences {
  const type = catalogue.programTypes.get(program.type) ?? OTHER_TYPES[program.type];
  const access = accessOf({ program, catalogue, end, ...about });
  if (type === undefined || access === null || access.base.offset !== 0 || !access.base.value.isConst) return {};
  const allowed = [...(access.verb === 'reads' ? type.readable : type.writable)].filter((field) =>
    hasField(program, field),
  );
  const { struct } = type.context;
  const named = `A program of type ${program.type} ${access.verb} of struct ${struct}`;
  return { help: allowed.length === 0 ? `${named} nothing.` : `${named} only: ${allowed.join(', ')}.` };
}
