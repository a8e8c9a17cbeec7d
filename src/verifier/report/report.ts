import type { Catalogue } from '../../abi/catalogue.ts';
import { helperName } from '../../abi/helper-names.ts';
import type { BusyPlace, PathLine, Place, Report, ReportedRegister } from '../../abi/report.ts';
import type { Refusal } from '../../abi/verdict.ts';
import { disassemble } from '../../isa/disassemble.ts';
import { functionAt, lineAt, type Program } from '../../program/program.ts';
import { OTHER_TYPES } from '../other-types.ts';
import type { RefusalCode } from '../refuse.ts';
import type { Trail } from '../state/trail.ts';
import { verify } from '../verify.ts';
import type { VerifyOptions } from '../verify-paths.ts';
import type { Case } from './case.ts';
import { EXPLANATIONS } from './codes.ts';
import { helpFor, reasonFor } from './help.ts';
import { pathLines } from './path.ts';
import { recorder } from './recorder.ts';
import { type Callees, type Loss, pathTo, placeAt, slice } from './slice.ts';
import { stackUse } from './stack.ts';
import { explainState } from './states.ts';
import { subjectsOf } from './subjects.ts';

/** Where the limit of work was reached, the places that took it say more than the last path. */
const WORK: ReadonlySet<string> = new Set(['too-complex', 'too-many-paths']);
const BUSIEST = 3;
/** A place with less than a hundredth of the work of the busiest is none. */
const WORTH_TELLING = 100;

/**
 * Tells a refusal in full. The program is verified once more, with each step recorded: the answer is the same, as
 * verifying is pure, and programs that are accepted pay nothing.
 */
export function reportOf(
  program: Program,
  catalogue: Catalogue,
  refusal: Refusal,
  options: VerifyOptions = {},
): Report {
  const { category, title, rule } = EXPLANATIONS[refusal.code as RefusalCode];
  const names = calleesOf(program, catalogue);
  const told = tell(program, catalogue, refusal, options, names);
  const about: Case = { program, catalogue, refusal, loss: told.loss, end: told.end };
  return {
    program: program.name,
    type: program.type,
    code: refusal.code,
    category,
    title,
    reason: reasonFor(about),
    rule,
    help: helpFor(about),
    at: refusal.pc === null ? null : placeOf(program, catalogue, refusal.pc),
    registers: told.registers,
    path: told.path,
    pathLength: told.pathLength,
    busiest: told.busiest,
  };
}

interface Told {
  readonly registers: readonly ReportedRegister[];
  readonly path: readonly PathLine[];
  readonly pathLength: number;
  readonly busiest: readonly BusyPlace[];
  readonly loss: Loss | null;
  /** The state at which the program is refused. */
  readonly end: Trail | null;
}

const NOTHING_TOLD: Told = { registers: [], path: [], pathLength: 0, busiest: [], loss: null, end: null };

function tell(program: Program, catalogue: Catalogue, refusal: Refusal, options: VerifyOptions, names: Callees): Told {
  if (WORK.has(refusal.code)) return { ...NOTHING_TOLD, busiest: busiestOf(program, catalogue, options) };
  if (refusal.code === 'stack-overflow') {
    const { observer, lines } = stackUse();
    verify(program, catalogue, { ...options, onState: observer });
    return { ...NOTHING_TOLD, path: lines(program, (pc) => placeOf(program, catalogue, pc)) };
  }
  if (refusal.pc === null) return NOTHING_TOLD;
  const { observer, last } = recorder();
  verify(program, catalogue, { ...options, onState: observer });
  const end = last();
  if (end === null) return NOTHING_TOLD;
  const path = pathTo(end);
  const looped = refusal.code === 'infinite-loop';
  if (end.pc !== refusal.pc && !looped) return NOTHING_TOLD;
  const subjects = subjectsOf(program, catalogue, refusal, path);
  const { events, loss } = slice(program, path, subjects.places, names);
  return {
    registers: registersOf(end, subjects.places),
    path: pathLines([...subjects.events, ...events], (pc) => placeOf(program, catalogue, pc)),
    pathLength: path.length,
    busiest: [],
    loss,
    end,
  };
}

function registersOf(end: Trail, places: readonly number[]): ReportedRegister[] {
  return places.map((place) => {
    const { name, value } = placeAt(end, place);
    return { name, state: explainState(value) };
  });
}

function busiestOf(program: Program, catalogue: Catalogue, options: VerifyOptions): BusyPlace[] {
  const followed = new Uint32Array(program.instructions.length);
  verify(program, catalogue, { ...options, onState: (pc) => followed[pc]!++ });
  const lines = new Map<string, { pc: number; followed: number }>();
  for (const [pc, count] of followed.entries()) {
    if (count === 0) continue;
    const line = lineAt(program, pc);
    const key = line === undefined ? `${pc}` : `${line.file}:${line.line}`;
    const known = lines.get(key);
    if (known === undefined) lines.set(key, { pc, followed: count });
    else known.followed += count;
  }
  return [...lines.values()]
    .sort((a, b) => b.followed - a.followed)
    .slice(0, BUSIEST)
    .filter((each, _i, [most]) => each.followed * WORTH_TELLING >= most!.followed)
    .map(({ pc, followed: count }) => ({ place: placeOf(program, catalogue, pc), followed: count }));
}

/** Where an instruction is, for people. */
export function placeOf(program: Program, catalogue: Catalogue, pc: number): Place {
  const line = lineAt(program, pc);
  const instruction = program.instructions[pc];
  return {
    pc,
    instruction: instruction === undefined ? '' : disassemble(instruction, pc, namesOf(program, catalogue)),
    function: functionAt(program, pc)?.name ?? program.name,
    file: line?.file ?? null,
    line: line?.line ?? null,
    column: line?.column ?? null,
    source: line?.text ?? null,
  };
}

/** Names for the disassembler. */
export function namesOf(program: Program, catalogue: Catalogue) {
  return {
    helper: (id: number) => {
      const name = catalogue.helpers.get(id)?.name ?? helperName(id);
      return name === undefined ? undefined : `bpf_${name}`;
    },
    map: (index: number) => program.maps[index]?.name,
    kfunc: (index: number) => program.kernelSymbols[index]?.name,
  };
}

function calleesOf(program: Program, catalogue: Catalogue): Callees {
  const names = namesOf(program, catalogue);
  const fields = (catalogue.programTypes.get(program.type) ?? OTHER_TYPES[program.type])?.context.fields ?? [];
  return {
    text: (pc) => disassemble(program.instructions[pc]!, pc, names),
    callee: ({ target }) => {
      if (target.type === 'helper') return names.helper(target.id) ?? `helper ${target.id}`;
      if (target.type === 'local') return functionAt(program, target.pc)?.name ?? `the function at ${target.pc}`;
      return target.type === 'kfunc' ? (names.kfunc(target.btfId) ?? 'a kernel function') : `r${target.reg}`;
    },
    field: (offset) =>
      fields.find((each) => offset >= each.offset && offset < each.offset + each.size * each.count)?.name,
  };
}
