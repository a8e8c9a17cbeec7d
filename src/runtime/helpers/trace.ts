import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Machine } from '../../abi/machine.ts';
import type { Memory } from '../../abi/memory.ts';
import { decodeUtf8 } from '../../base/bytes.ts';
import { type Arguments, Printed, print, textToBytes } from './format.ts';

/** Linux's line buffer, its NUL included. */
const LINE_BYTES = 1024;
/** Arguments of bpf_trace_vprintk and bpf_snprintf, in bytes. */
const MOST_DATA = 12 * 8;

const tracePrintk = defineHelper({
  name: 'trace_printk',
  id: 6,
  prototype: {
    args: ['mem', 'size', 'unchecked', 'unchecked', 'unchecked'],
    returns: 'integer',
    programTypes: 'all',
    gplOnly: true,
  },
  run: (machine, format, size, ...args) => trace(machine, format, size, { count: 3, at: (index) => args[index]! }),
});

const traceVprintk = defineHelper({
  name: 'trace_vprintk',
  id: 177,
  prototype: { args: ['mem', 'size', 'mem?', 'size0'], returns: 'integer', programTypes: 'all', gplOnly: true },
  run(machine, format, size, data, dataSize) {
    if (!isData(data, dataSize)) return -ERRNO.EINVAL;
    return trace(machine, format, size, argumentsAt(machine.memory, data, dataSize));
  },
});

function trace(machine: Machine, format: number, size: number, args: Arguments): number {
  const printed = new Printed(LINE_BYTES);
  const error = print(machine.memory, format, size, args, printed);
  if (error !== 0) return error;
  machine.trace(decodeUtf8(textToBytes(printed.text)));
  return printed.length;
}

/** Its result is the length of the whole text with its NUL, also where it was cut. */
const snprintf = defineHelper({
  name: 'snprintf',
  id: 165,
  prototype: {
    args: ['mem-out?', 'size0', 'const-string', 'mem?', 'size0'],
    returns: 'integer',
    programTypes: 'all',
    gplOnly: true,
  },
  run({ memory }, to, size, format, data, dataSize) {
    if (!isData(data, dataSize)) return -ERRNO.EINVAL;
    const printed = new Printed(size);
    const end = memory.u8.indexOf(0, format);
    const error = print(memory, format, end + 1 - format, argumentsAt(memory, data, dataSize), printed);
    if (error !== 0) return error;
    if (size > 0) {
      memory.u8.set(textToBytes(printed.text), to);
      memory.u8[to + printed.text.length] = 0;
    }
    return printed.length + 1;
  },
});

function isData(data: number, size: number): boolean {
  return size % 8 === 0 && size <= MOST_DATA && (size === 0 || data !== 0);
}

function argumentsAt({ view }: Memory, data: number, size: number): Arguments {
  return { count: size / 8, at: (index) => view.getBigUint64(data + 8 * index, true) };
}

export const traceHelpers: readonly Helper[] = [tracePrintk, traceVprintk, snprintf];
