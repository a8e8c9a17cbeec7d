import { concatBytes } from '../base/bytes.ts';
import { LoadError } from '../base/errors.ts';
import { encode } from './codec.ts';
import { FORMS } from './forms.ts';
import { expressionOf, type Form, type Names, type ReadContext } from './syntax.ts';

const readers = FORMS.map((form) => ({ form, expression: expressionOf(form.pattern) }));

/** One instruction of the text, read as far as a line alone can be. */
interface Statement {
  readonly line: number;
  readonly pc: number;
  readonly form: Form;
  readonly values: Readonly<Record<string, string>>;
}

/** More ids than there are helpers, more indices than a program can name: where the search for a name ends. */
const MOST_NAMES = 65_536;
const HELPER_IDS = 1024;

/**
 * Assembles text, one instruction a line, into wire bytes. It reads what `disassemble` prints, what clang assembles,
 * and lines of the Linux verifier log, of bpftool and of llvm-objdump with their leading numbers. Labels stand before
 * an instruction or alone (`name:`); comments begin with `//`, `;` or `#`. Names in the text (`call bpf_redirect`,
 * `map[counters]`) are found with `names`.
 * Throws a `LoadError` of stage `assemble` with the line.
 */
export function assemble(text: string, names: Names = {}): Uint8Array {
  return assembleWithLabels(text, names).bytes;
}

/** As `assemble`, with the slot of each label. */
export function assembleWithLabels(
  text: string,
  names: Names = {},
): { bytes: Uint8Array; labels: ReadonlyMap<string, number> } {
  const { statements, labels } = read(text);
  const lookup = inverse(names);
  const bytes = concatBytes(
    statements.map(({ line, pc, form, values }) => {
      const context: ReadContext = {
        pc,
        label: (name) => labels.get(name),
        target: (where) => target(where, pc, labels, line),
        lookup: (space, name) =>
          lookup(space, name) ?? fail(line, 'unknown-name', `there is no ${SPACES[space]} named ${name}`),
        fail: (message) => fail(line, 'bad-operand', message),
      };
      return encode(form.read(values, context), pc, line);
    }),
  );
  return { bytes, labels };
}

const SPACES: Record<keyof Names, string> = { helper: 'label or helper', map: 'map', kfunc: 'kfunc' };

function fail(line: number, code: string, message: string, help?: string): never {
  throw new LoadError(message, { code, stage: 'assemble', line, ...(help === undefined ? {} : { help }) });
}

/** First pass: statements with their slots, and the slots of labels. */
function read(text: string): { statements: Statement[]; labels: Map<string, number> } {
  const statements: Statement[] = [];
  const labels = new Map<string, number>();
  let pc = 0;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    let rest = withoutListing(withoutComment(raw).replace(/\s+/g, ' ').trim());
    for (let label = LABEL.exec(rest); label !== null; label = LABEL.exec(rest)) {
      const name = label[1]!;
      if (labels.has(name)) fail(line, 'duplicate-label', `the label ${name} is there already`);
      labels.set(name, pc);
      rest = label[2]!;
    }
    if (rest === '') continue;
    const statement = match(rest, line, pc);
    statements.push(statement);
    pc += statement.form.wide ? 2 : 1;
  }
  return { statements, labels };
}

const LABEL = /^([A-Za-z_.$][\w.$]*) ?: ?(.*)$/;

function match(text: string, line: number, pc: number): Statement {
  for (const { form, expression } of readers) {
    const found = expression.exec(text);
    if (found !== null) return { line, pc, form, values: { ...found.groups } };
  }
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return fail(
    line,
    'bad-syntax',
    `cannot read "${shown}"`,
    'Instructions look like r0 = 1, r0 = *(u32 *)(r1 + 4), if r1 > r2 goto label, call 12, exit',
  );
}

/** `#` begins a comment too, but not in `call bpf_tail_call#12`. */
function withoutComment(line: string): string {
  return line.replace(/(?:\/\/|;|#(?!-?\d)|(?<!\w)#).*$/, '');
}

/**
 * The instruction in a line of a listing: after the pc and the opcode as the verifier log and bpftool have them
 * (`3: (b7) r0 = 1`), after the bytes as llvm-objdump has them, before the place that it adds to a target. The opcode
 * tells a 64-bit immediate, which those logs print without `ll`.
 */
function withoutListing(line: string): string {
  const listing = /^\d+: ?(?:\(([0-9a-f]{2})\) |(?:[0-9a-f]{2} ){8,16})(.*?)(?: <[^>]*>)?$/i.exec(line);
  if (listing === null) return line.replace(/ <[^<>]*>$/, '');
  const [, opcode, instruction = ''] = listing;
  return opcode === '18' && !instruction.endsWith(' ll') ? `${instruction} ll` : instruction;
}

/** The slot that a target names: a label, or a distance in slots from the next instruction. */
function target(where: string, pc: number, labels: ReadonlyMap<string, number>, line: number): number {
  const distance = /^(?:pc ?)?([-+]?) ?(0x[0-9a-f]+|\d+)$/i.exec(where);
  if (distance !== null) return pc + 1 + Number(distance[2]) * (distance[1] === '-' ? -1 : 1);
  return labels.get(where) ?? fail(line, 'unknown-label', `there is no label ${where}`);
}

/** Numbers by name, each space made when first asked for. */
function inverse(names: Names): (space: keyof Names, name: string) => number | undefined {
  const spaces = new Map<keyof Names, Map<string, number>>();
  return (space, name) => {
    let known = spaces.get(space);
    if (known === undefined) {
      known = new Map();
      // Helper ids have gaps; maps and kfuncs count from 0 without.
      for (let i = 0; i < (space === 'helper' ? HELPER_IDS : MOST_NAMES); i++) {
        const found = names[space]?.(i);
        if (found !== undefined) known.set(found, known.get(found) ?? i);
        else if (space !== 'helper') break;
      }
      spaces.set(space, known);
    }
    return known.get(name) ?? known.get(`bpf_${name}`);
  };
}
