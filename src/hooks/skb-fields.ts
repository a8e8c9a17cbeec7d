import { SK_BUFF } from '../abi/context.ts';
import type { ContextPointer } from '../abi/program-type.ts';

const ALL = new Set(SK_BUFF.fields.map((field) => field.name));

/** Every field of __sk_buff but those named. */
export function allBut(...names: string[]): ReadonlySet<string> {
  return ALL.difference(new Set(names));
}

export const DIRECT_ACCESS: Readonly<Record<string, ContextPointer>> = {
  data: 'packet',
  data_end: 'packet-end',
  data_meta: 'packet-meta',
  sk: 'sock-common?',
};
