import { type Catalogue, isPresent } from '../../abi/catalogue.ts';
import type { Refusal } from '../../abi/verdict.ts';
import type { Immediate64 } from '../../isa/instruction.ts';
import type { Program } from '../../program/program.ts';
import { refuse } from '../refuse.ts';
import type { Rule } from '../verify.ts';

const BPF_MAP_TYPE_ARRAY = 2;

/** What 64-bit immediates name must be there. */
export const references: Rule = (program, catalogue) => {
  for (const [pc, instruction] of program.instructions.entries()) {
    const refusal = instruction?.kind === 'imm64' ? faultOf(program, catalogue, pc, instruction.value) : undefined;
    if (refusal !== undefined) return refusal;
  }
  return undefined;
};

function faultOf(program: Program, catalogue: Catalogue, pc: number, value: Immediate64): Refusal | undefined {
  switch (value.type) {
    case 'value':
      return undefined;
    case 'function':
      if (program.functions.some((each) => each.start === value.pc && each.start !== 0)) return undefined;
      return refuse(
        program,
        'bad-function-pointer',
        pc,
        `a pointer to instruction ${value.pc}, where no function starts`,
      );
    case 'ksym': {
      const symbol = program.kernelSymbols[value.btfId];
      if (symbol?.weak === true || isPresent(catalogue, symbol)) return undefined;
      const name = symbol?.name ?? `number ${value.btfId}`;
      const help = 'Declare it __weak and test its address, so that the program also runs where it is missing';
      return refuse(program, 'bad-kernel-symbol', pc, `the kernel variable ${name} is not there`, help);
    }
    default: {
      const map = program.maps[value.map];
      if (map === undefined) {
        return refuse(program, 'bad-map', pc, `map ${value.map} is named; the object has ${program.maps.length}`);
      }
      if (!('offset' in value)) return undefined;
      if (map.type !== BPF_MAP_TYPE_ARRAY || map.maxEntries !== 1) {
        return refuse(
          program,
          'bad-map-value',
          pc,
          `the address of a value of map ${map.name}: only an array of one element has one`,
        );
      }
      if (value.offset >= 0 && value.offset < map.valueSize) return undefined;
      return refuse(
        program,
        'bad-map-value',
        pc,
        `byte ${value.offset} of map ${map.name}, whose value has ${map.valueSize}`,
      );
    }
  }
}
