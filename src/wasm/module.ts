import { VALUE, type ValueType } from './opcodes.ts';
import { type Code, Writer } from './writer.ts';

/** Section ids (WebAssembly core specification 3.0, section 5.5.2). */
const SECTION = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
/** Kinds of imports and exports (sections 5.5.5 and 5.5.10). */
const KIND = { function: 0, table: 1, memory: 2, global: 3 } as const;
const FUNCTION_TYPE = 0x60;
const FUNCREF = 0x70;

export interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/**
 * A module in the making. Everything is imported by number from one namespace, `e`; imported functions come before the
 * module's own, so that all of them must be known before the first body is written.
 */
export class ModuleWriter {
  readonly #types = new Map<string, number>();
  readonly #typeBytes = new Writer();
  readonly #imports = new Writer();
  readonly #functions = new Writer();
  readonly #exports = new Writer();
  readonly #code = new Writer();
  #importCount = 0;
  #importedFunctions = 0;
  #bodies = 0;
  #exportCount = 0;

  /** Its index; equal types are one. */
  type({ parameters, results }: FunctionType): number {
    const key = `${parameters.join()}:${results.join()}`;
    let index = this.#types.get(key);
    if (index === undefined) {
      index = this.#types.size;
      this.#types.set(key, index);
      this.#typeBytes.byte(FUNCTION_TYPE);
      for (const list of [parameters, results]) {
        this.#typeBytes.unsigned(list.length);
        for (const type of list) this.#typeBytes.byte(VALUE[type]);
      }
    }
    return index;
  }

  #import(name: string, kind: keyof typeof KIND): Writer {
    this.#importCount++;
    return this.#imports.name('e').name(name).byte(KIND[kind]);
  }

  /** Section 5.3.16: limits with a maximum; the threads proposal adds the flag of a memory that threads share. */
  importMemory(name: string, pages: number, isShared = false): void {
    this.#import(name, 'memory')
      .byte(isShared ? 3 : 1)
      .unsigned(pages)
      .unsigned(pages);
  }

  importTable(name: string): void {
    this.#import(name, 'table').byte(FUNCREF).byte(0).unsigned(0);
  }

  importGlobal(name: string, type: ValueType): void {
    this.#import(name, 'global').byte(VALUE[type]).byte(1);
  }

  /** Its index among functions. */
  importFunction(name: string, type: FunctionType): number {
    this.#import(name, 'function').unsigned(this.type(type));
    return this.#importedFunctions++;
  }

  /** Index of the next body. */
  get nextFunction(): number {
    return this.#importedFunctions + this.#bodies;
  }

  /** Section 5.5.13: locals beside the parameters, in runs of one type; `code` without the closing `end`. */
  body(type: FunctionType, locals: readonly (readonly [number, ValueType])[], code: Code): number {
    this.#functions.unsigned(this.type(type));
    const head = new Writer().unsigned(locals.length);
    for (const [count, each] of locals) head.unsigned(count).byte(VALUE[each]);
    code.op('end');
    this.#code
      .unsigned(head.length + code.length)
      .append(head.bytes)
      .append(code.bytes);
    return this.#importedFunctions + this.#bodies++;
  }

  export(name: string, index: number): void {
    this.#exportCount++;
    this.#exports.name(name).byte(KIND.function).unsigned(index);
  }

  /** The module (section 5.5.16): magic, version, and the sections in their order. */
  bytes(): Uint8Array<ArrayBuffer> {
    const module = new Writer().append(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    const section = (id: keyof typeof SECTION, count: number, content: Writer) => {
      const size = new Writer().unsigned(count);
      module.byte(SECTION[id]).unsigned(size.length + content.length);
      module.append(size.bytes).append(content.bytes);
    };
    section('type', this.#types.size, this.#typeBytes);
    section('import', this.#importCount, this.#imports);
    section('function', this.#bodies, this.#functions);
    section('export', this.#exportCount, this.#exports);
    section('code', this.#bodies, this.#code);
    return module.bytes;
  }
}
