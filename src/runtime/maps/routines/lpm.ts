import type { MapRoutines, Routines } from '../../../abi/routines.ts';
import { type Expression, i32, Routine, type Variable } from '../../../wasm/expression.ts';
import { type ValueArea, ValuesCode } from './values.ts';

export interface LpmAreas {
  readonly handle: number;
  readonly values: ValueArea;
  /** Address of the word that links the root. */
  readonly root: number;
  readonly nodes: number;
  readonly data: number;
  readonly dataStride: number;
  readonly maxPrefix: number;
}

/** Bytes of a node: see ../lpm-trie.ts. */
const NODE = 16;
const [PREFIX, SLOT] = [8, 12];

/** LpmTrie (../lpm-trie.ts) as code. */
export function lpmRoutines(areas: LpmAreas): MapRoutines {
  const { handle, root, nodes, data, dataStride, maxPrefix } = areas;
  return {
    lookup: (routines) =>
      routines.once(`lookup ${handle}`, () => {
        const routine = new Routine(['i32'], ['i32']);
        const [key] = routine.parameters as [Variable];
        const prefix = routine.let(key.load());
        routine.if(prefix.gt(maxPrefix), () => routine.return(0));
        const found = routine.let(i32(0));
        // Keys of one word stay in a variable, the first bit as the highest.
        const word = maxPrefix <= 32 ? routine.let(swapped(routine.let(key.load(4)))) : undefined;
        const link = routine.let(i32(root).load());
        routine.while(link, (leave) => {
          const node = routine.let(link.mul(NODE).add(nodes - NODE));
          const length = routine.let(node.load(PREFIX));
          routine.if(length.gt(prefix), leave);
          const own = routine.let(link.mul(dataStride).add(data - dataStride));
          const isCommon =
            word === undefined
              ? sharesBits(routines, routine, own, key, length)
              : sharesWord(routine, own, word, length);
          routine.if(isCommon.isZero(), leave);
          const slot = routine.let(node.load(SLOT));
          routine.set(found, slot.select(slot, found));
          routine.if(length.eq(maxPrefix), leave);
          const bit = word === undefined ? bitOf(key, length) : word.shl(length).shr(31);
          routine.set(link, node.add(bit.shl(2)).load());
        });
        routine.if(found, () => routine.return(new ValuesCode(routines, areas.values, 1).at(found)));
        routine.return(0);
        return routine;
      }),
  };
}

/** Bit `index` of the data of a key, whose prefix length comes before it. */
const bitOf = (key: Expression, index: Expression): Expression =>
  key
    .add(index.shr(3))
    .load(4, 'i32.load8_u')
    .shr(i32(7).sub(index.and(7)))
    .and(1);

/** The first bit of memory as the highest. */
const swapped = (word: Expression): Expression => word.rotl(8).and(0x00ff00ff).or(word.rotl(24).and(0xff00ff00));

/** Whether the first `length` of at most 32 bits are the same. What is read behind the key's end does not count. */
function sharesWord(routine: Routine, own: Expression, word: Expression, length: Expression): Expression {
  return swapped(routine.let(own.load())).xor(word).leadingZeroes().ge(length);
}

function sharesBits(
  routines: Routines,
  caller: Routine,
  own: Expression,
  key: Expression,
  length: Expression,
): Expression {
  const index = routines.once('shares bits', () => {
    const routine = new Routine(['i32', 'i32', 'i32'], ['i32']);
    const [a, b, bits] = routine.parameters as [Variable, Variable, Variable];
    routine.while(bits.gtSigned(0), () => {
      const difference = routine.let(a.load().xor(b.load(4)));
      routine.if(difference, () => routine.return(swapped(difference).leadingZeroes().ge(bits)));
      routine.set(a, a.add(4));
      routine.set(b, b.add(4));
      routine.set(bits, bits.sub(32));
    });
    routine.return(1);
    return routine;
  });
  return caller.call(index, 'i32', own, key, length);
}
