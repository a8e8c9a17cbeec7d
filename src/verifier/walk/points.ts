import type { Instruction } from '../../isa/instruction.ts';
import { slots } from '../../isa/instruction.ts';
import type { Program } from '../../program/program.ts';

/** Helpers that call a function of the program, at once or later. */
const CALLBACK_HELPERS: ReadonlySet<number> = new Set([164, 181, 180, 209]);
/** Whether an instruction calls something that calls a function of the program before it returns. */
export function callsBack({ kernelSymbols }: Program, instruction: Instruction | undefined): boolean {
  if (instruction?.kind !== 'call') return false;
  const { target } = instruction;
  if (target.type === 'helper') return CALLBACK_HELPERS.has(target.id);
  return target.type === 'kfunc' && kernelSymbols[target.btfId]?.name === 'bpf_rbtree_add_impl';
}

/** bpf_timer_set_callback: the function runs later, by itself. */
const TIMER_SET_CALLBACK = 170;

/** Where states are kept and compared. Linux chooses the places by the shape of the code alone. */
export interface Points {
  /** States are compared here, and kept now and then. */
  readonly prune: Uint8Array;
  /** A state is always kept here: the end of a loop can only be seen by comparing. */
  readonly checkpoint: Uint8Array;
  /** Linux records that a path came here by a jump. */
  readonly jump: Uint8Array;
  /** Whether some function is called back, so that a state may be met again before its paths have ended. */
  readonly hasCallbacks: boolean;
}

/** The kernel function at which a loop over an iterator is known to make progress. */
function isIteratorNext(program: Program, index: number): boolean {
  return /^bpf_iter_\w+_next$/.test(program.kernelSymbols[index]?.name ?? '');
}

export function pointsOf(program: Program): Points {
  const { instructions } = program;
  const prune = new Uint8Array(instructions.length + 2);
  const checkpoint = new Uint8Array(instructions.length + 2);
  const jump = new Uint8Array(instructions.length + 2);
  let hasCallbacks = false;
  const meet = (pc: number) => {
    prune[pc] = 1;
    jump[pc] = 1;
  };
  const rules: { [Kind in Instruction['kind']]?: (at: number, it: Extract<Instruction, { kind: Kind }>) => void } = {
    goto: (_at, it) => meet(it.target),
    jump: (at, it) => {
      prune[at] = 1;
      meet(it.target);
    },
    may_goto: (at, it) => {
      prune[at] = 1;
      checkpoint[at] = 1;
      hasCallbacks = true;
      meet(it.target);
    },
    call: (at, it) => {
      meet(at + 1);
      const { target } = it;
      if (target.type === 'local') {
        prune[at] = 1;
        meet(target.pc);
      } else if (callsBack(program, it)) {
        meet(at);
        checkpoint[at] = 1;
        hasCallbacks = true;
      } else if (target.type === 'kfunc' && isIteratorNext(program, target.btfId)) {
        meet(at);
        checkpoint[at] = 1;
        hasCallbacks = true;
      } else if (target.type === 'helper' && target.id === TIMER_SET_CALLBACK) {
        prune[at] = 1;
      }
    },
    imm64: (at, it) => {
      if (it.value.type !== 'function') return;
      meet(at + slots(it));
      prune[at] = 1;
      meet(it.value.pc);
    },
  };
  for (const [at, instruction] of instructions.entries()) {
    if (instruction === undefined) continue;
    (rules[instruction.kind] as ((at: number, it: Instruction) => void) | undefined)?.(at, instruction);
  }
  return { prune, checkpoint, jump, hasCallbacks };
}
