import type { Instruction } from './instruction.ts';
import type { Filled, Form, PrintContext, ReadContext, Values } from './syntax.ts';

export type Of<K extends Instruction['kind']> = Extract<Instruction, { kind: K }>;

/** A form that is printed and read. */
export function form<const K extends Instruction['kind']>(
  kind: K,
  pattern: string,
  print: (instruction: Of<K>, context: PrintContext) => Filled | undefined,
  read: (values: Values, context: ReadContext) => Of<K>,
): Form {
  return {
    pattern,
    wide: kind === 'imm64',
    print: (instruction, context) => (instruction.kind === kind ? print(instruction as Of<K>, context) : undefined),
    read,
  };
}

/** A form that is only read. */
export const alias = (pattern: string, { wide, read }: Pick<Form, 'wide' | 'read'>): Form => ({
  pattern,
  wide,
  print: null,
  read,
});
