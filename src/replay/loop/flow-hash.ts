import { ETHERTYPE, IPV4_HEADER, IPV6_HEADER } from '../../capture/protocols.ts';
import { Body, i32, load, op, type Value } from '../../wasm/body.ts';
import type { FunctionType, ModuleWriter } from '../../wasm/module.ts';
import { HASH_TABLE, HASHED_BYTES } from '../steering.ts';

const ROW = 256 * 4;
/** Bytes of the table that generated code reads. */
export const HASH_TABLE_BYTES = HASHED_BYTES * ROW;

/** `words`: HASH_TABLE_BYTES of memory. */
export function fillHashTable(words: Uint32Array): void {
  for (const [position, row] of HASH_TABLE.entries()) words.set(row, position * row.length);
}

const HASH: FunctionType = { parameters: ['i32', 'i32'], results: ['i32'] };
const ETHERNET_HEADER = 14;
const NETWORK = ETHERNET_HEADER;
/** TCP and UDP. */
const WITH_PORTS = [6, 17];
const FRAGMENTED = 0x3fff;

/** Writes `(start, length) → hash`, which is `flowHash` of steering.ts, of a frame in a memory; gives the function's index. */
export function writeFlowHash(module: ModuleWriter, table: number, memory = 0): number {
  const body = new Body(HASH.parameters.length);
  const [start, length] = [body.parameter(0), body.parameter(1)];
  const [type, hash, ports] = [body.local('i32'), body.local('i32'), body.local('i32')];
  const byte = (offset: number, from: Value = start) => load('i32.load8_u', from, offset, memory);
  const word = (offset: number) => op('i32.or', op('i32.shl', byte(offset), i32(8)), byte(offset + 1));
  /** What the bytes from one on add, which stand at a position of the input. */
  const part = (position: number, count: number, at: (index: number) => Value): Value =>
    Array.from({ length: count }, (_, index) =>
      load('i32.load', op('i32.shl', at(index), i32(2)), table + (position + index) * ROW),
    ).reduce((one, other) => op('i32.xor', one, other));
  const hasPorts = (protocol: number) =>
    op('i32.or', op('i32.eq', byte(protocol), i32(WITH_PORTS[0]!)), op('i32.eq', byte(protocol), i32(WITH_PORTS[1]!)));
  const isOf = (etherType: number, header: number) =>
    op('i32.and', op('i32.eq', type, i32(etherType)), op('i32.ge_u', length, i32(NETWORK + header)));
  const addPorts = (position: number, condition: Value) => {
    const fit = op('i32.le_u', op('i32.add', ports, i32(4)), op('i32.add', start, length));
    body.if(op('i32.and', condition, fit), () =>
      body.set(
        hash,
        op(
          'i32.xor',
          hash,
          part(position, 4, (index) => byte(index, ports)),
        ),
      ),
    );
    body.return(hash);
  };

  body.if(op('i32.lt_u', length, i32(ETHERNET_HEADER)), () => body.return(i32(0)));
  body.set(type, word(12));
  body.if(isOf(ETHERTYPE.IPV4, IPV4_HEADER), () => {
    body.set(
      hash,
      part(0, 8, (index) => byte(NETWORK + 12 + index)),
    );
    const header = op('i32.shl', op('i32.and', byte(NETWORK), i32(0x0f)), i32(2));
    body.set(ports, op('i32.add', op('i32.add', start, i32(NETWORK)), header));
    const isWhole = op('i32.eqz', op('i32.and', word(NETWORK + 6), i32(FRAGMENTED)));
    addPorts(8, op('i32.and', isWhole, hasPorts(NETWORK + 9)));
  });
  body.if(isOf(ETHERTYPE.IPV6, IPV6_HEADER), () => {
    body.set(
      hash,
      part(0, 32, (index) => byte(NETWORK + 8 + index)),
    );
    body.set(ports, op('i32.add', start, i32(NETWORK + IPV6_HEADER)));
    addPorts(32, hasPorts(NETWORK + 6));
  });
  body.return(i32(0));
  body.code.op('unreachable');
  return module.body(HASH, body.locals, body.code);
}
