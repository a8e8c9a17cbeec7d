import { describe, expect, it } from 'vitest';
import { catalogue } from '../../engine/catalogue.ts';
import { BtfBuilder } from '../../object/btf/btf.builder.ts';
import { type Btf, parseBtf } from '../../object/btf/btf.ts';
import { CASE_MAPS, caseProgram } from '../cases.ts';
import { verify } from '../verify.ts';

interface Types {
  readonly btf: Btf;
  readonly value: number;
  readonly item: number;
}

/**
 * struct item { u32 key; bpf_list_node node; bpf_refcount count; bpf_rb_node leaf; } and the value of map `values`:
 * { bpf_spin_lock lock; bpf_list_head list; bpf_rb_root tree; item __kptr *kept; }, list and tree of items.
 */
function typesOf(): Types {
  const btf = new BtfBuilder();
  const u32 = btf.int('unsigned int', 4);
  const opaque = (name: string, size: number) => btf.struct(name, size, []);
  const [lock, count] = [opaque('bpf_spin_lock', 4), opaque('bpf_refcount', 4)];
  const [node, head] = [opaque('bpf_list_node', 8), opaque('bpf_list_head', 8)];
  const [leaf, root] = [opaque('bpf_rb_node', 8), opaque('bpf_rb_root', 8)];
  const item = btf.struct('item', 32, [['key', u32, 0], ['count', count, 32], ['node', node, 64], ['leaf', leaf, 128]]); // biome-ignore format: members
  const kept = btf.ptr(btf.add('type_tag', 'kptr', item));
  const value = btf.struct('value', 48, [['lock', lock, 0], ['list', head, 64], ['tree', root, 128], ['kept', kept, 192]]); // biome-ignore format: members
  btf.add('decl_tag', 'contains:item:node', value, [1]);
  btf.add('decl_tag', 'contains:item:leaf', value, [2]);
  return { btf: parseBtf(btf.bytes()), value, item };
}

const { btf, value, item } = typesOf();
const maps = CASE_MAPS.map((map) => (map.name === 'single' ? { ...map, valueBtfId: value } : map));

function judge(text: string): string {
  const program = caseProgram('xdp', text.replaceAll('ITEM', String(item)));
  const functions = program.functions.map((each) => ({ ...each, btfId: 1 }));
  const verdict = verify({ ...program, functions, btf, maps }, catalogue);
  return verdict.accepted ? 'accept' : `${verdict.refusal.code} at ${verdict.refusal.pc}`;
}

const NEW = 'r1 = ITEM; r2 = 0; call kfunc[bpf_obj_new_impl]; if r0 == 0 goto e; r6 = r0; ';
const LOCK = 'r1 = map[single][0]+0 ll; call bpf_spin_lock; ';
const UNLOCK = 'r1 = map[single][0]+0 ll; call bpf_spin_unlock; ';
const DROP = 'r1 = r6; r2 = 0; call kfunc[bpf_obj_drop_impl]; ';
const PUSH = 'r1 = map[single][0]+8 ll; r2 = r6; r2 += 8; r3 = 0; r4 = 0; call kfunc[bpf_list_push_front_impl]; ';
const POP = 'r1 = map[single][0]+8 ll; call kfunc[bpf_list_pop_front]; r7 = r0; ';
const FIRST = 'r1 = map[single][0]+16 ll; call kfunc[bpf_rbtree_first]; ';
const XCHG = 'r1 = map[single][0]+24 ll; r2 = r6; call bpf_kptr_xchg; r6 = r0; ';
const END = 'e: r0 = 0; exit';

/** Each was asked of Linux 6.18 in C, with lists and trees of its size. */
describe('objects that programs allocate', () => {
  it.each([
    ['are released', NEW + DROP + END, 'accept'],
    ['are not forgotten', NEW + END, 'unreleased-reference at 6'],
    ['may be null', `r1 = ITEM; r2 = 0; call kfunc[bpf_obj_new_impl]; r6 = r0; ${DROP}${END}`, 'helper-argument at 6'],
    ['are read and written', `${NEW}*(u32 *)(r6 + 0) = 7; r1 = *(u32 *)(r6 + 0); ${DROP}${END}`, 'accept'],
    ['have parts that are not', `${NEW}*(u32 *)(r6 + 8) = 7; ${DROP}${END}`, 'special-field at 5'],
    ['end', `${NEW}*(u32 *)(r6 + 32) = 7; ${DROP}${END}`, 'out-of-bounds at 5'],
    ['have padding, which is nothing', `${NEW}*(u32 *)(r6 + 24) = 7; ${DROP}${END}`, 'out-of-bounds at 5'],
    ['are of a structure', `r1 = 1; r2 = 0; call kfunc[bpf_obj_new_impl]; ${END}`, 'helper-argument at 2'],
    ['go into a list', NEW + LOCK + PUSH + UNLOCK + END, 'accept'],
    ['are read in a list', `${NEW}${LOCK}${PUSH}r1 = *(u32 *)(r6 + 0); ${UNLOCK}${END}`, 'accept'],
    ['are gone with its lock', `${NEW}${LOCK}${PUSH}${UNLOCK}r1 = *(u32 *)(r6 + 0); ${END}`, 'not-a-pointer at 18'],
    ['go into a list under its lock', NEW + PUSH + END, 'lock at 11'],
    ['go into one list', NEW + LOCK + PUSH + PUSH + UNLOCK + END, 'helper-argument at 21'],
    ['come out of a list', `${LOCK}${POP}${UNLOCK}if r7 == 0 goto e; r6 = r7; r6 += -8; ${DROP}${END}`, 'accept'],
    ['come out of it as its node', `${LOCK}${POP}${UNLOCK}if r7 == 0 goto e; r6 = r7; ${DROP}${END}`, 'helper-argument at 14'],
    ['are not allocated under a lock', `${LOCK}r1 = ITEM; r2 = 0; call kfunc[bpf_obj_new_impl]; ${END}`, 'lock at 5'],
    [
      'are looked at in a tree',
      `${LOCK}${FIRST}if r0 == 0 goto u; r1 = *(u32 *)(r0 - 16); u: ${UNLOCK}${END}`,
      'accept',
    ],
    [
      'are held twice',
      `${NEW}r1 = r6; r2 = 0; call kfunc[bpf_refcount_acquire_impl]; r7 = r0; ${DROP}r6 = r7; ${DROP}${END}`,
      'accept',
    ],
    ['are kept in a map', `${NEW}${XCHG}if r6 == 0 goto e; ${DROP}${END}`, 'accept'],
    ['are owned by the map then', `${NEW}r7 = r6; ${XCHG}if r6 == 0 goto e; ${DROP}r1 = *(u32 *)(r7 + 0); ${END}`, 'not-a-pointer at 15'],
    ['are got back out of it', `${NEW}${XCHG}${END}`, 'unreleased-reference at 11'],
    ['are read in a map', `r1 = map[single][0]+24 ll; r1 = *(u64 *)(r1 + 0); if r1 == 0 goto e; r1 = *(u32 *)(r1 + 0); ${END}`, 'accept'],
    ['may not be there', `r1 = map[single][0]+24 ll; r1 = *(u64 *)(r1 + 0); r1 = *(u32 *)(r1 + 0); ${END}`, 'null-pointer at 3'],
    ['are not released there', `r1 = map[single][0]+24 ll; r6 = *(u64 *)(r1 + 0); if r6 == 0 goto e; ${DROP}${END}`, 'helper-argument at 6'],
    ['are not stored there', `${NEW}r1 = map[single][0]+24 ll; *(u64 *)(r1 + 0) = r6; ${DROP}${END}`, 'special-field at 7'],
  ])('%s', (_, text, verdict) => expect(judge(text)).toBe(verdict)); // biome-ignore format: a table
});
